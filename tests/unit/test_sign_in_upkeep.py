"""Sessions and sign-ins that ended are deleted, and no others."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from accounts import upkeep
from accounts.models import SignIn, SignInKind, User
from accounts.models.sign_in import Session


def sign_in(user: User, kind: SignInKind, days: int, *, session_days: int | None = None, ended: bool = False) -> int:
    """One that ends in so many days, with a session that does."""
    now = timezone.now()
    made = SignIn.objects.create(
        user=user, kind=kind, expires_at=now + timedelta(days=days), ended_at=now if ended else None
    )
    if session_days is not None:
        Session(
            session_key=f"{made.pk}",
            session_data="",
            expire_date=now + timedelta(days=session_days),
            sign_in=made,
        ).save(force_insert=True)
    return made.pk


def test_what_ended_is_deleted(transactional_db: None, capsys: pytest.CaptureFixture[str]) -> None:
    user = User.objects.create_user("reader")
    browser, program = SignInKind.SESSION, SignInKind.JWT
    going_on = sign_in(user, browser, 14, session_days=14)
    run_out = sign_in(user, browser, -1, session_days=-1)
    ended = sign_in(user, browser, 14, session_days=14, ended=True)
    sign_in(user, browser, -31, session_days=-31)
    sign_in(user, program, -31)
    recent = sign_in(user, program, -29)
    Session(session_key="nobody", session_data="", expire_date=timezone.now() + timedelta(days=1)).save()
    call_command("maintain")
    assert "5 sessions and sign-ins that ended" in capsys.readouterr().out
    left = set(Session._base_manager.values_list("session_key", flat=True))
    assert left == {f"{going_on}", "nobody"}
    assert set(SignIn.objects.values_list("pk", flat=True)) == {going_on, run_out, ended, recent}
    assert upkeep.run_once().sign_ins == 0
