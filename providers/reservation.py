"""What an admitted call was given, and how it keeps to that."""

import time

from accounts import ledger
from accounts.calls import Hold
from accounts.errors import QuotaSpent
from providers.bounds import can_be_limited
from providers.errors import RequestNotPossible
from providers.execution import Execution
from providers.types import Wanted
from storage.errors import StorageUnavailable

_LEAST_EXTENSION = 1024  # tokens; each costs a write


class Reservation:
    """The output that a call may have, where a quota counts its tokens or its cost.

    watched: whether the answer must be held to it while it comes: a vendor that was told of a limit may ignore it.
    given: the output that the call was let in with, in tokens; None where nothing counts.
    """

    def __init__(self, hold: Hold, wanted: Wanted) -> None:
        limited, asks = hold.grant.limited, wanted.asks
        self._limit = hold.grant.output // asks.choices if limited and can_be_limited(wanted) else None
        self._unbounded = asks.unbounded if limited else ""
        self._is_told = self._limit is not None or asks.output is not None
        self.watched = limited and asks.generates
        self.given = hold.grant.output if limited else None
        self._hold = hold
        self._step = max(hold.grant.output, _LEAST_EXTENSION)
        self._refused = False
        self._not_before = 0.0  # on the monotonic clock: the next try, where the database was away

    @property
    def limit(self) -> int | None:
        """What must stand in the request, in tokens of one choice; None where nothing counts, or nothing can be put in.

        Raises RequestNotPossible for what cannot be held to any.
        """
        if self._unbounded:
            raise RequestNotPossible(f"A quota of tokens or cost does not allow this request. {self._unbounded}")
        return self._limit

    async def keep_up(self, execution: Execution) -> None:
        """Reserves more for an answer that may have run past its reservation.

        It is asked for as soon as the output's upper bound is past that, and the answer goes on without it until the
        estimate is; where the vendor was told of a limit, only then. Raises QuotaSpent then, and NotAuthenticated for a
        caller whose credential was revoked.
        """
        past = execution.likely_output if self._refused or self._is_told else execution.most_output
        if past <= self._hold.grant.output or time.monotonic() < self._not_before:
            return
        try:
            granted = await ledger.extend(self._hold, self._step)
        except StorageUnavailable as error:
            # What runs may finish, and not wait at each of its pieces; it is recorded when the database is back.
            self._not_before = time.monotonic() + error.retry_after
            return
        self._refused = not granted
        if not granted and execution.likely_output > self._hold.grant.output:
            raise QuotaSpent
