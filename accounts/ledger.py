"""The account of every call: admit → Hold → settle.

Admission and settlement are handed to the process's one writer, which commits them in groups. A call waits for its
admission. Nobody waits for a settlement; while the database is away it is kept and tried again.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from random import getrandbits  # no secret; and seeded anew in a process that was forked
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.utils import timezone

from accounts.consumption import CONSUMED, Consumption
from accounts.errors import NotAuthenticated
from accounts.models import Attempt, Call, CallState
from accounts.principal import Principal
from storage.rows import RowInsert, RowUpdate
from storage.writer import GroupWriter


@dataclass(frozen=True, slots=True)
class Admission:
    """A call that asks to be let in."""

    principal: Principal
    request_id: str
    surface: str
    provider: str
    model: str
    streamed: bool


@dataclass(frozen=True, slots=True)
class Hold:
    """An admitted call, open until it is settled."""

    call_id: UUID
    admission: Admission
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """What became of one execution at a vendor. Durations are in milliseconds."""

    provider: str
    model: str
    key_hint: str
    state: CallState
    status: int | None
    consumption: Consumption
    first_byte_ms: int | None
    duration_ms: int


@dataclass(frozen=True, slots=True)
class Settlement:
    """How a call ended."""

    call_id: UUID
    state: CallState
    consumption: Consumption
    attempts: tuple[AttemptRecord, ...]
    closed_at: datetime


def new_call_id() -> UUID:
    """A UUID of version 7 (RFC 9562): ordered by time, so that rows are inserted at the end of the index."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds << 80) | getrandbits(80)
    value = value & ~(0xF << 76) | (0x7 << 76)
    return UUID(int=value & ~(0x3 << 62) | (0x2 << 62))


async def admit(admission: Admission) -> Hold:
    """Opens a call, or raises why not.

    Raises NotAuthenticated when the token or its user was revoked since it was looked up, StorageUnavailable when the
    database is away. If the one who waits is cancelled, the call is closed again as soon as it is open.
    """
    hold = Hold(call_id=new_call_id(), admission=admission, opened_at=timezone.now())
    waiter = writer.write(hold)
    try:
        await waiter
    except asyncio.CancelledError:
        # Cancelled between the answer and the taking of it; an earlier cancel is the writer's to report.
        if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
            _close_unclaimed(hold)
        raise
    return hold


def settle(hold: Hold, state: CallState, consumption: Consumption, attempts: Sequence[AttemptRecord]) -> None:
    """Closes a call. Settling one a second time changes nothing."""
    writer.post(Settlement(hold.call_id, state, consumption, tuple(attempts), timezone.now()))


def _close_unclaimed(item: Hold | Settlement) -> None:
    """Closes a call whose caller was cancelled while it was opened."""
    if isinstance(item, Hold):
        settle(item, CallState.CLIENT_GONE, Consumption(), ())


def _apply(items: Sequence[Hold | Settlement]) -> Sequence[Exception | None]:
    """Writes a group, in the writer's transaction. A settlement never arrives before its admission was committed."""
    holds = [item for item in items if isinstance(item, Hold)]
    settlements = [item for item in items if isinstance(item, Settlement)]
    with connection.cursor() as cursor:
        refused = _refused(cursor, holds)
        _insert_calls(cursor, [_call_row(hold) for hold in holds if hold.call_id not in refused])
        closed = _close_calls(cursor, [_closing_row(settlement) for settlement in settlements])
        _insert_attempts(
            cursor,
            [
                _attempt_row(settlement.call_id, position, record)
                for settlement, was_open in zip(settlements, closed, strict=True)
                if was_open
                for position, record in enumerate(settlement.attempts)
            ],
        )
    return [refused.get(item.call_id) for item in items]


def _refused(cursor: CursorWrapper, holds: Sequence[Hold]) -> dict[UUID, Exception]:
    """Which of these may not be opened: the last word on revocation, in the admission's own transaction."""
    principals = {hold.admission.principal for hold in holds}
    tokens = _found(cursor, _USABLE_TOKENS, {p.token_id for p in principals if p.token_id is not None})
    users = _found(cursor, _USABLE_USERS, {p.user_id for p in principals if p.token_id is None})
    return {
        hold.call_id: NotAuthenticated("This credential was revoked.")
        for hold in holds
        if (who := hold.admission.principal).token_id not in tokens and (who.token_id or who.user_id not in users)
    }


def _found(cursor: CursorWrapper, statement: str, keys: set[int]) -> set[int]:
    if not keys:
        return set()
    cursor.execute(f"{statement} ({', '.join(['%s'] * len(keys))})", list(keys))
    return {row[0] for row in cursor.fetchall()}


# As ApiToken.objects.usable(), and active users. Written out: the ORM takes longer to build them than to run them.
_USABLE_TOKENS = (
    "SELECT t.id FROM accounts_apitoken t JOIN accounts_user u ON u.id = t.user_id"
    " WHERE u.is_active AND t.revoked_at IS NULL AND t.id IN"
)
_USABLE_USERS = "SELECT u.id FROM accounts_user u WHERE u.is_active AND u.id IN"
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
        "opened_at",
    ],
)
_close_calls = RowUpdate(Call, ["state", *CONSUMED, "closed_at", "id"], f"state = '{CallState.OPEN}'")
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
        "first_byte_ms",
        "duration_ms",
    ],
)


_NOTHING = Consumption().columns()


def _call_row(hold: Hold) -> tuple[Any, ...]:
    admission, principal = hold.admission, hold.admission.principal
    about = (admission.surface, admission.provider, admission.model[:200], admission.streamed)
    who = (admission.request_id, principal.user_id, principal.token_id)
    return (hold.call_id, *who, *about, CallState.OPEN.value, *_NOTHING, hold.opened_at)


def _closing_row(settlement: Settlement) -> tuple[Any, ...]:
    return (settlement.state.value, *settlement.consumption.columns(), settlement.closed_at, settlement.call_id)


def _attempt_row(call_id: UUID, position: int, record: AttemptRecord) -> tuple[Any, ...]:
    what = (record.provider, record.model[:200], record.key_hint, record.state.value, record.status)
    return (call_id, position, *what, *record.consumption.columns(), record.first_byte_ms, record.duration_ms)


writer: GroupWriter[Hold | Settlement, None] = GroupWriter("ledger-writer", _apply, _close_unclaimed)
