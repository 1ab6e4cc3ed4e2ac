"""Windows of quotas: they tile time by the calendar of their zone, whatever its clocks do."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import Window
from accounts.windows import Span, window_at

ZONES = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Africa/Casablanca",
    "Pacific/Apia",
    "America/Santiago",
    "UTC",
]
ODD_ZONES = [*ZONES, "Asia/Beirut", "America/Havana", "America/St_Johns", "America/Toronto", "Africa/Monrovia"]
BEGINNING, END = datetime(2025, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)
HOUR = timedelta(hours=1)


def at(window: Window, moment: datetime, zone: str) -> Span:
    """The window, worked out anew: the one that was asked for last is another."""
    window_at(window, datetime(2200, 1, 1, tzinfo=UTC), zone)
    return window_at(window, moment, zone)


def changes_of_the_clock(zone: str) -> Iterator[datetime]:
    """When the distance from UTC changes in two years, to a quarter of an hour."""
    place, step = ZoneInfo(zone), timedelta(minutes=15)
    moment, before = BEGINNING, None
    while moment < END:
        offset = moment.astimezone(place).utcoffset()
        if before is not None and offset != before:
            yield moment
        moment, before = moment + step, offset


def label(window: Window, moment: datetime, zone: str) -> object:
    """What a calendar and a clock on the wall say of a window."""
    there = moment.astimezone(ZoneInfo(zone))
    if window == Window.DAY:
        return there.date()
    if window == Window.MONTH:
        return there.year, there.month
    parts = (there.date(), there.hour, there.utcoffset())
    return parts if window == Window.HOUR else (*parts, there.minute)


def walk(window: Window, zone: str, start: datetime, end: datetime) -> int:
    """Goes from window to window and holds each against its neighbours; tells how many there were."""
    moment, number = at(window, start, zone).starts_at, 0
    while moment < end:
        span = at(window, moment, zone)
        assert span.ends_at is not None
        assert span.starts_at == moment, "begins when the one before it ends"
        assert span.ends_at > moment
        for inside in (moment + (span.ends_at - moment) / 3, span.ends_at - INSTANT):
            assert at(window, inside, zone) == span
            assert label(window, inside, zone) == label(window, moment, zone)
        assert label(window, span.ends_at, zone) != label(window, moment, zone)
        moment, number = span.ends_at, number + 1
    return number


@pytest.mark.parametrize("zone", ZONES)
def test_hours_days_and_months_tile_two_years(zone: str) -> None:
    assert walk(Window.MONTH, zone, BEGINNING, END) in (24, 25)
    assert walk(Window.DAY, zone, BEGINNING, END) in (730, 731)
    if zone == "UTC":
        assert walk(Window.HOUR, zone, BEGINNING, END) == 730 * 24
    else:
        walk(Window.HOUR, zone, BEGINNING, END)


@pytest.mark.parametrize("zone", ZONES)
def test_minutes_tile_time_round_each_change_of_the_clock(zone: str) -> None:
    for change in [*changes_of_the_clock(zone), BEGINNING, datetime(2026, 2, 28, 23, tzinfo=UTC)]:
        walk(Window.MINUTE, zone, change - HOUR, change + HOUR)


def test_in_all_is_one_window() -> None:
    assert at(Window.TOTAL, BEGINNING, "UTC") == at(Window.TOTAL, END, "Asia/Kathmandu")
    span = at(Window.TOTAL, END, "UTC")
    assert (span.starts_at, span.ends_at) == (datetime(1970, 1, 1, tzinfo=UTC), None)


SPANS = {
    "plain day": ("Europe/Berlin", Window.DAY, "2026-06-10T12:00", "2026-06-09T22:00", 24.0),
    "short day": ("Europe/Berlin", Window.DAY, "2026-03-29T12:00", "2026-03-28T23:00", 23.0),
    "long day": ("Europe/Berlin", Window.DAY, "2026-10-25T12:00", "2026-10-24T22:00", 25.0),
    "half an hour longer": ("Australia/Lord_Howe", Window.DAY, "2026-04-05T02:00", "2026-04-04T13:00", 24.5),
    "half an hour shorter": ("Australia/Lord_Howe", Window.DAY, "2026-10-04T02:00", "2026-10-03T13:30", 23.5),
    "half an hour repeated": ("Australia/Lord_Howe", Window.HOUR, "2026-04-04T15:10", "2026-04-04T15:00", 0.5),
    "half an hour skipped": ("Australia/Lord_Howe", Window.HOUR, "2026-10-03T15:45", "2026-10-03T15:30", 0.5),
    "three quarters off": ("Asia/Kathmandu", Window.HOUR, "2026-06-10T12:20", "2026-06-10T12:15", 1.0),
    "a month with a short day": ("Europe/Berlin", Window.MONTH, "2026-03-15T00:00", "2026-02-28T23:00", 743.0),
    "midnight skipped": ("America/Santiago", Window.DAY, "2026-09-06T12:00", "2026-09-06T04:00", 23.0),
    "set back over midnight": ("America/Santiago", Window.DAY, "2026-04-05T03:30", "2026-04-04T03:00", 25.0),
    "set back from the new day": ("America/St_Johns", Window.DAY, "2010-11-07T03:00", "2010-11-07T02:30", 25.0),
    "an hour of one minute": ("America/St_Johns", Window.HOUR, "2010-11-07T02:30", "2010-11-07T02:30", 1 / 60),
    "midnight within what is skipped": ("America/Toronto", Window.DAY, "1919-03-31T12:00", "1919-03-31T04:30", 23.5),
    "before the skipped day": ("Pacific/Apia", Window.DAY, "2011-12-30T09:59", "2011-12-29T10:00", 24.0),
    "after the skipped day": ("Pacific/Apia", Window.DAY, "2011-12-30T10:00", "2011-12-30T10:00", 24.0),
}


@pytest.mark.parametrize(("zone", "window", "moment", "starts_at", "hours"), SPANS.values(), ids=SPANS)
def test_windows(zone: str, window: Window, moment: str, starts_at: str, hours: float) -> None:
    span = at(window, datetime.fromisoformat(f"{moment}+00:00"), zone)
    assert span.starts_at == datetime.fromisoformat(f"{starts_at}+00:00")
    assert span.ends_at == span.starts_at + timedelta(hours=hours)


@pytest.mark.parametrize("zone", ["Mars/Olympus_Mons", "", "Europe", "../etc/passwd", "/etc/passwd"])
def test_an_unknown_zone_is_utc(zone: str) -> None:
    assert at(Window.DAY, BEGINNING, zone) == at(Window.DAY, BEGINNING, "UTC")


def between(first: str, last: str) -> st.SearchStrategy[datetime]:
    """Moments between two dates, to the microsecond."""
    start, end = (datetime.fromisoformat(f"{day}T00:00+00:00") for day in (first, last))
    return st.integers(0, (end - start) // INSTANT).map(lambda past: start + past * INSTANT)


moments = st.one_of(
    between("1970-01-02", "2100-01-01"),
    between("2011-12-28", "2012-01-02"),  # Apia had no 30 December
    between("2025-01-01", "2027-01-01").map(lambda moment: moment.astimezone(ZoneInfo("Australia/Lord_Howe"))),
)


@given(moment=moments, zone=st.sampled_from(ODD_ZONES), window=st.sampled_from(Window))
def test_every_instant_is_in_a_window_that_its_neighbours_touch(moment: datetime, zone: str, window: Window) -> None:
    span = at(window, moment, zone)
    assert span.starts_at <= moment
    assert str(span.starts_at.tzinfo) == "UTC"
    if span.ends_at is None:
        return
    assert moment < span.ends_at
    assert at(window, span.ends_at, zone).starts_at == span.ends_at
    assert at(window, span.starts_at - INSTANT, zone).ends_at == span.starts_at
    assert at(window, span.starts_at, zone) == at(window, span.ends_at - INSTANT, zone) == span


def test_the_window_that_was_asked_for_last_is_at_hand() -> None:
    moment, times = datetime.now(UTC), 2000
    window_at(Window.DAY, moment, "Europe/Berlin")
    fastest = min(_seconds(moment, times) for _ in range(10)) / times
    assert fastest < 5e-6


def _seconds(moment: datetime, times: int) -> float:
    started = time.perf_counter()
    for _ in range(times):
        window_at(Window.DAY, moment, "Europe/Berlin")
    return time.perf_counter() - started
