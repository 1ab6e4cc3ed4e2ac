"""Answers that are kept: which of them are there, and for how long."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from providers import kept
from providers.models.kept import KeptAnswer, KeptState

WHOLE = kept.Answer(KeptState.WHOLE, 200, [("content-type", "text/plain")], b"said")


@pytest.fixture
def call_id(transactional_db: None) -> UUID:
    return uuid4()


def state_of(call_id: UUID, user_id: int = 1) -> str | None:
    found = kept.find(call_id, user_id)
    return None if found is None else found.state


def test_an_answer_is_coming_until_it_is_there(call_id: UUID) -> None:
    kept._announce(call_id, 1)
    assert state_of(call_id) == KeptState.COMING
    kept._keep(call_id, 1, WHOLE)
    assert state_of(call_id) == KeptState.WHOLE
    kept._announce(call_id, 1)
    assert state_of(call_id) == KeptState.WHOLE, "what is told late takes nothing back"
    assert state_of(call_id, user_id=2) is None


def test_what_is_announced_is_not_forgotten_when_the_call_is_closed(call_id: UUID) -> None:
    """Between the settlement and the writing of the answer, whoever asks must still be told to wait."""
    user = User.objects.create_user("u")
    kept._announce(call_id, user.pk)
    client = Client()
    client.force_login(user)
    assert client.get(f"/api/calls/{call_id}/answer").status_code == 409


def test_the_time_of_an_answer_ends(call_id: UUID) -> None:
    kept._keep(call_id, 1, WHOLE)
    KeptAnswer.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert state_of(call_id) is None
    other = uuid4()
    kept._keep(other, 1, WHOLE)
    assert [row.call_id for row in KeptAnswer.objects.all()] == [other], "whoever writes takes away what is over"
    assert kept.remove_expired() == 0
    KeptAnswer.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert kept.remove_expired() == 1


def test_an_answer_is_announced_for_no_longer_than_it_can_come(call_id: UUID) -> None:
    """When its process dies, nobody is to wait for it for an hour."""
    kept._announce(call_id, 1)
    row = KeptAnswer.objects.get()
    assert timedelta(minutes=2) < row.expires_at - timezone.now() < timedelta(minutes=5)
    kept._keep(call_id, 1, WHOLE)
    row.refresh_from_db()
    assert timedelta(minutes=59) < row.expires_at - timezone.now() <= kept.KEPT_FOR
