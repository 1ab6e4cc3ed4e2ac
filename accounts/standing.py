"""How a caller stands with its quotas at this moment. Read without locks: an admission may be changing it."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.contrib.auth.models import Group
from django.utils import timezone

from accounts.counters import window_end, window_start
from accounts.deciding import shown_amount
from accounts.models import Counter, Quota, Unit, Window
from accounts.principal import Principal
from accounts.rules import CounterKey, Rule, rules_of


@dataclass(frozen=True, slots=True)
class QuotaStanding:
    """A limit that holds for a caller, and what stands against it in the window that is running.

    subject: user, group or token. group: its name, where the limit is one of a group. provider: empty for all
    together. Amounts are in the unit, a cost in the currency of the prices. resets_at: when the window ends; None if it
    never does. until: when the limit itself ends, if it is a temporary one.
    """

    subject: str
    group: str
    provider: str
    unit: str
    window: str
    limit: Decimal
    used: Decimal
    reserved: Decimal
    resets_at: datetime | None
    until: datetime | None

    @property
    def remaining(self) -> Decimal:
        return max(Decimal(0), self.limit - self.used - self.reserved)


def standings(principal: Principal) -> list[QuotaStanding]:
    """All quotas that hold for a caller now. Uses the ORM."""
    now = timezone.now()
    rules = rules_of(principal)
    scopes = {rule.key.scope for rule in rules}
    counters = {_key(counter): counter for counter in Counter.objects.filter(scope__in=scopes)}
    keys = {int(scope.partition(":")[2]) for scope in scopes if scope.startswith("group:")}
    groups = {f"group:{key}": name for key, name in Group.objects.filter(pk__in=keys).values_list("pk", "name")}
    return [_standing(rule, counters.get(rule.key), groups, now) for rule in rules if rule.limit_at(now) is not None]


def counted(quota: Quota) -> tuple[Decimal, Decimal] | None:
    """What is used and what is reserved of a quota in the window that is running now.

    None for everybody's default, which has no counter of its own: each user has one.
    """
    now = timezone.now()
    window = Window.TOTAL if quota.unit == Unit.CONCURRENCY else quota.window
    if quota.user is not None:
        scope, zone = f"user:{quota.user.pk}", quota.user.zone
    elif quota.token is not None:
        scope, zone = f"token:{quota.token.pk}", quota.token.user.zone
    elif quota.group_id is not None:
        scope, zone = f"group:{quota.group_id}", settings.TIME_ZONE
    else:
        return None
    key = CounterKey(scope, quota.provider, str(quota.unit), str(window))
    return _amounts(Rule(key, zone, ()), Counter.objects.filter(**key._asdict()).first(), now)


def _key(counter: Counter) -> CounterKey:
    return CounterKey(counter.scope, counter.provider, counter.unit, counter.window)


def _standing(rule: Rule, counter: Counter | None, groups: dict[str, str], now: datetime) -> QuotaStanding:
    limit, key = rule.limit_at(now), rule.key
    assert limit is not None
    used, reserved = _amounts(rule, counter, now)
    return QuotaStanding(
        subject=key.scope.partition(":")[0],
        group=groups.get(key.scope, ""),
        provider=key.provider,
        unit=key.unit,
        window=key.window,
        limit=shown_amount(key.unit, limit.amount),
        used=used,
        reserved=reserved,
        resets_at=window_end(rule, now),
        until=limit.until,
    )


def _amounts(rule: Rule, counter: Counter | None, now: datetime) -> tuple[Decimal, Decimal]:
    """What is used and what is reserved. A window that has ended stands in its counter until the next call."""
    if counter is None or counter.starts_at < window_start(rule, now):
        return Decimal(0), Decimal(0)
    return shown_amount(rule.key.unit, counter.used), shown_amount(rule.key.unit, counter.reserved)
