"""Moments in templates, as the reader's clock has them."""

from datetime import datetime

from django import template
from django.utils.dateformat import format as formatted
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from accounts.models import User
from proxyproject.pages.amounts import zone_named

register = template.Library()


@register.filter
def by_clock_of(moment: datetime, reader: User) -> SafeString:
    """`24 November 2026, 14:00 UTC`; by times.js in the browser's zone, where the reader has chosen none."""
    told = formatted(moment.astimezone(zone_named(reader.zone)), gettext("j F Y, H:i T"))
    form = "" if reader.time_zone else format_html(' data-form="{}"', "full")
    return format_html('<time datetime="{}"{}>{}</time>', moment.isoformat(), form, told)
