"""Answers that are kept for clients who left before the end, for the providers that are set so.

What is kept is what the client would have got: status, headers and body, in the words of the path that was asked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from providers.models.kept import KeptAnswer, KeptState
from storage import reads

LARGEST_BODY = 8 * 1024 * 1024  # bytes
KEPT_FOR = timedelta(hours=1)
# How long an answer may be said to be coming: past the time that it is read on, its process has died.
_COMING_FOR = timedelta(minutes=3)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a call without its client: a status, headers and a body, if the state is `whole`."""

    state: KeptState
    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes


async def announce(call_id: UUID, user_id: int) -> None:
    """Notes that an answer is still being read, so that who asks for it now is told to wait. Raises StorageUnavailable.

    Says nothing where the answer is there already.
    """
    await reads.read(_announce, call_id, user_id)


async def keep(call_id: UUID, user_id: int, answer: Answer) -> None:
    """Keeps an answer for KEPT_FOR, or the reason why there is none. Raises StorageUnavailable."""
    await reads.read(_keep, call_id, user_id, answer)


def find(call_id: UUID, user_id: int) -> KeptAnswer | None:
    """What is kept of a user's call, if anything is and its time is not over."""
    return KeptAnswer.objects.filter(call_id=call_id, user_id=user_id, expires_at__gt=timezone.now()).first()


def remove_expired() -> int:
    """Deletes the answers whose time is over; returns how many there were."""
    return KeptAnswer.objects.filter(expires_at__lte=timezone.now()).delete()[0]


def _announce(call_id: UUID, user_id: int) -> None:
    coming = {"user_id": user_id, "state": KeptState.COMING, "expires_at": timezone.now() + _COMING_FOR}
    KeptAnswer.objects.get_or_create(call_id=call_id, defaults=coming)


def _keep(call_id: UUID, user_id: int, answer: Answer) -> None:
    remove_expired()
    values: dict[str, Any] = {"user_id": user_id, "state": answer.state, "expires_at": timezone.now() + KEPT_FOR}
    if answer.state == KeptState.WHOLE:
        values |= {"status": answer.status, "headers": list(answer.headers), "body": answer.body}
    KeptAnswer.objects.update_or_create(call_id=call_id, defaults=values)
