"""The account of every call: admit → Hold → settle.

Admission and settlement are handed to the process's one writer, which commits them in groups. A call waits for its
admission. Nobody waits for a settlement; while the database is away it is kept and tried again.
"""

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.utils import timezone

from accounts import last_use, leases, upkeep
from accounts.calls import (
    Admission,
    AttemptRecord,
    Bound,
    Entry,
    Extension,
    Grant,
    Hold,
    Settlement,
    new_call_id,
)
from accounts.closing import StandingCall, close, plain_name, standing_calls
from accounts.consumption import CONSUMED, Consumption
from accounts.counters import CounterRow, Counters
from accounts.deciding import admitted, extended
from accounts.errors import CredentialChanged, QuotaExceeded, SettingsChanged
from accounts.models import Call, CallState
from accounts.revocation import standing_of
from accounts.rules import Caller, Rule, Rules
from storage.rows import RowInsert, RowUpdate
from storage.writer import GroupWriter

__all__ = ["Admission", "AttemptRecord", "Bound", "Grant", "Hold", "admit", "extend", "new_call_id", "settle", "writer"]


async def admit(admission: Admission) -> Hold:
    """Opens a call and reserves what it may take, or raises why not.

    Raises NotAuthenticated when the credential or its user was revoked since it was looked up, CredentialChanged when
    it must be looked up again, SettingsChanged when the call was decided on by settings that have changed,
    QuotaExceeded when a quota has no room for it, StorageUnavailable when the database is away. If the one who waits
    is cancelled, the call is closed again as soon as it is open.
    """
    start()
    hold = Hold(new_call_id(), admission, timezone.now())
    waiter = writer.write(hold)
    try:
        await waiter
    except asyncio.CancelledError:
        # Cancelled between the answer and the taking of it; an earlier cancel is the writer's to report.
        if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
            _close_unclaimed(hold)
        raise
    return hold


async def extend(hold: Hold, output: int) -> int:
    """Reserves more output for a call that runs past what it was given. Returns how much, in tokens; 0 for none.

    Raises NotAuthenticated when its credential was revoked, StorageUnavailable when the database is away.
    """
    extension = Extension(hold, output, timezone.now())
    await writer.write(extension)
    hold.grant.output += extension.granted
    return extension.granted


def settle(
    hold: Hold,
    state: CallState,
    consumption: Consumption,
    attempts: Sequence[AttemptRecord],
    cost: Decimal | None = None,
) -> None:
    """Closes a call. Settling one a second time changes nothing.

    Parameters: cost, in the currency of the prices; None where it is not known.
    """
    counts = state is not CallState.REFUSED
    writer.post(Settlement(hold.call_id, state, consumption, tuple(attempts), timezone.now(), cost, counts))


def _close_unclaimed(item: Entry) -> None:
    """Closes a call whose caller was cancelled while it was opened, or never learned that it was."""
    if isinstance(item, Hold):
        nothing = (Consumption(), (), timezone.now(), Decimal(0), False)
        writer.post(Settlement(item.call_id, CallState.CLIENT_GONE, *nothing))


def start() -> None:
    """Begins what goes on beside the calls: the renewal of the lease, and the upkeep. Harmless the second time."""
    leases.keep()
    upkeep.keeper.start()
    last_use.keeper.start()


def stop() -> None:
    """Writes what is left, and lets go of the lease. To be called when nothing is under way any more."""
    writer.stop()
    leases.end()
    upkeep.keeper.end()
    last_use.keeper.end()


def _at_reservation(item: Entry) -> Entry | None:
    """What is written in place of a settlement that no database takes: the end, and what the call had reserved."""
    if not isinstance(item, Settlement) or item.at_reservation:
        return None
    return Settlement(item.call_id, item.state, Consumption(), (), item.closed_at, at_reservation=True)


_rules = Rules()  # used by the writer's thread only


