"""Moments on pages: by the clock that the reader chose, or, where they chose none, left to the browser's."""

from datetime import UTC, datetime

import pytest
from django.template import Context, Template

from accounts.models import User

_MOMENT = datetime(2026, 11, 30, 22, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        ("Asia/Kathmandu", '<time datetime="2026-11-30T22:30:00+00:00">1 December 2026, 04:15 +0545</time>'),
        ("", '<time datetime="2026-11-30T22:30:00+00:00" data-form="full">30 November 2026, 22:30 UTC</time>'),
        ("Nowhere/<b>", '<time datetime="2026-11-30T22:30:00+00:00">30 November 2026, 22:30 UTC</time>'),
    ],
)
def test_moment(zone: str, shown: str) -> None:
    page = Template("{% load moments %}{{ moment|by_clock_of:reader }}")
    assert page.render(Context({"moment": _MOMENT, "reader": User(time_zone=zone)})) == shown
