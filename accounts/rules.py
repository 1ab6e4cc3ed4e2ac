"""Which limits hold for a caller: quotas out of the database, in the form that an admission decides with.

They are read in the ledger's own transaction and remembered until a quota, a membership or a time zone changes: each
such change raises the revision of quotas in its own transaction, and every admission looks at that number.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.conf import settings

from accounts.limits import MOST
from accounts.models import Quota, Unit, User, Window
from accounts.prices import to_units
from accounts.principal import Principal

_REMEMBERED_MOST = 50_000  # callers

Caller = tuple[int, int | None]  # ids of user and token


class CounterKey(NamedTuple):
    """What one Counter counts."""

    scope: str
    provider: str
    unit: str
    window: str


@dataclass(frozen=True, slots=True)
class Limit:
    """An amount, in whole units of its kind (10⁻¹⁰ of the currency for a cost), until a moment or for good."""

    amount: int
    until: datetime | None
    allow_unpriced: bool


@dataclass(frozen=True, slots=True)
class Rule:
    """A counter that an admission must respect. Of `limits` the first that has not ended holds."""

    key: CounterKey
    zone: str
    limits: tuple[Limit, ...]

    def limit_at(self, moment: datetime) -> Limit | None:
        """The limit that holds then; None when all have ended."""
        for limit in self.limits:
            if limit.until is None or limit.until > moment:
                return limit
        return None

    def applies_to(self, provider: str) -> bool:
        return self.key.provider in ("", provider)


class Rules:
    """What this process remembers of the rules. To be used in one thread, inside its transaction."""

    def __init__(self) -> None:
        self._revision: int | None = None
        self._defaults: list[Quota] = []
        self._known: dict[Caller, tuple[Rule, ...]] = {}

    def of(self, revision: int, callers: Collection[Caller]) -> Mapping[Caller, tuple[Rule, ...]]:
        """The rules of each caller, at least of those that are asked for. `revision`: the number as it is now."""
        if revision != self._revision or len(self._known) > _REMEMBERED_MOST:
            self._known.clear()
            self._defaults = list(Quota.objects.filter(user=None, group=None, token=None))
            self._revision = revision
        missing = {caller for caller in callers if caller not in self._known}
        if missing:
            self._known |= _read(missing, self._defaults)
        return self._known


def rules_of(principal: Principal) -> tuple[Rule, ...]:
    """A caller's rules as the database has them now. Uses the ORM."""
    defaults = list(Quota.objects.filter(user=None, group=None, token=None))
    caller = (principal.user_id, principal.token_id)
    return _read({caller}, defaults)[caller]


def _read(callers: Collection[Caller], defaults: Iterable[Quota]) -> dict[Caller, tuple[Rule, ...]]:
    users = {user for user, _ in callers}
    zones = {user.pk: user.zone for user in User.objects.filter(pk__in=users).only("time_zone")}
    groups: dict[int, set[int]] = defaultdict(set)
    for user, group in User.groups.through.objects.filter(user_id__in=users).values_list("user_id", "group_id"):
        groups[user].add(group)
    found = _quotas("user_id", users) | _quotas("token_id", {token for _, token in callers if token is not None})
    found |= _quotas("group_id", {group for those in groups.values() for group in those})
    rules: dict[Caller, tuple[Rule, ...]] = {}
    for user, token in callers:
        zone = zones.get(user, settings.TIME_ZONE)
        mine = _grouped(f"user:{user}", [*found.get(("user_id", user), ()), *defaults], zone)
        if token is not None:
            mine += _grouped(f"token:{token}", found.get(("token_id", token), ()), zone)
        for group in sorted(groups[user]):
            mine += _grouped(f"group:{group}", found.get(("group_id", group), ()), settings.TIME_ZONE)
        rules[user, token] = tuple(mine)
    return rules


def _quotas(subject: str, keys: Collection[int]) -> dict[tuple[str, int], list[Quota]]:
    found: dict[tuple[str, int], list[Quota]] = defaultdict(list)
    if keys:
        for quota in Quota.objects.filter(**{f"{subject}__in": keys}):
            found[subject, getattr(quota, subject)].append(quota)
    return found


def _grouped(scope: str, quotas: Iterable[Quota], zone: str) -> list[Rule]:
    """A rule for each counter; its own limits stand before the defaults, and temporary ones before the others."""
    by_key: dict[CounterKey, list[Quota]] = defaultdict(list)
    for quota in quotas:
        window = Window.TOTAL if quota.unit == Unit.CONCURRENCY else quota.window
        by_key[CounterKey(scope, quota.provider, str(quota.unit), str(window))].append(quota)
    return [
        Rule(key, zone, tuple(_limit(quota) for quota in sorted(those, key=_precedence)))
        for key, those in sorted(by_key.items())
    ]


def _precedence(quota: Quota) -> tuple[bool, bool, float]:
    is_default = quota.user_id is None and quota.group_id is None and quota.token_id is None
    # Of several temporary ones the highest: they are raises.
    return is_default, quota.until is None, -float(quota.limit)


def _limit(quota: Quota) -> Limit:
    amount = to_units(quota.limit) if quota.unit == Unit.COST else int(quota.limit)
    return Limit(min(amount, MOST), quota.until, quota.allow_unpriced)
