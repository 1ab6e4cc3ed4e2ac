"""The numbers of the usage page: what was used by day and by one thing more, as a chart and tables show them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext

from accounts.models import ApiToken
from accounts.prices import from_units
from accounts.usage import Sums, Usage
from proxyproject.pages.amounts import grouped, money
from proxyproject.pages.usage_period import By, Measure
from web.amounts import number

SERIES_MOST = 5  # in a chart, those put together as the last one included
_WIDTH = 1000  # of a bar, in the units of its drawing


@dataclass(slots=True)
class Group:
    """One provider, model or token. series: 1 to SERIES_MOST, its colour in the chart; 0 for what stands for others."""

    name: str
    sums: Sums = field(default_factory=Sums)
    by_day: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    series: int = 0
    width: int = 0


@dataclass(frozen=True, slots=True)
class Series:
    """What the chart shows in one colour: by day, in the measure's unit; a cost in 10⁻¹⁰ of the currency."""

    name: str
    number: int
    by_day: Mapping[str, int]


class Breakdown:
    """Groups, those with most first, and the few series that a chart makes of them."""

    def __init__(self, found: Usage, by: By, measure: Measure, currency: str) -> None:
        """found: by cell."""
        self.measure, self.currency = measure, currency
        self.groups = self._grouped(found, by)
        self.series = self._in_series()

    def shown(self, amount: int) -> str:
        """An amount in the measure's unit, with its currency if it is money."""
        return money(from_units(amount), self.currency) if self.measure == "cost" else grouped(amount)

    def rows(self) -> list[dict[str, Any]]:
        """The groups as a table has them."""
        return [
            {"name": one.name, "series": one.series, "width": one.width, **told(one.sums, self.currency)}
            for one in self.groups
        ]

    def days(self) -> list[tuple[str, list[str]]]:
        """For each day on which there was something: all together, and what each series has. The latest first."""
        used = sorted({day for one in self.series for day in one.by_day}, reverse=True)
        rows = [(day, [one.by_day.get(day, 0) for one in self.series]) for day in used]
        return [(day, [self.shown(amount) for amount in (sum(amounts), *amounts)]) for day, amounts in rows]

    def chart(self, days: Sequence[str]) -> dict[str, Any]:
        """For usage.js: the days, and the amounts of each series on them."""
        return {
            "days": list(days),
            "series": [
                {
                    "name": one.name,
                    "number": one.number,
                    "amounts": [self._plain(one.by_day.get(day, 0)) for day in days],
                }
                for one in self.series
            ],
            "currency": self.currency if self.measure == "cost" else "",
        }

    def _plain(self, amount: int) -> int | float:
        return number(from_units(amount)) if self.measure == "cost" else amount

    def _grouped(self, found: Usage, by: By) -> list[Group]:
        names = token_names(found) if by == "token" else {}
        groups: dict[Any, Group] = {}
        for cell, sums in found.breakdown:
            key: Any = (cell["provider"], cell["model"]) if by == "model" else cell[by]
            if key not in groups:
                groups[key] = Group(names[key] if by == "token" else _name(key))
            group = groups[key]
            group.sums = group.sums.plus(sums)
            group.by_day[cell["day"]] += _amount(sums, self.measure)
        ordered = sorted(groups.values(), key=lambda one: (-_amount(one.sums, self.measure), -one.sums.calls, one.name))
        most = max((_amount(one.sums, self.measure) for one in ordered), default=0)
        for group in ordered:
            group.width = _WIDTH * _amount(group.sums, self.measure) // most if most else 0
        return ordered

    def _in_series(self) -> list[Series]:
        apart = self.groups if len(self.groups) <= SERIES_MOST else self.groups[: SERIES_MOST - 1]
        for position, group in enumerate(apart, start=1):
            group.series = position
        series = [Series(group.name, group.series, group.by_day) for group in apart]
        if others := self.groups[len(apart) :]:
            together: dict[str, int] = defaultdict(int)
            for group in others:
                for day, amount in group.by_day.items():
                    together[day] += amount
            series.append(Series(gettext("other"), 0, together))
        return series


def told(sums: Sums, currency: str) -> dict[str, str]:
    """Sums as people read them; a cost of which nothing is known is a dash."""
    counts = ("calls", "input_tokens", "output_tokens", "total_tokens")
    is_known = sums.calls_without_price < sums.calls or not sums.calls
    cost = money(sums.cost, currency) if is_known else "–"
    return {**{name: grouped(getattr(sums, name)) for name in counts}, "cost": cost}


def token_names(found: Usage) -> dict[int | None, str]:
    """What the tokens of a breakdown are called; those with the same name by their beginnings too."""
    keys = {cell["token"] for cell, _ in found.breakdown}
    tokens = list(ApiToken.objects.filter(pk__in=keys - {None}).only("name", "shown"))
    named = [token.name for token in tokens]
    names: dict[int | None, str] = dict.fromkeys(keys, gettext("deleted token"))
    names |= {token.pk: token.name if named.count(token.name) == 1 else str(token) for token in tokens}
    return names | {None: gettext("signed in, no token")}


def _name(key: str | tuple[str, str]) -> str:
    return key if isinstance(key, str) else "/".join(part for part in key if part)


def _amount(sums: Sums, measure: Measure) -> int:
    return {"calls": sums.calls, "tokens": sums.total_tokens, "cost": sums.cost_units}[measure]
