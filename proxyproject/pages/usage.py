"""The page at /usage: what somebody has used, what is left, and for how long."""

import csv
from datetime import date, datetime
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.http import require_safe

from accounts import usage
from accounts.models import User
from accounts.principal import Principal
from accounts.standing import standings
from proxyproject.pages.amounts import Clock, zone_named
from proxyproject.pages.usage_limits import Limit, verdict, worst_first
from proxyproject.pages.usage_period import LENGTHS, Asked, month_before, month_of, today_utc
from proxyproject.pages.usage_sums import Breakdown, token_names, told

_MEASURES = {"tokens": gettext_lazy("Tokens"), "calls": gettext_lazy("Calls"), "cost": gettext_lazy("Cost")}
_TOLD_APART = {"provider": gettext_lazy("Provider"), "model": gettext_lazy("Model"), "token": gettext_lazy("API token")}
_COLUMNS = ("day", "provider", "model", "token", "calls", "input_tokens", "output_tokens", "cost", "currency")
_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")


@require_safe
@login_required
def usage_page(request: HttpRequest) -> HttpResponse:
    """Of the reader, or for staff of the user whom `?user=` names. `?format=csv` has the numbers as a file."""
    now = timezone.now()
    asked = Asked.of(request.GET.dict(), today_utc(now))
    who = _asked_about(request, asked.user)
    found = usage.report(who.pk, "cell", asked.since, asked.until)
    if request.GET.get("format") == "csv":
        return _as_csv(who, asked, found)
    reader: Any = request.user
    clock = Clock(now, zone_named(reader.zone), fixed=bool(reader.time_zone))
    currency = usage.currency()
    somebody_else = "" if who.pk == reader.pk else who.username
    limits = worst_first(Limit.of(one, who.zone, currency, clock) for one in standings(_principal(who)))
    context = {
        "asked": asked,
        "clock": clock,
        "somebody_else": somebody_else,
        "verdict": verdict(limits, somebody_else),
        "limits": limits,
        "never": not found.totals.calls and not usage.used_anything(who.pk),
        "switches": _switches(asked, now),
        "csv_link": asked.link(format="csv"),
        **_numbers(found, asked, currency, today_utc(now)),
    }
    return render(request, "usage.html", context)


def _asked_about(request: HttpRequest, name: str | None) -> User:
    """The reader, or the user of that name. Raises PermissionDenied, Http404."""
    reader: Any = request.user
    user: User = reader
    if name is None or name == user.username:
        return user
    if not user.is_staff:
        raise PermissionDenied(gettext("Only staff may look at what others have used."))
    found = User.objects.filter(username=name).first() if "\0" not in name else None
    if found is None:
        raise Http404
    return found


def _principal(user: User) -> Principal:
    return Principal(user.pk, user.username, user.is_staff)


def _numbers(found: usage.Usage, asked: Asked, currency: str, today: date) -> dict[str, Any]:
    breakdown = Breakdown(found, asked.by, asked.measure, currency)
    return {
        "totals": told(found.totals, currency),
        "sums": found.totals,
        "rows": breakdown.rows(),
        "told_apart_by": _TOLD_APART[asked.by],
        "series": breakdown.series,
        "days": breakdown.days(),
        "chart": breakdown.chart(asked.days(today)),
    }


def _switches(asked: Asked, now: datetime) -> list[dict[str, Any]]:
    """What can be chosen, each with its name and its choices: the text, the link, and whether it is chosen."""
    today = today_utc(now)
    months = {month_of(today): gettext("This month"), month_before(today): gettext("Last month")}
    if asked.month and asked.month not in months:
        months[asked.month] = asked.month
    days = [(gettext("{count} days").format(count=n), asked.link(days=str(n)), asked.length == n) for n in LENGTHS]
    calendar = [(text, asked.link(month=month), asked.month == month) for month, text in months.items()]
    return [
        {"name": gettext("Period"), "choices": [*days, *calendar]},
        {
            "name": gettext("Shown"),
            "choices": [(text, asked.link(measure=key), key == asked.measure) for key, text in _MEASURES.items()],
        },
        {
            "name": gettext("Told apart by"),
            "choices": [(text, asked.link(by=key), key == asked.by) for key, text in _TOLD_APART.items()],
        },
    ]


def _as_csv(who: User, asked: Asked, found: usage.Usage) -> HttpResponse:
    """A line for each day, provider, model and token."""
    names, currency = token_names(found), usage.currency()
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    file_name = f"usage {who.username} {asked.first} {asked.last}.csv"
    response["Content-Disposition"] = content_disposition_header(True, file_name) or "attachment"
    writer = csv.writer(response)
    writer.writerow(_COLUMNS)
    for cell, sums in sorted(found.breakdown, key=lambda one: one[0]["day"]):
        texts = (cell["day"], cell["provider"], cell["model"], names[cell["token"]])
        counts = (sums.calls, sums.input_tokens, sums.output_tokens, f"{sums.cost:f}")
        writer.writerow([*map(_harmless, texts), *counts, currency])
    return response


def _harmless(text: str) -> str:
    """A text that a spreadsheet takes for one: names are whatever callers made them."""
    return f"'{text}" if text.startswith(_FORMULA_SIGNS) else text
