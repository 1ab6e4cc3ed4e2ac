"""Calls as the ledger leaves them, for tests of what is summed up."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from accounts.calls import new_call_id
from accounts.models import Attempt, Call, CallState, User

TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def days_ago(days: int, **after: int) -> datetime:
    """A moment on that day, so long after its midnight."""
    return TODAY - timedelta(days=days) + timedelta(**after)


def spend(user: User, opened_at: datetime, cost: str | None = "0.1", **values: Any) -> Call:
    """A call that was opened then. It is closed, unless its state says otherwise, and has one attempt."""
    given: dict[str, Any] = {
        "provider": "vendor",
        "model": "small",
        "input_tokens": 10,
        "output_tokens": 5,
        "state": CallState.DONE,
        **values,
    }
    is_open = given["state"] == CallState.OPEN
    call = Call.objects.create(
        pk=new_call_id(),
        request_id="request",
        user=user,
        surface="generate",
        opened_at=opened_at,
        closed_at=None if is_open else opened_at + timedelta(seconds=1),
        cost=None if cost is None else Decimal(cost),
        **given,
    )
    if not is_open:
        Attempt.objects.create(call=call, position=0, provider="vendor", state=given["state"], duration_ms=5)
    return call
