"""What an administrator changes holds at the very next admission."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Group

from accounts.models import Call, CallState, Counter, Quota, Unit, User, Window
from storage.revisions import QUOTAS, number_of
from tests.unit.admitting import Caller, Clock, let_in, limit, opened, refused, settle, standing


def subject_of(caller: Caller, kind: str) -> dict[str, Any]:
    """Whom a quota is for that holds for this caller."""
    group, _ = Group.objects.get_or_create(name="team")
    caller.user.groups.add(group)
    subjects: dict[str, dict[str, Any]] = {
        "everybody": {},
        "user": {"user": caller.user},
        "group": {"group": group},
        "token": {"token": caller.token},
    }
    return subjects[kind]


def change(quota: Quota, amount: int) -> None:
    quota.limit = Decimal(amount)
    quota.save()


@pytest.mark.parametrize("subject", ["everybody", "user", "group", "token"])
def test_raised_and_lowered(caller: Caller, subject: str) -> None:
    opened(caller.asks())
    quota = limit(3, **subject_of(caller, subject))
    assert let_in(*[caller.asks()] * 4) == 3
    change(quota, 5)
    assert let_in(*[caller.asks()] * 4) == 2
    change(quota, 2)
    why = refused(caller.asks())
    assert (int(why.limit), int(why.reserved)) == (2, 5)
    change(quota, 6)
    assert let_in(*[caller.asks()] * 4) == 1


def test_what_ran_before_a_quota_is_not_counted_by_it(caller: Caller) -> None:
    before = opened(caller.asks(input=50))
    limit(60, Unit.TOKENS)
    limit(1, Unit.CONCURRENCY)
    opened(caller.asks(input=20))
    settle(before, (50, 0))
    assert (standing(Unit.TOKENS), standing(Unit.CONCURRENCY)) == ((0, 20), (0, 1))


def leave(caller: Caller, group: Group) -> None:
    caller.user.groups.remove(group)


def be_removed(caller: Caller, group: Group) -> None:
    group.user_set.remove(caller.user)


def clear(caller: Caller, group: Group) -> None:
    caller.user.groups.clear()


def delete_group(caller: Caller, group: Group) -> None:
    group.delete()


@pytest.mark.parametrize("end", [leave, be_removed, clear, delete_group])
def test_membership(caller: Caller, end: Callable[[Caller, Group], None]) -> None:
    group = Group.objects.create(name="team")
    limit(1, group=group)
    assert let_in(*[caller.asks()] * 2) == 2
    caller.user.groups.add(group)
    assert let_in(*[caller.asks()] * 2) == 1
    end(caller, group)
    assert let_in(*[caller.asks()] * 2) == 2


@pytest.mark.parametrize("update_fields", [None, ["time_zone"]])
def test_a_time_zone(caller: Caller, update_fields: list[str] | None) -> None:
    """At 23:30 UTC of a Wednesday it is Thursday in Addis Ababa: the day is another, and begins anew."""
    limit(1, Unit.REQUESTS, Window.DAY)
    with Clock(datetime(2031, 5, 14, 23, 30, tzinfo=UTC)).set_everywhere():
        first = opened(caller.asks())
        assert refused(caller.asks()).resets_at == datetime(2031, 5, 15, tzinfo=UTC)
        caller.user.time_zone = "Africa/Addis_Ababa"
        caller.user.save(update_fields=update_fields)
        opened(caller.asks())
        assert refused(caller.asks()).resets_at == datetime(2031, 5, 15, 21, tzinfo=UTC)
        caller.user.time_zone = "America/New_York"
        caller.user.save(update_fields=update_fields)
        assert refused(caller.asks()).resets_at == datetime(2031, 5, 15, 4, tzinfo=UTC), "no second day by going back"
        settle(first)
    assert standing() == (0, 1)


def test_signing_in_changes_nothing(caller: Caller) -> None:
    limit(1)
    assert let_in(*[caller.asks()] * 2) == 1
    before = number_of(QUOTAS)
    caller.user.save(update_fields=["last_login"])
    assert number_of(QUOTAS) == before


@pytest.mark.parametrize("subject", ["everybody", "user", "group", "token"])
def test_deleted_and_set_again_begins_anew(caller: Caller, subject: str) -> None:
    quota = limit(2, Unit.REQUESTS, Window.MONTH, **subject_of(caller, subject))
    settle(opened(caller.asks()))
    running = opened(caller.asks())
    refused(caller.asks())
    quota.delete()
    assert not Counter.objects.exists()
    assert let_in(caller.asks()) == 1
    limit(2, Unit.REQUESTS, Window.MONTH, **subject_of(caller, subject))
    assert let_in(*[caller.asks()] * 3) == 2
    settle(running)
    assert standing() == (0, 2), "what was opened under the old one is not counted by the new one"
    assert not Call.objects.filter(pk=running.call_id, state=CallState.OPEN).exists()


def test_an_own_quota_that_ends_falls_back_to_the_default_with_what_was_used(caller: Caller) -> None:
    limit(2)
    own = limit(4, user=caller.user)
    assert let_in(*[caller.asks()] * 5) == 4
    own.delete()
    why = refused(caller.asks())
    assert (int(why.limit), int(why.reserved)) == (2, 4)


def test_a_default_that_goes_leaves_those_with_their_own(caller: Caller) -> None:
    default = limit(2)
    limit(4, user=caller.user)
    other = Caller.named("other")
    assert let_in(*[caller.asks()] * 3) == 3
    assert let_in(*[other.asks()] * 3) == 2
    default.delete()
    assert let_in(*[caller.asks()] * 3) == 1
    assert let_in(*[other.asks()] * 3) == 3


def test_concurrency_stays_true_over_a_deletion(caller: Caller) -> None:
    quota = limit(2, Unit.CONCURRENCY)
    first, _ = opened(caller.asks()), opened(caller.asks())
    quota.delete()
    limit(2, Unit.CONCURRENCY)
    refused(caller.asks())
    settle(first)
    assert let_in(*[caller.asks()] * 2) == 1


def test_a_new_user_has_the_defaults(caller: Caller) -> None:
    limit(1)
    opened(caller.asks())
    new = Caller(User.objects.create_user("new"))
    assert let_in(*[new.asks()] * 2) == 1


def test_a_deleted_token_takes_its_quota_along(caller: Caller) -> None:
    limit(1, token=caller.token)
    settle(opened(caller.asks()))
    assert caller.token is not None
    caller.token.delete()
    assert not Counter.objects.exists()
    assert let_in(*[Caller(caller.user).asks()] * 2) == 2


def test_made_to_count_something_else_and_back_it_begins_at_nothing(caller: Caller) -> None:
    quota = limit(3, window=Window.DAY, user=caller.user)
    assert let_in(*[caller.asks()] * 4) == 3
    quota.window = Window.MONTH
    quota.save()
    assert let_in(caller.asks()) == 1
    quota.window = Window.DAY
    quota.save()
    assert let_in(*[caller.asks()] * 4) == 3
