"""Short words for tests of quotas: who calls, what may be used, and what stands at the counters."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection

from accounts import ledger
from accounts.calls import Settlement
from accounts.consumption import Consumption
from accounts.errors import QuotaExceeded, Refusal
from accounts.ledger import Admission, Bound, Hold
from accounts.models import ApiToken, Call, CallState, Counter, Quota, Unit, User, Window
from accounts.prices import from_units
from accounts.principal import Principal

NOON = datetime(2031, 5, 14, 12, 0, 30, tzinfo=UTC)  # a Wednesday, half a minute after the hour
_PATIENCE = 20.0  # seconds


class Clock:
    """Stands where the ledger reads the time."""

    def __init__(self, moment: datetime = NOON) -> None:
        self.moment = moment

    def now(self) -> datetime:
        return self.moment

    def move(self, **by: float) -> None:
        self.moment += timedelta(**by)

    @contextmanager
    def set_everywhere(self) -> Iterator["Clock"]:
        """While it lasts, the ledger goes by this clock."""
        with pytest.MonkeyPatch.context() as patch:
            for module in ("ledger", "leases", "closing"):
                patch.setattr(f"accounts.{module}.timezone", self)
            yield self


@dataclass
class Caller:
    """Somebody who calls, with a token or signed in."""

    user: User
    token: ApiToken | None = None

    @classmethod
    def named(cls, name: str) -> "Caller":
        user = User.objects.create_user(name)
        return cls(user, ApiToken.objects.issue(user, name)[0])

    def asks(self, provider: str = "vendor", **bound: Any) -> Admission:
        """A call that may take this much: see Bound."""
        token_id = self.token.pk if self.token else None
        principal = Principal(self.user.pk, self.user.username, is_staff=False, token_id=token_id)
        return Admission(principal, "request-1", "generate", provider, "model-1", streamed=True, bound=Bound(**bound))


def limit(
    amount: int | str, unit: Unit = Unit.REQUESTS, window: Window = Window.TOTAL, provider: str = "", **more: Any
) -> Quota:
    """A quota; for everybody, unless it is told of a user, group or token."""
    return Quota.objects.create(limit=Decimal(amount), unit=unit, window=window, provider=provider, **more)


def admit(*admissions: Admission) -> list[Hold | BaseException]:
    """What becomes of those who ask at the same time, in the order given."""

    async def side_by_side() -> list[Hold | BaseException]:
        return await asyncio.gather(*map(ledger.admit, admissions), return_exceptions=True)

    return asyncio.run(asyncio.wait_for(side_by_side(), _PATIENCE))


def opened(admission: Admission) -> Hold:
    """The hold of a call that must be let in."""
    (hold,) = admit(admission)
    assert isinstance(hold, Hold), hold
    return hold


def refused(admission: Admission) -> Refusal:
    """Why a call is not let in, which must be for want of quota."""
    (error,) = admit(admission)
    assert isinstance(error, QuotaExceeded), error
    return error.refusal


def let_in(*admissions: Admission) -> int:
    """How many of those are let in; the others must be refused for want of quota."""
    results = admit(*admissions)
    assert all(isinstance(result, Hold | QuotaExceeded) for result in results), results
    return sum(isinstance(result, Hold) for result in results)


def extended(hold: Hold, output: int) -> int:
    """How much more output a call is given of what it asks for."""
    return asyncio.run(asyncio.wait_for(ledger.extend(hold, output), _PATIENCE))


def settle(
    hold: Hold, tokens: tuple[int, int] = (0, 0), cost: str | None = None, state: CallState = CallState.DONE
) -> None:
    """Settles with tokens of input and output, and waits until it is written."""
    ledger.settle(hold, state, Consumption(*tokens), (), None if cost is None else Decimal(cost))
    written()


def written() -> None:
    """Waits until all is written that was handed to the ledger."""

    async def nothing() -> None:
        settlement = Settlement(uuid4(), CallState.DONE, Consumption(), (), datetime.now(UTC))
        await ledger.writer.write(settlement)  # of no call; what was posted comes before it

    asyncio.run(asyncio.wait_for(nothing(), _PATIENCE))


def call_of(hold: Hold) -> Call:
    return Call.objects.get(pk=hold.call_id)


def standing(unit: Unit = Unit.REQUESTS, scope: str | None = None, provider: str = "") -> tuple[float, float]:
    """What is used and reserved at the one counter of this kind; a cost in the currency."""
    rows = Counter.objects.filter(unit=unit, provider=provider)
    row = rows.get() if scope is None else rows.get(scope=scope)
    if unit == Unit.COST:
        return float(from_units(row.used)), float(from_units(row.reserved))
    return row.used, row.reserved


def over() -> None:
    """Ends the ledger's threads, which have connections to the test's database."""
    ledger.stop()
    connection.close()
