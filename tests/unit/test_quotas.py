"""Admission against quotas: each unit, several at once, and for whom they hold."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone

from accounts.errors import NotAuthenticated
from accounts.ledger import Hold
from accounts.models import Call, CallState, Counter, Quota, Unit, User, Window
from tests.unit.admitting import (
    NOON,
    Caller,
    Clock,
    admit,
    call_of,
    let_in,
    limit,
    opened,
    refused,
    settle,
    standing,
)

DOLLAR = 10**10  # as bounds give a cost


def test_requests(caller: Caller) -> None:
    limit(3, Unit.REQUESTS, Window.HOUR)
    assert let_in(*[caller.asks()] * 5) == 3
    assert standing() == (0, 3)
    assert Call.objects.count() == 3
    why = refused(caller.asks())
    assert (why.unit, why.window) == ("requests", "hour")
    assert [int(amount) for amount in (why.limit, why.used, why.reserved, why.needed)] == [3, 0, 3, 1]
    assert why.retry_after is not None
    assert 0 < why.retry_after <= 3600


def test_a_settled_request_is_used(caller: Caller) -> None:
    limit(2)
    settle(opened(caller.asks()))
    assert standing() == (1, 0)
    assert let_in(*[caller.asks()] * 2) == 1
    assert refused(caller.asks()).retry_after is None, "it never begins anew"


@pytest.mark.parametrize(
    ("asked", "least", "given"),
    [(50, 0, 50), (90, 0, 90), (91, 0, 90), (500, 0, 90), (500, 90, 90), (500, 91, None), (91, 91, None)],
)
def test_output_is_clamped_to_the_tokens_left(caller: Caller, asked: int, least: int, given: int | None) -> None:
    limit(100, Unit.TOKENS)
    asks = caller.asks(input=10, output=asked, least_output=least)
    if given is None:
        assert refused(asks).needed == 10 + least
        assert standing(Unit.TOKENS) == (0, 0)
        return
    hold = opened(asks)
    assert (hold.grant.output, hold.grant.limited) == (given, True)
    assert standing(Unit.TOKENS) == (0, 10 + given)
    call = call_of(hold)
    assert (call.reserved_input, call.reserved_output) == (10, given)


def test_input_that_does_not_fit_is_refused(caller: Caller) -> None:
    limit(100, Unit.TOKENS, Window.MINUTE)
    why = refused(caller.asks(input=101, output=1))
    assert why.needed == 101
    assert why.retry_after is None, "waiting does not help"
    assert let_in(caller.asks(input=100)) == 1


@pytest.mark.parametrize(
    ("base", "rate", "asked", "least", "given"),
    [
        (DOLLAR, 0, 500, 0, 500),  # free output
        (DOLLAR, DOLLAR * 1000, 500, 0, 500),  # of 2 dollars 1 is left: 1000 tokens at a thousandth
        (DOLLAR, DOLLAR * 1000, 1000, 1000, 1000),
        (DOLLAR, DOLLAR * 1000, 1001, 0, 1000),
        (DOLLAR, DOLLAR * 1000, 1001, 1001, None),
        (2 * DOLLAR, DOLLAR * 1000, 10, 0, 0),
        (2 * DOLLAR, DOLLAR * 1000, 10, 1, None),
        (2 * DOLLAR + 1, 0, 10, 0, None),
        (0, 3 * DOLLAR * 1000, 10_000, 0, 666),  # 667 would be a thousandth too much
    ],
)
def test_cost(caller: Caller, base: int, rate: int, asked: int, least: int, given: int | None) -> None:
    limit("2", Unit.COST)
    asks = caller.asks(output=asked, least_output=least, base_cost=base, output_cost=rate)
    if given is None:
        refused(asks)
        assert standing(Unit.COST) == (0, 0)
        return
    hold = opened(asks)
    assert hold.grant.output == given
    cost = base + rate * given // 1_000_000
    assert standing(Unit.COST) == (0, cost / DOLLAR)
    assert call_of(hold).reserved_cost == cost
    settle(hold, cost="0.75")
    assert standing(Unit.COST) == (0.75, 0)


def test_the_smallest_amount_is_rounded_up(caller: Caller) -> None:
    limit("0.000001", Unit.COST)
    hold = opened(caller.asks(output=1, base_cost=0, output_cost=1))
    assert call_of(hold).reserved_cost == 1


def test_an_unknown_price_is_refused_where_cost_counts(caller: Caller) -> None:
    quota = limit(5, Unit.COST, Window.MINUTE)
    why = refused(caller.asks(output=10))
    assert (why.unpriced, why.retry_after) == ("model-1", None)
    assert "price of 'model-1'" in str(why)
    quota.allow_unpriced = True
    quota.save()
    hold = opened(caller.asks(output=10))
    assert hold.grant.output == 10
    assert call_of(hold).reserved_cost is None
    settle(hold, (1, 2))
    assert standing(Unit.COST) == (0, 0)


def test_concurrency_is_released_at_settlement(caller: Caller) -> None:
    limit(2, Unit.CONCURRENCY, Window.HOUR)
    first, _ = opened(caller.asks()), opened(caller.asks())
    assert refused(caller.asks()).retry_after == 1
    settle(first)
    assert standing(Unit.CONCURRENCY) == (0, 1)
    assert let_in(*[caller.asks()] * 3) == 1


def test_of_several_nothing_is_reserved_when_one_refuses(caller: Caller) -> None:
    limit(10, Unit.REQUESTS, Window.MINUTE)
    limit(10, Unit.REQUESTS, Window.HOUR, "vendor")
    limit(1000, Unit.TOKENS)
    limit("0.5", Unit.COST)
    limit(5, Unit.CONCURRENCY)
    why = refused(caller.asks(input=10, output=10, base_cost=DOLLAR))
    assert why.unit == "cost"
    assert set(Counter.objects.values_list("used", "reserved")) == {(0, 0)}
    assert Counter.objects.count() == 5
    assert not Call.objects.exists()
    hold = opened(caller.asks(input=10, output=10, base_cost=DOLLAR // 2))
    found = {(row.unit, row.provider): row.reserved for row in Counter.objects.all()}
    assert found == {
        ("requests", ""): 1,
        ("requests", "vendor"): 1,
        ("tokens", ""): 20,
        ("cost", ""): DOLLAR // 2,
        ("concurrency", ""): 1,
    }
    settle(hold, (3, 4), "0.25")
    assert set(Counter.objects.values_list("reserved", flat=True)) == {0}


def test_the_tightest_quota_clamps(caller: Caller) -> None:
    limit(1000, Unit.TOKENS)
    limit(60, Unit.TOKENS, Window.DAY)
    limit("0.01", Unit.COST)
    hold = opened(caller.asks(input=10, output=500, base_cost=0, output_cost=DOLLAR * 1000))
    assert hold.grant.output == 10
    standings = hold.grant.standings["tokens"]
    assert (standings.limit, standings.remaining) == (60, 40)


def test_of_several_refusals_the_one_that_lasts_longest_is_told(caller: Caller) -> None:
    for unit, window in (
        (Unit.REQUESTS, Window.MINUTE),
        (Unit.REQUESTS, Window.MONTH),
        (Unit.REQUESTS, Window.HOUR),
        (Unit.CONCURRENCY, Window.TOTAL),
    ):
        limit(1, unit, window)
    with Clock().set_everywhere():
        opened(caller.asks())
        why = refused(caller.asks())
    assert why.window == "month"
    assert why.resets_at == datetime(2031, 6, 1, tzinfo=UTC)
    assert why.retry_after == (datetime(2031, 6, 1, tzinfo=UTC) - NOON).total_seconds()


def test_a_default_holds_for_everybody_on_their_own(caller: Caller) -> None:
    limit(2)
    other = Caller.named("other")
    results = admit(*[caller.asks()] * 3, *[other.asks()] * 3)
    assert [isinstance(result, Hold) for result in results] == [True, True, False] * 2
    assert standing(scope=f"user:{other.user.pk}") == (0, 2)


@pytest.mark.parametrize("own", [1, 5])
def test_an_own_quota_comes_before_the_default(caller: Caller, own: int) -> None:
    limit(3)
    limit(own, user=caller.user)
    assert let_in(*[caller.asks()] * 7) == own
    assert let_in(*[Caller.named("other").asks()] * 7) == 3


def test_a_temporary_raise_holds_until_its_end(caller: Caller) -> None:
    limit(2, user=caller.user)
    limit(4, user=caller.user, until=NOON + timedelta(hours=1))
    limit(3, user=caller.user, until=NOON + timedelta(hours=2))
    with Clock().set_everywhere() as clock:
        assert let_in(*[caller.asks()] * 9) == 4, "of several the highest"
        clock.move(minutes=59, seconds=59)
        assert refused(caller.asks()).limit == 4
        clock.move(seconds=1)
        assert refused(caller.asks()).limit == 3
        clock.move(hours=1)
        assert refused(caller.asks()).limit == 2


def test_a_temporary_limit_alone_ends(caller: Caller) -> None:
    limit(0, until=NOON + timedelta(hours=1))
    with Clock().set_everywhere() as clock:
        refused(caller.asks())
        clock.move(hours=1)
        assert let_in(caller.asks()) == 1


def test_a_group_shares(caller: Caller) -> None:
    group = Group.objects.create(name="team")
    other, stranger = Caller.named("other"), Caller.named("stranger")
    caller.user.groups.add(group)
    other.user.groups.add(group)
    limit(3, group=group)
    assert let_in(*[caller.asks(), other.asks()] * 4) == 3
    assert let_in(*[stranger.asks()] * 4) == 4
    assert standing(scope=f"group:{group.pk}") == (0, 3)
    assert refused(other.asks()).subject == "group"


def test_a_token_has_its_own(caller: Caller) -> None:
    limit(2, token=caller.token)
    assert let_in(*[caller.asks()] * 4) == 2
    assert let_in(*[Caller(caller.user).asks()] * 4) == 4, "signed in, without the token"
    assert refused(caller.asks()).subject == "token"


def test_one_provider_or_all(caller: Caller) -> None:
    limit(3)
    limit(2, provider="vendor")
    limit(1, provider="else")
    assert let_in(*[caller.asks()] * 4) == 2
    assert let_in(*[caller.asks("third")] * 4) == 1
    assert (standing(), standing(provider="vendor")) == ((0, 3), (0, 2))
    assert not Counter.objects.filter(provider="else").exists()


@pytest.mark.parametrize("how", ["token", "user"])
def test_the_revoked_are_refused_and_reserve_nothing(caller: Caller, how: str) -> None:
    limit(5)
    settle(opened(caller.asks()))
    assert caller.token is not None
    if how == "token":
        caller.token.revoke()
    else:
        User.objects.filter(pk=caller.user.pk).update(is_active=False)
    assert [type(result) for result in admit(caller.asks(), caller.asks())] == [NotAuthenticated] * 2
    assert standing() == (1, 0)
    assert Call.objects.filter(state=CallState.OPEN).count() == 0


def test_a_limit_of_nothing(caller: Caller) -> None:
    limit(0, Unit.TOKENS)
    why = refused(caller.asks(input=1))
    assert why.limit == 0
    assert why.retry_after is None
    Quota.objects.all().delete()
    assert not Quota.objects.filter(until__gt=timezone.now()).exists()
    assert let_in(caller.asks(input=1)) == 1