def _apply(items: Sequence[Entry]) -> Sequence[Exception | None]:
    """Writes a group, in the writer's transaction. A settlement never arrives before its admission was committed.

    Settlements come first: what they give back is there for those who ask in the same group. Rows of calls are locked
    before counters, everywhere, so that no two processes wait for each other.
    """
    asking = [item for item in items if not isinstance(item, Settlement)]
    settlements = [item for item in items if isinstance(item, Settlement)]
    with connection.cursor() as cursor:
        refused, quotas = _not_as_looked_up(cursor, asking)
        if refused:
            asking = [item for item in asking if id(item) not in refused]
        rules = _rules.of(quotas, {_caller(item) for item in asking}) if asking else {}
        closing = {one.call_id for one in settlements}
        calls = standing_calls(cursor, closing | {one.hold.call_id for one in asking if isinstance(one, Extension)})
        asked = {(_caller(item), _asks(item).provider) for item in asking}
        keys = {rule.key for caller, provider in asked for rule in rules[caller] if rule.applies_to(provider)}
        counters = Counters(cursor, keys, {hold[0] for call in calls.values() for hold in call.holds})
        close(cursor, settlements, calls, counters)
        refused |= _let_in(cursor, asking, rules, calls, counters)
        counters.save()
    return [refused.get(id(item)) for item in items]


def _let_in(
    cursor: CursorWrapper,
    asking: Sequence[Hold | Extension],
    rules: Mapping[Caller, Sequence[Rule]],
    calls: Mapping[UUID, StandingCall],
    counters: Counters,
) -> dict[int, Exception]:
    """Decides in the order of arrival, and writes the rows of those that are let in. Returns the others' errors."""
    refused: dict[int, Exception] = {}
    opened: list[tuple[Any, ...]] = []
    longer: list[tuple[Any, ...]] = []
    for item in asking:
        mine = rules[_caller(item)]
        if isinstance(item, Hold):
            try:
                opened.append(_call_row(item, admitted(item, mine, counters)))
            except QuotaExceeded as error:
                refused[id(item)] = error
        elif (call := calls.get(item.hold.call_id)) is not None and call.state == CallState.OPEN:
            # By the row, not by the hold: that knows nothing of an extension whose caller was cancelled.
            call.holds = extended(item, call.reserved_output, call.holds, mine, counters)
            call.reserved_output += item.granted
            cost = _reserved_cost(item.hold, call.reserved_output)
            longer.append((call.reserved_output, cost, orjson.dumps(call.holds).decode(), item.hold.call_id))
    _insert_calls(cursor, opened)
    _lengthen_calls(cursor, longer)
    return refused


def _not_as_looked_up(cursor: CursorWrapper, asking: Sequence[Hold | Extension]) -> tuple[dict[int, Exception], int]:
    """Which of these rest on what has changed since: the last word on revocation, in the admission's own transaction.

    Also the number of the quotas' revision, which the same queries tell.
    """
    standing = standing_of(cursor, [_asks(item).principal for item in asking])
    refused: dict[int, Exception] = {}
    for item in asking:
        error = standing.flaw(_asks(item).principal)
        if error is None and isinstance(item, Hold) and item.admission.settings not in (None, standing.providers):
            error = SettingsChanged()
        if error is not None and not (isinstance(item, Extension) and isinstance(error, CredentialChanged)):
            refused[id(item)] = error
    return refused, standing.quotas


def _asks(item: Hold | Extension) -> Admission:
    return item.admission if isinstance(item, Hold) else item.hold.admission


def _caller(item: Hold | Extension) -> Caller:
    principal = _asks(item).principal
    return principal.user_id, principal.token_id


_insert_calls = RowInsert(
    Call,
    [
        "id",
        "request_id",
        "user_id",
        "token_id",
        "surface",
        "provider",
        "model",
        "streamed",
        "state",
        *CONSUMED,
        "lease",
        "reserved_input",
        "reserved_output",
        "reserved_cost",
        "holds",
        "opened_at",
    ],
)
_lengthen_calls = RowUpdate(Call, ["reserved_output", "reserved_cost", "holds", "id"])
_NOTHING = Consumption().columns()


def _call_row(hold: Hold, rows: Sequence[CounterRow]) -> tuple[Any, ...]:
    admission, principal = hold.admission, hold.admission.principal
    about = (admission.surface, admission.provider, plain_name(admission.model), admission.streamed)
    who = (admission.request_id, principal.user_id, principal.token_id)
    holds = orjson.dumps([(row.id, row.key.unit, row.starts_at) for row in rows]).decode() if rows else ""
    reserved = (leases.own(), admission.bound.input, hold.grant.output, _reserved_cost(hold, hold.grant.output), holds)
    return (hold.call_id, *who, *about, CallState.OPEN.value, *_NOTHING, *reserved, hold.opened_at)


def _reserved_cost(hold: Hold, output: int) -> int | None:
    bound = hold.admission.bound
    return None if bound.base_cost is None else bound.cost(output)


writer: GroupWriter[Entry, None] = GroupWriter("ledger-writer", _apply, _close_unclaimed, _at_reservation)
