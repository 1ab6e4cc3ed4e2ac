"""A person who has used a lot, for tests of what is shown of it; run in the server's shell, or on a test's database."""

import random
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.utils import timezone

from accounts import usage
from accounts.calls import new_call_id
from accounts.models import ApiToken, Call, CallState, Counter, Quota, Unit, UsageDay, User, Window
from accounts.prices import to_units
from accounts.windows import window_at

# Provider, model, price of a thousand tokens, how often of a hundred.
_MODELS = (
    ("openai", "gpt-5-mini", "0.0009", 34),
    ("anthropic", "claude-sonnet-4-5", "0.0075", 26),
    ("openai", "gpt-5", "0.0052", 12),
    ("gemini", "gemini-2.5-flash", "0.0011", 12),
    ("addis", "አሌፍ-1-translate", "0.0004", 8),
    ("mistral", "mistral-large-latest", "0.0031", 5),
    ("demo", "", None, 3),
)
_TOKENS = ("nightly evaluation", "editor", "support desk")


def seed(username: str, days: int = 90, calls_a_day: int = 14) -> User:
    """Fills the days up to now with calls: more on weekdays, less long ago. The same each time."""
    user = User.objects.get(username=username)
    tokens = [ApiToken.objects.issue(user, name)[0] for name in _TOKENS]
    chance = random.Random(7)
    now = timezone.now()
    calls = []
    for ago in range(days):
        day = now - timedelta(days=ago)
        weekend = day.weekday() > 4
        count = chance.randint(0, 3) if weekend else chance.randint(calls_a_day // 2, calls_a_day)
        calls += [_call(user, tokens, day - timedelta(minutes=chance.randint(0, 300)), chance) for _ in range(count)]
    with transaction.atomic():
        Call.objects.bulk_create(calls)
        _sum_up(user)
    return user


def set_quota(
    user: User, unit: Unit, window: Window, limit: str, used: str, reserved: str = "0", provider: str = ""
) -> None:
    """A quota, and what stands against it in the window that is running."""
    Quota.objects.create(user=user, unit=unit, window=window, limit=Decimal(limit), provider=provider)
    amounts = [to_units(Decimal(text)) if unit == Unit.COST else int(text) for text in (used, reserved)]
    Counter.objects.update_or_create(
        scope=f"user:{user.pk}",
        provider=provider,
        unit=unit,
        window=window,
        defaults={
            "used": amounts[0],
            "reserved": amounts[1],
            "starts_at": int(window_at(window, timezone.now(), user.zone).starts_at.timestamp()),
        },
    )


def _sum_up(user: User) -> None:
    """Adds the days that the server has summed up already: calls of those days would not count by themselves."""
    summed = Call.objects.filter(user=user, opened_at__lt=usage.midnight(usage.rolled_until()))
    names = ("day", "token", "provider", "model")
    UsageDay.objects.bulk_create(
        UsageDay(
            user=user,
            day=day,
            token_id=token,
            provider=provider,
            model=model,
            calls=sums.calls,
            input_tokens=sums.input_tokens,
            output_tokens=sums.output_tokens,
            cached_tokens=0,
            cache_write_tokens=0,
            reasoning_tokens=0,
            cost=sums.cost,
            calls_without_price=sums.calls_without_price,
            calls_estimated=sums.estimated_calls,
        )
        for (day, token, provider, model), sums in usage.summed_calls(summed, names)
    )


def _call(user: User, tokens: list[ApiToken], opened_at: datetime, chance: random.Random) -> Call:
    provider, model, price, _ = chance.choices(_MODELS, [one[3] for one in _MODELS])[0]
    asked, answered = chance.randint(200, 9000), chance.randint(50, 2400)
    return Call(
        pk=new_call_id(),
        request_id="seed",
        user=user,
        token=chance.choice([*tokens, None]),
        surface="chat",
        provider=provider,
        model=model,
        state=CallState.DONE,
        input_tokens=asked,
        output_tokens=answered,
        estimated=chance.random() < 0.01,
        cost=None if price is None else Decimal(price) * (asked + 3 * answered) / 1000,
        opened_at=opened_at,
        closed_at=opened_at + timedelta(seconds=2),
    )
