"""What has to be done now and then: closing what dead processes left open, summing up days, deleting what is old.

Any number of processes may do it at any time. Each step is a short transaction that holds the row of UsageRollup, so
one process at a time takes it, and none twice.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, models, transaction
from django.db.models import Min, Q
from django.utils import timezone

from accounts import leases, usage
from accounts.models import Call, SignIn, UsageDay, UsageRollup
from accounts.models.sign_in import Session
from storage.periodic import Periodic
from storage.rows import RowInsert

logger = logging.getLogger("gateway.upkeep")

_SETTLED = timedelta(days=2)  # from a day's beginning until it is summed up: nobody corrects its calls any more
_FIRST_LOOK = 60.0  # seconds after the start: a server that has just begun has better things to do
_BETWEEN_LOOKS = 3600.0  # seconds
_DELETED_AT_ONCE = 500  # calls
_FOUND_AT_ONCE = 20_000  # calls; there is no index by time alone, so finding some may read the whole table
_PAUSE = 0.05  # seconds between transactions: SQLite would let none of those who wait in between
_ROW = 1

_KEY = ("user_id", "token_id", "provider", "model")
_SUMS = (
    "calls",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "cost",
    "calls_without_price",
)
_insert_days = RowInsert(UsageDay, ["day", *_KEY, *_SUMS, "calls_estimated"])


@dataclass(frozen=True, slots=True)
class Done:
    """What there was to do: open calls of dead processes, days, calls past the time that they are kept, and sign-ins
    and sessions that ended."""

    closed: int
    days: int
    deleted: int
    sign_ins: int


def run_once() -> Done:
    """Does all that is due."""
    return Done(leases.close_abandoned(), _roll_up(), _delete_old(), _delete_ended())


def is_due() -> bool:
    """Whether a day waits to be summed up. With each of them another one may have become too old to be kept."""
    return usage.rolled_until() < _last_day()


def _today() -> date:
    return timezone.now().date()


def _last_day() -> date:
    """The first day that must not be summed up yet."""
    return _today() - _SETTLED + timedelta(days=1)


def _roll_up() -> int:
    """Sums up one day after the other; returns how many."""
    days = 0
    oldest_open = Call.objects.open().aggregate(oldest=Min("opened_at"))["oldest"]
    end = _last_day() if oldest_open is None else min(_last_day(), oldest_open.date())
    while (day := _next_day(end)) < end:
        sums = list(_sums_of(day))
        with _alone() as rollup:
            if rollup.until == day:
                with connection.cursor() as cursor:
                    _insert_days(cursor, sums)
                rollup.until = day + timedelta(days=1)
                rollup.save()
                days += 1
        time.sleep(_PAUSE if sums else 0)
    return days


def _next_day(end: date) -> date:
    """The first day that is not summed up. The first time of all: the day of the first call."""
    until = usage.rolled_until()
    if until == date.min:
        first = Call.objects.aggregate(first=Min("opened_at"))["first"]
        begun = end if first is None else min(end, first.date())
        until = UsageRollup.objects.get_or_create(pk=_ROW, defaults={"until": begun})[0].until
    return until


def _sums_of(day: date) -> Iterator[tuple[Any, ...]]:
    """The rows of a day whose calls do not change any more. Read before the transaction, which is to be short."""
    until = usage.midnight(day + timedelta(days=1))
    calls = Call.objects.filter(opened_at__gte=usage.midnight(day), opened_at__lt=until)
    for key, sums in usage.summed_calls(calls, _KEY):
        yield (day.isoformat(), *key, *(getattr(sums, name) for name in _SUMS), sums.estimated_calls)


def _delete_old() -> int:
    """Deletes the calls that are summed up and past GATEWAY_KEEP_CALLS_DAYS, with their attempts."""
    if not settings.GATEWAY_KEEP_CALLS_DAYS:
        return 0
    oldest_kept = _today() - timedelta(days=settings.GATEWAY_KEEP_CALLS_DAYS)
    before = usage.midnight(min(oldest_kept, usage.rolled_until()))
    deleted = 0
    old = Call.objects.filter(opened_at__lt=before).order_by().values_list("pk", flat=True)
    while found := list(old[:_FOUND_AT_ONCE]):
        for place in range(0, len(found), _DELETED_AT_ONCE):
            deleted += _delete(found[place : place + _DELETED_AT_ONCE])
            time.sleep(_PAUSE)
    return deleted


def _delete_ended() -> int:
    """Deletes sessions that nobody can go on with, and sign-ins that their owners need not see any more."""
    ended = Q(expire_date__lt=timezone.now()) | Q(sign_in__ended_at__isnull=False)
    deleted = 0
    # The ordinary manager finds no session that was ended.
    old: tuple[models.QuerySet[Any], ...] = (Session._base_manager.filter(ended), SignIn.objects.old())
    for rows in old:
        while found := list(rows.order_by()[:_DELETED_AT_ONCE]):
            rows.model._base_manager.filter(pk__in=[row.pk for row in found]).delete()
            deleted += len(found)
            time.sleep(_PAUSE)
    return deleted


def _delete(keys: list[UUID]) -> int:
    with _alone():
        return Call.objects.filter(pk__in=keys).delete()[1].get(Call._meta.label, 0)


@contextmanager
def _alone() -> Iterator[UsageRollup]:
    """A transaction that no other process's step of this kind runs beside."""
    with transaction.atomic():
        yield UsageRollup.objects.select_for_update().get(pk=_ROW)


def _look() -> None:
    if is_due():
        logger.info("Upkeep: %s", run_once())


keeper = Periodic("upkeep", _look, "The upkeep", logger, first=_FIRST_LOOK, between=_BETWEEN_LOOKS)
