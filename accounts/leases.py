"""Leases: how calls are closed whose process died.

Each process that holds calls open renews a row of its own, on the database's clock. Calls whose lease ran out are
closed as lost by whichever process sees it, charged with their reservation.
"""

import logging
import os
import socket
import time
from collections.abc import Collection
from datetime import timedelta
from uuid import UUID, uuid4

from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from accounts.closing import close, lost, standing_calls
from accounts.counters import Counters
from accounts.models import Call, CallState, Lease
from storage.periodic import Periodic

logger = logging.getLogger("gateway.ledger")

TERM = 15.0  # seconds that a lease lasts without being renewed
_BEAT = 2.0  # seconds between renewals
_BEATS_BEFORE_SWEEP = 3  # after a pause of the database everybody's lease looks old: let the others renew theirs first
_MOST_AT_ONCE = 200  # calls that are closed in one transaction


class _Holder:
    """This process as a holder of calls, and the thread that keeps its lease."""

    def __init__(self) -> None:
        self.id = uuid4()
        self._beats = 0
        self._last_beat = time.monotonic()
        what = "The renewal of the lease"
        self._keeping = Periodic("ledger-lease", self._beat, what, logger, first=0.0, between=_BEAT)

    def keep(self) -> None:
        """Starts renewing, the first time that it is called."""
        self._keeping.start()

    def end(self) -> None:
        """Stops renewing."""
        self._keeping.end(wait=_BEAT)

    def _beat(self) -> None:
        before, self._beats = self._beats, 0
        renew(self.id)
        now = time.monotonic()
        # A process that was frozen, or whose database did not answer, has no right to judge others by that time.
        self._beats = before + 1 if now - self._last_beat < 2 * _BEAT else 1
        self._last_beat = now
        if self._beats >= _BEATS_BEFORE_SWEEP:
            close_abandoned()


_holders: dict[int, _Holder] = {}  # by process id: a forked process is another holder than the one it came from


def _own() -> _Holder:
    process = os.getpid()
    return _holders.get(process) or _holders.setdefault(process, _Holder())


def own() -> UUID:
    """The lease that this process's calls are held under."""
    return _own().id


def keep() -> None:
    """Starts to renew this process's lease, and to close what others abandoned. Harmless the second time."""
    _own().keep()


def end() -> None:
    """Stops renewing; when all calls are settled. A later `keep` begins under another lease."""
    holder = _holders.pop(os.getpid(), None)
    if holder is not None:
        holder.end()


def renew(lease: UUID) -> None:
    """Says that the holder of a lease lives."""
    with transaction.atomic():
        if not Lease.objects.filter(pk=lease).update(seen_at=Now()):
            Lease.objects.create(pk=lease, process=f"{socket.gethostname()[:80]}:{os.getpid()}", seen_at=Now())


def close_abandoned() -> int:
    """Closes the calls whose lease ran out, and removes such leases. Returns how many calls it closed."""
    closed = 0
    while abandoned := _abandoned():
        closed += _close(abandoned)
    _expired().exclude(pk__in=Call.objects.open().values("lease")).delete()
    if closed:
        logger.error("Closed %d calls as lost: the process that served them is gone.", closed)
    return closed


def _expired() -> "QuerySet[Lease]":
    return Lease.objects.filter(seen_at__lt=Now() - timedelta(seconds=TERM))


def _abandoned() -> list[UUID]:
    """Open calls under leases that ran out, some of them. One that was opened just now may wait for its lease's row."""
    begun_before = timezone.now() - timedelta(seconds=TERM)
    calls = Call.objects.open().filter(opened_at__lt=begun_before)
    living = Lease.objects.filter(seen_at__gte=Now() - timedelta(seconds=TERM)).values_list("pk", flat=True)
    held = Q(lease__isnull=False, lease__in=list(living))
    return list(calls.exclude(held).order_by("opened_at").values_list("pk", flat=True)[:_MOST_AT_ONCE])


@transaction.atomic
def _close(keys: Collection[UUID]) -> int:
    with connection.cursor() as cursor:
        calls = {key: call for key, call in standing_calls(cursor, keys).items() if call.state == CallState.OPEN}
        counters = Counters(cursor, (), {hold[0] for call in calls.values() for hold in call.holds})
        close(cursor, [lost(key) for key in calls], calls, counters)
        counters.save()
    return len(calls)
