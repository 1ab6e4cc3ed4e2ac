"""How calls are closed: each once, its reservation replaced by what it took.

A call that was closed as lost, because its process seemed dead, can be corrected by that process when it wakes: then
the difference is charged, never the whole a second time.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import orjson
from django.db.backends.utils import CursorWrapper
from django.utils import timezone

from accounts.calls import AttemptRecord, Settlement
from accounts.consumption import CONSUMED, Consumption
from accounts.counters import Counters
from accounts.deciding import amounts_of
from accounts.models import Attempt, Call, CallState, Unit
from accounts.prices import from_units, to_units
from storage.rows import RowInsert, RowLock, RowUpdate

_lock_calls = RowLock(
    Call,
    ["id", "state", "holds", "reserved_input", "reserved_output", "reserved_cost"],
    f"state IN ('{CallState.OPEN}', '{CallState.LOST}')",
)
_close_calls = RowUpdate(Call, ["state", *CONSUMED, "cost", "exceeded", "closed_at", "id"])
_insert_attempts = RowInsert(
    Attempt,
    [
        "call_id",
        "position",
        "provider",
        "model",
        "key_hint",
        "state",
        "status",
        *CONSUMED,
        "cost",
        "first_byte_ms",
        "duration_ms",
    ],
)


@dataclass(slots=True)
class StandingCall:
    """A call that can be closed, as its row says. Tokens; the cost in 10⁻¹⁰ of the currency."""

    state: str
    holds: Sequence[tuple[int, str, int]]
    reserved_input: int
    reserved_output: int
    reserved_cost: int | None

    @property
    def tokens(self) -> int:
        return self.reserved_input + self.reserved_output


def standing_calls(cursor: CursorWrapper, keys: Collection[UUID]) -> dict[UUID, StandingCall]:
    """Those of the calls that can be closed, locked."""
    if not keys:
        return {}
    return {
        key: StandingCall(state, orjson.loads(holds) if holds else (), *reserved)
        for key, (state, holds, *reserved) in _lock_calls(cursor, keys).items()
    }


def close(
    cursor: CursorWrapper, settlements: Sequence[Settlement], calls: Mapping[UUID, StandingCall], counters: Counters
) -> None:
    """Closes calls, of those that `standing_calls` found. `counters` has theirs, and is not saved here."""
    closed: list[tuple[Any, ...]] = []
    attempts: list[tuple[Any, ...]] = []
    for told in settlements:
        call = calls.get(told.call_id)
        if call is None or (call.state != CallState.OPEN and not _corrects(call, told)):
            continue
        settlement = _with_reservation(told, call) if told.at_reservation else told
        exceeded = _charge(settlement, call, counters)
        call.state = settlement.state.value
        closed.append(_closing_row(settlement, exceeded))
        attempts += [_attempt_row(settlement.call_id, place, one) for place, one in enumerate(settlement.attempts)]
    _close_calls(cursor, closed)
    _insert_attempts(cursor, attempts)


def _corrects(call: StandingCall, settlement: Settlement) -> bool:
    return call.state == CallState.LOST and settlement.state != CallState.LOST


def _charge(settlement: Settlement, call: StandingCall, counters: Counters) -> bool:
    """Puts what was used in the place of what was reserved, or was charged as lost. Returns whether it was more."""
    used = settlement.consumption.input + settlement.consumption.output
    # Where nobody can say what it cost, and a price was known to reserve with, that is what is charged.
    cost = (call.reserved_cost or 0) if settlement.cost is None else to_units(settlement.cost)
    reserved = amounts_of(call.tokens, call.reserved_cost or 0)
    # Calls at the same time are not used up, and a call that no vendor was asked for is no request.
    taken = amounts_of(used, cost, requests=int(settlement.counts), concurrency=0)
    was_open = call.state == CallState.OPEN
    for row, unit in counters.held(call.holds):
        if was_open:
            row.release(reserved[unit], taken[unit])
        elif unit != Unit.CONCURRENCY:
            row.release(0, taken[unit] - reserved[unit])
    if settlement.state == CallState.LOST:
        return False
    return used > call.tokens or (call.reserved_cost is not None and cost > call.reserved_cost)


def lost(call_id: UUID) -> Settlement:
    """The end of a call whose process died."""
    return Settlement(call_id, CallState.LOST, Consumption(), (), timezone.now(), at_reservation=True)


def _with_reservation(settlement: Settlement, call: StandingCall) -> Settlement:
    consumption = Consumption(call.reserved_input, call.reserved_output, estimated=True)
    cost = None if call.reserved_cost is None else from_units(call.reserved_cost)
    return replace(settlement, consumption=consumption, cost=cost)


def plain_name(model: str) -> str:
    """A model's name as it is written down: PostgreSQL has no NUL in its texts."""
    return model.replace("\0", "")[:200]


def _closing_row(settlement: Settlement, exceeded: bool) -> tuple[Any, ...]:
    consumed = (*settlement.consumption.columns(), settlement.cost)
    return (settlement.state.value, *consumed, exceeded, settlement.closed_at, settlement.call_id)


def _attempt_row(call_id: UUID, position: int, record: AttemptRecord) -> tuple[Any, ...]:
    what = (record.provider, plain_name(record.model), record.key_hint, record.state.value, record.status)
    consumed = (*record.consumption.columns(), record.cost)
    return (call_id, position, *what, *consumed, record.first_byte_ms, record.duration_ms)
