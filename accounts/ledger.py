"""The account of every call: admit → Hold → settle.

Admission and settlement are handed to the process's one writer, which commits them in groups. A call waits for its
admission. Nobody waits for a settlement; while the database is away it is kept and tried again.
"""

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.utils import timezone

from accounts.errors import NotAuthenticated
from accounts.models import ApiToken, Attempt, Call, CallState, User
from accounts.principal import Principal
from storage.writer import GroupWriter


@dataclass(frozen=True, slots=True)
class Tokens:
    """How much went in and came out. `estimated`: counted by us, not by the vendor."""

    input: int = 0
    output: int = 0
    estimated: bool = False


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
    tokens: Tokens
    first_byte_ms: int | None
    duration_ms: int


@dataclass(frozen=True, slots=True)
class Settlement:
    """How a call ended."""

    call_id: UUID
    state: CallState
    tokens: Tokens
    attempts: tuple[AttemptRecord, ...]
    closed_at: datetime


def new_call_id() -> UUID:
    """A UUID of version 7 (RFC 9562): ordered by time, so that rows are inserted at the end of the index."""
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10), "big")
    value = (milliseconds << 80) | random
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
        # Shielded, so that a cancelled caller still learns whether the call was opened.
        await asyncio.shield(waiter)
    except asyncio.CancelledError:
        waiter.add_done_callback(lambda done: _close_unwanted(done, hold))
        raise
    return hold


def settle(hold: Hold, state: CallState, tokens: Tokens, attempts: Sequence[AttemptRecord]) -> None:
    """Closes a call. Settling one a second time changes nothing."""
    writer.post(Settlement(hold.call_id, state, tokens, tuple(attempts), timezone.now()))


def _close_unwanted(admitted: "asyncio.Future[None]", hold: Hold) -> None:
    if not admitted.cancelled() and admitted.exception() is None:
        settle(hold, CallState.CLIENT_GONE, Tokens(), ())


def _apply(items: Sequence[Hold | Settlement]) -> Sequence[Exception | None]:
    """Writes a group. Admissions first: a settlement never arrives before its own admission was committed."""
    holds = [item for item in items if isinstance(item, Hold)]
    refused = _refused(holds)
    Call.objects.bulk_create(_call(hold) for hold in holds if hold.call_id not in refused)
    closed = [item for item in items if isinstance(item, Settlement) and _close(item)]
    Attempt.objects.bulk_create(
        _attempt(settlement, position, record)
        for settlement in closed
        for position, record in enumerate(settlement.attempts)
    )
    return [refused.get(item.call_id) for item in items]


def _refused(holds: Sequence[Hold]) -> dict[UUID, Exception]:
    """Which of these may not be opened: the last word on revocation, in the admission's own transaction."""
    principals = {hold.admission.principal for hold in holds}
    token_ids = {p.token_id for p in principals if p.token_id is not None}
    usable_tokens = (
        set(ApiToken.objects.usable().filter(pk__in=token_ids).values_list("pk", flat=True)) if token_ids else set()
    )
    user_ids = {p.user_id for p in principals if p.token_id is None}
    usable_users = (
        set(User.objects.filter(pk__in=user_ids, is_active=True).values_list("pk", flat=True)) if user_ids else set()
    )
    return {
        hold.call_id: NotAuthenticated("This credential was revoked.")
        for hold in holds
        if (
            hold.admission.principal.user_id not in usable_users
            if hold.admission.principal.token_id is None
            else hold.admission.principal.token_id not in usable_tokens
        )
    }


def _call(hold: Hold) -> Call:
    admission = hold.admission
    return Call(
        id=hold.call_id,
        request_id=admission.request_id,
        user_id=admission.principal.user_id,
        token_id=admission.principal.token_id,
        surface=admission.surface,
        provider=admission.provider,
        model=admission.model[:200],
        streamed=admission.streamed,
        opened_at=hold.opened_at,
    )


def _close(settlement: Settlement) -> bool:
    """Closes the row if it is open; False when another has closed it."""
    return bool(
        Call.objects.filter(pk=settlement.call_id, state=CallState.OPEN).update(
            state=settlement.state,
            input_tokens=settlement.tokens.input,
            output_tokens=settlement.tokens.output,
            estimated=settlement.tokens.estimated,
            closed_at=settlement.closed_at,
        )
    )


def _attempt(settlement: Settlement, position: int, record: AttemptRecord) -> Attempt:
    return Attempt(
        call_id=settlement.call_id,
        position=position,
        provider=record.provider,
        model=record.model[:200],
        key_hint=record.key_hint,
        state=record.state,
        status=record.status,
        input_tokens=record.tokens.input,
        output_tokens=record.tokens.output,
        estimated=record.tokens.estimated,
        first_byte_ms=record.first_byte_ms,
        duration_ms=record.duration_ms,
    )


writer: GroupWriter[Hold | Settlement, None] = GroupWriter("ledger-writer", _apply)
