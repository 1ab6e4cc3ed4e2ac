"""How calls are closed: each once, its reservation replaced by what it took.

A call that was closed as lost, because its process seemed dead, can be corrected by that process when it wakes: then
the difference is charged, never the whole a second time.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.backends.utils import CursorWrapper
from django.utils import timezone

from accounts.calls import AttemptRecord, Settlement
from accounts.consumption import CONSUMED, Consumption
from accounts.counters import Counters
from accounts.deciding import reserved_amount
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
        key: StandingCall(state, json.loads(holds) if holds else (), *reserved)
        for key, (state, holds, *reserved) in _lock_calls(cursor, keys).items()
    }


def close(
    cursor: CursorWrapper, settlements: Sequence[Settlement], calls: Mapping[UUID, StandingCall], counters: Counters
) -> None:
    """Closes calls, of those that `standing_calls` found. `counters` has theirs, and is not saved here."""
    closed: list[tuple[Any, ...]] = []
    attempts: list[tuple[Any, ...]] = []
    for settlement in settlements:
        call = calls.get(settlement.call_id)
        if call is None or (call.state != CallState.OPEN and not _corrects(call, settlement)):
            continue
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
    was_open = call.state == CallState.OPEN
    for row, unit in counters.held(call.holds):
        reserved = reserved_amount(unit, call.tokens, call.reserved_cost or 0)
        taken = reserved_amount(unit, used, cost) if _is_charged(unit, settlement) else 0
        if was_open:
            row.release(reserved, taken)
        elif unit != Unit.CONCURRENCY:
            row.release(0, taken - reserved)
    if settlement.state == CallState.LOST:
        return False
    return used > call.tokens or (call.reserved_cost is not None and cost > call.reserved_cost)


def _is_charged(unit: str, settlement: Settlement) -> bool:
    """Calls at the same time are not used up, and a call that no vendor was asked for is no request."""
    return unit != Unit.CONCURRENCY and (unit != Unit.REQUESTS or settlement.counts)


def lost(call_id: UUID, call: StandingCall) -> Settlement:
    """The end of a call whose process died: it is charged its reservation."""
    consumption = Consumption(call.reserved_input, call.reserved_output, estimated=True)
    cost = None if call.reserved_cost is None else from_units(call.reserved_cost)
    return Settlement(call_id, CallState.LOST, consumption, (), timezone.now(), cost)


def _closing_row(settlement: Settlement, exceeded: bool) -> tuple[Any, ...]:
    consumed = (*settlement.consumption.columns(), settlement.cost)
    return (settlement.state.value, *consumed, exceeded, settlement.closed_at, settlement.call_id)


def _attempt_row(call_id: UUID, position: int, record: AttemptRecord) -> tuple[Any, ...]:
    what = (record.provider, record.model[:200], record.key_hint, record.state.value, record.status)
    consumed = (*record.consumption.columns(), record.cost)
    return (call_id, position, *what, *consumed, record.first_byte_ms, record.duration_ms)
