"""What is done now and then: days are summed up once, what is old is deleted after that, dead calls are closed."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from accounts import upkeep
from accounts.models import Attempt, Call, CallState, UsageDay, UsageRollup, User
from tests.unit.spent import TODAY, days_ago, spend


@pytest.fixture
def user(transactional_db: None) -> User:
    return User.objects.create_user("spender")


def summed_days() -> list[tuple[int, int]]:
    """How long ago each day was that has sums, and its calls."""
    return [((TODAY.date() - row.day).days, row.calls) for row in UsageDay.objects.order_by("day")]


def test_days_are_summed_up_once_and_not_before_two_have_passed(user: User) -> None:
    for day in (5, 5, 3, 2, 1, 0):
        spend(user, days_ago(day, hours=23))
    assert upkeep.is_due()
    assert upkeep.run_once().days == 4, "the one without calls too"
    assert summed_days() == [(5, 2), (3, 1), (2, 1)]
    assert not upkeep.is_due()
    assert upkeep.run_once().days == 0
    assert summed_days() == [(5, 2), (3, 1), (2, 1)]
    assert UsageRollup.objects.get().until == TODAY.date() - timedelta(days=1)


def test_a_day_with_an_open_call_waits_and_so_do_those_after_it(user: User) -> None:
    for day in (5, 4, 3):
        spend(user, days_ago(day, hours=1))
    held = spend(user, days_ago(4, hours=2), cost=None, state=CallState.OPEN)
    upkeep._roll_up()
    assert summed_days() == [(5, 1)]
    Call.objects.filter(pk=held.pk).update(state=CallState.DONE, closed_at=timezone.now())
    upkeep._roll_up()
    assert summed_days() == [(5, 1), (4, 2), (3, 1)]


def test_several_at_a_time_sum_up_each_day_once(user: User) -> None:
    for day in range(2, 12):
        spend(user, days_ago(day, hours=1))
    barrier = threading.Barrier(4)

    def run() -> None:
        barrier.wait()
        upkeep.run_once()
        connection.close()

    together([run] * 4)
    assert summed_days() == [(day, 1) for day in range(11, 1, -1)]


def together(functions: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)


def test_calls_are_kept_for_ever_unless_a_setting_says_how_long(user: User, settings: Settings) -> None:
    for day in (400, 31, 30, 0):
        spend(user, days_ago(day))
    assert upkeep.run_once().deleted == 0
    settings.GATEWAY_KEEP_CALLS_DAYS = 30
    assert upkeep.run_once().deleted == 2
    assert [call.opened_at for call in Call.objects.order_by("opened_at")] == [days_ago(30), days_ago(0)]
    assert Attempt.objects.count() == 2
    assert sum(calls for _, calls in summed_days()) == 3


def test_what_is_not_summed_up_is_not_deleted(user: User, settings: Settings) -> None:
    settings.GATEWAY_KEEP_CALLS_DAYS = 1
    for day in (4, 1, 0):
        spend(user, days_ago(day))
    spend(user, days_ago(3), cost=None, state=CallState.OPEN)
    assert upkeep._roll_up() == 1
    assert upkeep._delete_old() == 1
    assert Call.objects.count() == 3


def test_the_command_closes_what_dead_processes_left_open_and_says_so(
    user: User, capsys: pytest.CaptureFixture[str]
) -> None:
    spend(user, days_ago(3), cost=None, state=CallState.OPEN, reserved_input=7)
    spend(user, days_ago(0))
    call_command("maintain")
    told = capsys.readouterr().out
    assert told == (
        "Closed as lost: 1 calls. Summed up: 2 days. Deleted: 0 calls past the time that they are kept,"
        " 0 kept answers, 0 sessions and sign-ins that ended.\n"
    )
    lost = Call.objects.get(state=CallState.LOST)
    assert (lost.input_tokens, lost.estimated) == (7, True)
    assert summed_days() == [(3, 1)]
    call_command("maintain")
    assert "Closed as lost: 0 calls. Summed up: 0 days." in capsys.readouterr().out


def test_a_process_looks_for_itself_whether_something_is_due(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep.keeper, "_first", 0.01)
    spend(user, days_ago(3))
    upkeep.keeper.start()
    upkeep.keeper.start()
    deadline = time.monotonic() + 10
    while upkeep.is_due() and time.monotonic() < deadline:
        time.sleep(0.05)
    upkeep.keeper.end()
    assert summed_days() == [(3, 1)]
