"""What is summed up of a user's calls: each once, whether its day was rolled up, its row deleted, or neither."""

from dataclasses import astuple
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pytest_django import Settings

from accounts import upkeep, usage
from accounts.models import ApiToken, Call, CallState, User
from tests.unit.spent import TODAY, days_ago, spend


@pytest.fixture
def user(transactional_db: None) -> User:
    return User.objects.create_user("spender")


@pytest.fixture
def history(user: User) -> None:
    """Calls over a week: one at each end of each day and one in the middle, somebody else's among them."""
    other = User.objects.create_user("other")
    for day in range(7):
        spend(user, days_ago(day), model="small")
        spend(user, days_ago(day, hours=12), model="large", cost="0.0000000003", input_tokens=1000 + day)
        spend(user, days_ago(day, hours=24, microseconds=-1), model="small", estimated=True)
        spend(other, days_ago(day, hours=12))


def totals(user: User, since: datetime | None = None, until: datetime | None = None) -> usage.Sums:
    return usage.report(user.pk, "model", since, until).totals


def by(user: User, grouping: usage.Grouping) -> dict[Any, int]:
    """How many calls there are of each."""
    found = usage.report(user.pk, grouping)
    return {tuple(key.values()): sums.calls for key, sums in found.breakdown}


def test_everything_is_added_exactly(user: User) -> None:
    for _ in range(30):
        spend(user, days_ago(0), cost="0.1000000001", cached_tokens=4, cache_write_tokens=3, reasoning_tokens=2)
    spend(user, days_ago(0), cost="12345.0000000007")
    sums = totals(user)
    assert sums.cost == Decimal("12348.0000000037")
    assert (sums.calls, sums.input_tokens, sums.output_tokens, sums.total_tokens) == (31, 310, 155, 465)
    assert (sums.cached_tokens, sums.cache_write_tokens, sums.reasoning_tokens) == (120, 90, 60)


def test_open_calls_and_those_without_a_price_or_a_count(user: User) -> None:
    nothing: dict[str, Any] = {"input_tokens": 0, "output_tokens": 0, "cost": None}
    spend(user, days_ago(0), state=CallState.OPEN, reserved_input=100, reserved_output=50, **nothing)
    spend(user, days_ago(0), cost=None)
    spend(user, days_ago(0), estimated=True, reserved_input=1000)
    sums = totals(user)
    assert (sums.calls, sums.open_calls, sums.reserved_tokens) == (3, 1, 150)
    assert (sums.calls_without_price, sums.estimated_calls) == (1, 1)
    assert (sums.total_tokens, sums.cost) == (30, Decimal("0.1"))


def test_without_a_call_there_is_nothing(user: User) -> None:
    assert usage.report(user.pk) == usage.Usage(usage.Sums(), [])


def test_breakdowns(user: User) -> None:
    token, _ = ApiToken.objects.issue(user, "t")
    spend(user, days_ago(1, hours=23), token=token)
    spend(user, days_ago(0, hours=1), model="large", state=CallState.TIMEOUT)
    spend(user, days_ago(0, hours=2), provider="second", model="large")
    assert by(user, "model") == {("vendor", "small"): 1, ("vendor", "large"): 1, ("second", "large"): 1}
    assert by(user, "provider") == {("vendor",): 2, ("second",): 1}
    assert by(user, "token") == {(token.pk,): 1, (None,): 2}
    assert by(user, "state") == {("done",): 2, ("timeout",): 1}
    assert by(user, "day") == {(f"{TODAY - timedelta(days=1):%Y-%m-%d}",): 1, (f"{TODAY:%Y-%m-%d}",): 2}


EDGES = [
    None,
    days_ago(9),
    days_ago(6),
    days_ago(6, microseconds=1),
    days_ago(5, hours=12),
    days_ago(4),
    days_ago(4, hours=12, microseconds=1),
    days_ago(3, hours=24, microseconds=-1),
    days_ago(1, hours=3),
    days_ago(0, hours=12),
    days_ago(-1),
    datetime(1, 1, 1, tzinfo=UTC),
    datetime.max.replace(tzinfo=UTC),
]


@pytest.mark.usefixtures("history")
def test_a_roll_up_changes_nothing_for_any_range_of_time(user: User) -> None:
    ranges = [(since, until) for since in EDGES for until in EDGES]
    before = [usage.report(user.pk, "model", *one) for one in ranges]
    days = usage.report(user.pk, "day")
    assert max(one.totals.calls for one in before) == 21
    assert len({astuple(one.totals) for one in before}) > 20, "ranges that tell something"
    assert upkeep.run_once().days == 5
    assert [usage.report(user.pk, "model", *one) for one in ranges] == before
    assert usage.report(user.pk, "day") == days


@pytest.mark.usefixtures("history")
def test_rows_that_are_deleted_still_count_by_whole_days(user: User, settings: Settings) -> None:
    settings.GATEWAY_KEEP_CALLS_DAYS = 3
    before, days = usage.report(user.pk), usage.report(user.pk, "day")
    assert upkeep.run_once().deleted == 3 * 4
    assert Call.objects.filter(user=user).count() == 4 * 3
    assert usage.report(user.pk) == before
    assert usage.report(user.pk, "day") == days
    assert totals(user, days_ago(5)).calls == 18
    assert totals(user, days_ago(5, hours=1)).calls == 15, "of a day that is not kept only the whole counts"
    assert by(user, "state") == {("done",): 12, (None,): 9}, "days do not tell states apart"
