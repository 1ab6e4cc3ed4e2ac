"""When a window of a quota begins and ends, by the calendar of a time zone.

The windows of a zone tile time: each begins when the one before it ends, whatever its clocks do.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from accounts.models.quota import Window


@dataclass(frozen=True, slots=True)
class Span:
    """From its beginning up to, and not including, its end; both in UTC. Without an end it lasts for ever."""

    starts_at: datetime
    ends_at: datetime | None

    def holds(self, moment: datetime) -> bool:
        """Whether a moment is in it."""
        return self.starts_at <= moment and (self.ends_at is None or moment < self.ends_at)


_FOR_EVER = Span(datetime(1970, 1, 1, tzinfo=UTC), None)
_SECOND = timedelta(seconds=1)
_LENGTHS = {Window.MINUTE: timedelta(minutes=1), Window.HOUR: timedelta(hours=1)}

# The span asked for last. Nearly all admissions of a zone are in the same one, and working one out takes 40 times as
# long as looking here.
_last: dict[tuple[str, str], Span] = {}


def window_at(window: Window, moment: datetime, zone: str) -> Span:
    """The window that a moment is in. The moment knows its own time zone; `zone` is the calendar's, by its IANA name.

    A day, or a month, begins at the first instant of its first date: one whose midnight is skipped begins when the
    clocks have moved on, and the hour that follows when they are set back over midnight belongs to the new day. A
    minute or an hour across a change of the clocks is cut in two there. A zone that this machine does not know is UTC.
    """
    span = _last.get((window, zone))
    if span is None or not span.holds(moment):
        span = _last[(window, zone)] = _worked_out(window, moment.astimezone(UTC), _calendar(zone))
    return span


def _worked_out(window: Window, moment: datetime, zone: tzinfo) -> Span:
    if window == Window.TOTAL:
        return _FOR_EVER
    if window in _LENGTHS:
        return _of_the_clock(moment, _LENGTHS[window], zone)
    today = moment.astimezone(zone).date()
    if window == Window.DAY:
        return _of_dates(moment, today, lambda day: day + timedelta(days=1), zone)
    return _of_dates(moment, today.replace(day=1), _next_month, zone)


def _calendar(zone: str) -> tzinfo:
    try:
        return ZoneInfo(zone)
    except (KeyError, ValueError, OSError):  # unknown, no name at all, or the name of a directory
        return UTC


def _next_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=31)).replace(day=1)


def _of_the_clock(moment: datetime, length: timedelta, zone: tzinfo) -> Span:
    """The time round a moment in which the clock shows the same hour (or minute) at the same distance from UTC."""
    offset = _offset(moment, zone)
    shown = moment + offset
    past = (shown - datetime.combine(shown.date(), datetime.min.time(), UTC)) % length
    starts_at = moment - past
    ends_at = starts_at + length

    def has_its_offset(instant: datetime) -> bool:
        return _offset(instant, zone) == offset

    if not has_its_offset(starts_at):
        starts_at = _first(has_its_offset, starts_at, moment)
    if not has_its_offset(ends_at - _SECOND):
        ends_at = _first(lambda instant: not has_its_offset(instant), moment.replace(microsecond=0), ends_at)
    return Span(starts_at, ends_at)


def _of_dates(moment: datetime, first: date, following: Callable[[date], date], zone: tzinfo) -> Span:
    """The time from the first instant of one date to that of a following one, the two that a moment lies between."""
    starts_at, ends_at = _beginning(first, zone), _beginning(following(first), zone)
    while ends_at <= moment:  # clocks were set back to a date that is over
        first = following(first)
        starts_at, ends_at = ends_at, _beginning(following(first), zone)
    return Span(starts_at, ends_at)


def _beginning(day: date, zone: tzinfo) -> datetime:
    """The first instant at which it is this date, or a later one where there was no such date."""
    midnight = datetime.combine(day, datetime.min.time(), zone)
    earlier, later = (midnight.replace(fold=fold).astimezone(UTC) for fold in (1, 0))
    if earlier >= later:
        return later  # there is one such midnight, or this is the first of two
    return _first(lambda instant: instant.astimezone(zone).date() >= day, earlier, later)  # there is none


def _offset(moment: datetime, zone: tzinfo) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()


def _first(holds: Callable[[datetime], bool], lowest: datetime, highest: datetime) -> datetime:
    """The first whole second after `lowest` from which on something holds. At `highest` it does."""
    before, after = 0, int((highest - lowest) / _SECOND)
    while after - before > 1:
        middle = (before + after) // 2
        before, after = (before, middle) if holds(lowest + middle * _SECOND) else (middle, after)
    return lowest + after * _SECOND
