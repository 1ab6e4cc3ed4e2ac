"""What a user has used, summed up: from the days that were rolled up, and from the calls of all others.

Days begin at midnight UTC. Each call counts once, open ones with what is known of them so far.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import reduce
from typing import Any, Literal

from django.db.models import BigIntegerField, CharField, Count, F, Q, QuerySet, Sum
from django.db.models.functions import Cast, Round, Substr

from accounts.models import Call, CallState, Currency, UsageDay, UsageRollup
from accounts.prices import AMOUNT, from_units

_DAY = timedelta(days=1)
_NEVER = date.min

_Key = tuple[Any, ...]
_Range = tuple[datetime | None, datetime | None]  # from the first on, up to and not including the second


Grouping = Literal["model", "provider", "day", "token", "state"]  # what a breakdown tells apart; a model, with provider
Cell = Literal["cell"]  # day, provider, model and token at once: what pages and files of many columns are made of


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums over calls. reserved_tokens: of those that are open. cost_units: 10⁻¹⁰ of the currency."""

    calls: int = 0
    open_calls: int = 0
    reserved_tokens: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    cost_units: int = 0
    calls_without_price: int = 0
    estimated_calls: int = 0

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    @property
    def cost(self) -> Decimal:
        """In the currency of the prices, of the calls whose price is known."""
        return from_units(self.cost_units)

    def plus(self, other: "Sums") -> "Sums":
        return Sums(*map(sum, zip(astuple(self), astuple(other), strict=True)))

    def minus(self, other: "Sums") -> "Sums":
        return Sums(*(mine - theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True, slots=True)
class Usage:
    """Totals, and what they are made of: pairs of what is told apart, by name, and its sums."""

    totals: Sums
    breakdown: Sequence[tuple[dict[str, Any], Sums]]


# Whole numbers: SQLite adds fractions as floats, and a sum of many would not be exact.
_COST = Sum(Cast(Round(F("cost") * int(1 / AMOUNT)), BigIntegerField()))
_OPEN = Q(state=CallState.OPEN)
_TOKENS = ("input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens")

_OF_CALLS: dict[str, Any] = {
    "calls": Count("pk"),
    "open_calls": Count("pk", filter=_OPEN),
    "reserved_tokens": Sum(F("reserved_input") + F("reserved_output"), filter=_OPEN),
    **{name: Sum(name) for name in _TOKENS},
    "cost_units": _COST,
    "calls_without_price": Count("pk", filter=Q(cost=None) & ~_OPEN),
    "estimated_calls": Count("pk", filter=Q(estimated=True)),
}
_OF_DAYS: dict[str, Any] = {
    "calls": Sum("calls"),
    **{name: Sum(name) for name in _TOKENS},
    "cost_units": _COST,
    "calls_without_price": Sum("calls_without_price"),
    "estimated_calls": Sum("calls_estimated"),
}
# As text, by which both databases give the date in UTC. Truncating is a function in Python on SQLite: far slower.
_DAY_OF_CALL = Substr(Cast("opened_at", CharField()), 1, 10)
_NAMES: dict[str, tuple[str, ...]] = {
    "model": ("provider", "model"),
    "cell": ("day", "provider", "model", "token"),
}
_COLUMNS = {"token": "token_id"}


def report(
    user_id: int,
    grouping: Grouping | Cell = "model",
    since: datetime | None = None,
    until: datetime | None = None,
) -> Usage:
    """What a user's calls took that were opened from `since` on and before `until`.

    Of days whose calls were deleted only whole ones count. By state they are one group without a name.
    """
    while True:
        rolled = rolled_until()
        usage = _read(user_id, grouping, (since, until), rolled)
        if rolled_until() == rolled:  # else calls may have been deleted in between that were just rolled up
            return usage


def used_anything(user_id: int) -> bool:
    """Whether there ever was a call of this user."""
    return Call.objects.filter(user=user_id).exists() or UsageDay.objects.filter(user=user_id).exists()


def currency() -> str:
    """The code of the currency that costs are in."""
    return (Currency.objects.first() or Currency()).code


def rolled_until() -> date:
    """The first day that is not rolled up."""
    return UsageRollup.objects.values_list("until", flat=True).first() or _NEVER


def midnight(day: date) -> datetime:
    """When a day begins."""
    return datetime.combine(day, time(), UTC)


def summed_calls(calls: "QuerySet[Call]", names: Sequence[str]) -> Iterator[tuple[_Key, Sums]]:
    """Sums of calls, by the values of some columns."""
    return _summed(calls, names, _OF_CALLS)


def _read(user_id: int, grouping: Grouping | Cell, asked: _Range, rolled: date) -> Usage:
    by_state = grouping == "state"
    names = _NAMES.get(grouping, (grouping,))
    days, ranges = _sources(asked, rolled)
    with_rest = by_state and days is not None  # days do not tell states apart
    told_apart = ("provider",) if with_rest else names
    parts: list[tuple[_Key, Sums]] = []
    if days is not None:
        mine = UsageDay.objects.filter(user=user_id, day__gte=days[0], day__lt=days[1])
        parts += _summed(mine, told_apart, _OF_DAYS)
    for one in ranges:
        parts += summed_calls(_calls(user_id, one), told_apart)
    totals = _total(sums for _, sums in parts)
    groups = _by_state(user_id, asked, totals) if with_rest else _added(parts)
    ordered = sorted(groups.items(), key=_by_day if grouping == "day" else _most_first)
    return Usage(totals, [(dict(zip(names, key, strict=True)), sums) for key, sums in ordered])


def _by_state(user_id: int, asked: _Range, totals: Sums) -> dict[_Key, Sums]:
    """From the calls, as far as they are there; the rest has no state."""
    groups = _added(summed_calls(_calls(user_id, asked), ("state",)))
    rest = totals.minus(_total(groups.values()))
    if rest.calls > 0:
        groups[(None,)] = rest
    return groups


def _sources(asked: _Range, rolled: date) -> tuple[tuple[date, date] | None, list[_Range]]:
    """The whole days, rolled up, that lie in a range of time, and the ranges beside them."""
    since, until = asked
    last = rolled if until is None else min(rolled, until.astimezone(UTC).date())
    if since is None:
        first = _NEVER
    elif since.astimezone(UTC).date() >= last:
        return None, [asked]
    else:
        first = (since.astimezone(UTC) + _DAY - datetime.resolution).date()
    if first >= last:
        return None, [asked]
    ranges: list[_Range] = []
    if since is not None and since < midnight(first):
        ranges.append((since, midnight(first)))
    if until is None or midnight(last) < until:
        ranges.append((midnight(last), until))
    return (first, last), ranges


def _calls(user_id: int, during: _Range) -> "QuerySet[Call]":
    since, until = during
    calls = Call.objects.filter(user=user_id)
    if since is not None:
        calls = calls.filter(opened_at__gte=since)
    return calls if until is None else calls.filter(opened_at__lt=until)


def _summed(rows: "QuerySet[Any]", names: Sequence[str], sums: dict[str, Any]) -> Iterator[tuple[_Key, Sums]]:
    if rows.model is Call and "day" in names:
        rows = rows.annotate(day=_DAY_OF_CALL)
    columns = [_COLUMNS.get(name, name) for name in names]
    # Not under the names of columns, which Django forbids.
    summed = rows.order_by().values_list(*columns).annotate(**{f"sum_{name}": sums[name] for name in sums})
    for row in summed:
        key = tuple(str(value) if isinstance(value, date) else value for value in row[: len(names)])
        found = dict(zip(sums, (int(value or 0) for value in row[len(names) :]), strict=True))
        yield key, Sums(**found)


def _total(parts: Iterable[Sums]) -> Sums:
    return reduce(Sums.plus, parts, Sums())


def _added(parts: Iterable[tuple[_Key, Sums]]) -> dict[_Key, Sums]:
    added: dict[_Key, Sums] = defaultdict(Sums)
    for key, sums in parts:
        added[key] = added[key].plus(sums)
    return added


def _by_day(group: tuple[_Key, Sums]) -> Any:
    return group[0]


def _most_first(group: tuple[_Key, Sums]) -> Any:
    return (-group[1].cost_units, -group[1].total_tokens, -group[1].calls, tuple(map(str, group[0])))
