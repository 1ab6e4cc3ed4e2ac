"""How a caller stands with its quotas, also when a window has ended since its last call."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone

from accounts.models import ApiToken, Counter, Quota, Unit, User, Window
from accounts.principal import Principal
from accounts.standing import counted, standings
from accounts.windows import window_at


@pytest.fixture
def user(db: None) -> User:
    return User.objects.create_user("caller", time_zone="Asia/Kathmandu")


def digits(amount: Decimal) -> str:
    return f"{amount.normalize():f}"


def told(user: User, token: int | None = None) -> list[tuple[str, str, str, str, str]]:
    """Whose limit it is; the limit, used, reserved, remaining."""
    found = standings(Principal(user.pk, user.username, is_staff=False, token_id=token))
    return [
        (one.subject, digits(one.limit), digits(one.used), digits(one.reserved), digits(one.remaining)) for one in found
    ]


def test_a_window_that_has_ended_counts_no_more(user: User) -> None:
    quota = Quota.objects.create(user=user, unit=Unit.TOKENS, window=Window.HOUR, limit=100)
    running = window_at(Window.HOUR, timezone.now(), user.zone)
    assert running.starts_at.minute == 15, "by the clocks of Kathmandu"
    counter = Counter.objects.create(
        scope=f"user:{user.pk}",
        unit=Unit.TOKENS,
        window=Window.HOUR,
        used=30,
        reserved=7,
        starts_at=int(running.starts_at.timestamp()),
    )
    assert told(user) == [("user", "100", "30", "7", "63")]
    assert counted(quota) == (Decimal(30), Decimal(7))
    assert standings(Principal(user.pk, "caller", is_staff=False))[0].resets_at == running.ends_at
    Counter.objects.filter(pk=counter.pk).update(starts_at=counter.starts_at - 3600)
    assert told(user) == [("user", "100", "0", "0", "100")]
    assert counted(quota) == (Decimal(0), Decimal(0))


def test_costs_are_told_in_the_currency_and_less_than_nothing_is_never_left(user: User) -> None:
    Quota.objects.create(user=user, unit=Unit.COST, limit=Decimal("0.5"))
    Counter.objects.create(
        scope=f"user:{user.pk}", unit=Unit.COST, window=Window.TOTAL, starts_at=0, used=6_000_000_001, reserved=1
    )
    assert told(user) == [("user", "0.5", "0.6000000001", "0.0000000001", "0")]


def test_of_limits_for_the_same_the_one_that_holds_is_told(user: User) -> None:
    group = Group.objects.create(name="team")
    user.groups.add(group)
    token, _ = ApiToken.objects.issue(user, "t")
    tomorrow = timezone.now() + timedelta(days=1)
    default = Quota.objects.create(unit=Unit.REQUESTS, window=Window.DAY, limit=1)
    Quota.objects.create(user=user, unit=Unit.REQUESTS, window=Window.DAY, limit=2)
    Quota.objects.create(user=user, unit=Unit.REQUESTS, window=Window.DAY, limit=3, until=tomorrow)
    Quota.objects.create(user=user, unit=Unit.REQUESTS, window=Window.DAY, limit=9, until=timezone.now())
    Quota.objects.create(user=user, unit=Unit.TOKENS, limit=9, until=timezone.now())
    Quota.objects.create(group=group, unit=Unit.CONCURRENCY, window=Window.TOTAL, limit=4)
    Quota.objects.create(token=token, unit=Unit.REQUESTS, window=Window.DAY, limit=5)
    assert [one[:2] for one in told(user, token.pk)] == [("user", "3"), ("token", "5"), ("group", "4")]
    assert counted(default) is None, "each user has a counter of their own"
