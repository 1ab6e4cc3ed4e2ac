"""What is left, limit by limit, and in one sentence: whether all is well."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Context, Decimal
from typing import Literal

from django.conf import settings
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from accounts.forecast import Forecast, forecast
from accounts.models import Unit, Window
from accounts.standing import QuotaStanding
from accounts.windows import window_at
from proxyproject.pages import usage_words as words
from proxyproject.pages.amounts import Clock, grouped, money

Level = Literal["good", "attention", "bad", "information"]

_LITTLE = 10  # less than a tenth is little
_WIDTH = 1000  # of a bar, in the units of its drawing


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to "am I all right?"."""

    level: Level
    text: str

    @property
    def notice(self) -> str:
        """The kind of notice that says it."""
        return {"good": "success", "attention": "warning", "bad": "error", "information": "info"}[self.level]


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit as a reader sees it. left_width, reserved_width: of a bar of 1000."""

    standing: QuotaStanding
    outlook: Forecast | None
    currency: str
    clock: Clock

    @classmethod
    def of(cls, standing: QuotaStanding, zone: str, currency: str, clock: Clock) -> "Limit":
        """zone: of the user whom it holds for."""
        outlook = None
        if standing.window in (Window.DAY, Window.MONTH):
            calendar = settings.TIME_ZONE if standing.subject == "group" else zone
            outlook = forecast(standing, window_at(Window(standing.window), clock.now, calendar), clock.now)
        return cls(standing, outlook, currency, clock)

    @property
    def level(self) -> Level:
        one = self.standing
        if not one.remaining:
            return "attention" if one.unit == Unit.CONCURRENCY and one.limit else "bad"
        if (self.outlook is not None and self.outlook.runs_out_at) or self.is_short:
            return "attention"
        return "good"

    @property
    def is_short(self) -> bool:
        """Whether little is left. Of calls at the same time that is nothing to speak of."""
        one = self.standing
        return one.unit != Unit.CONCURRENCY and one.remaining * _LITTLE < one.limit

    @property
    def left_width(self) -> int:
        return self._width(self.standing.remaining)

    @property
    def reserved_width(self) -> int:
        return min(self._width(self.standing.reserved), _WIDTH - self.left_width)

    @property
    def title(self) -> str:
        """What is left of how much, and when: `3 of 50 requests left this hour`."""
        one = self.standing
        return words.left(one.unit).format(**self._amounts, when=words.when(one.window))

    @property
    def where(self) -> str:
        """What it is limited to; empty where it holds for everything that a person does."""
        one = self.standing
        parts = [gettext("group {name}, together").format(name=one.group)] if one.group else []
        parts += [gettext("provider {name}").format(name=one.provider)] if one.provider else []
        return ", ".join(parts)

    @property
    def resets(self) -> str:
        """When it begins anew; empty where it is not a matter of time."""
        if self.standing.unit == Unit.CONCURRENCY:
            return ""
        if self.standing.resets_at is None:
            return gettext("does not begin anew")
        return format_html(gettext("resets {moment}"), moment=self._at(self.standing.resets_at))

    @property
    def expectation(self) -> str:
        """What a forecast says; empty where there is none."""
        if self.outlook is None:
            return ""
        if self.outlook.runs_out_at:
            return format_html(gettext("At this pace it runs out {moment}."), moment=self._by(self.outlook.runs_out_at))
        used = self.amount(_about(self.outlook.used_by_end))
        return gettext("At this pace about {used} will be used by then.").format(used=used)

    @property
    def reserved(self) -> str:
        """What running calls hold; empty if they hold nothing, or are what is counted."""
        one = self.standing
        return self.amount(one.reserved) if one.reserved and one.unit != Unit.CONCURRENCY else ""

    @property
    def ends(self) -> str:
        """Until when a temporary limit holds."""
        if self.standing.until is None:
            return ""
        moment = self.clock.moment(self.standing.until)
        return format_html(gettext("This limit holds until {moment}."), moment=moment)

    def amount(self, amount: Decimal) -> str:
        return money(amount, self.currency) if self.standing.unit == Unit.COST else grouped(amount)

    def sentence(self) -> str:
        """What is to be said of it on top of the page, if it is not all right."""
        one, named = self.standing, {"when": words.during(self.standing.window), "where": self._named}
        if not one.limit:
            return words.nothing_allowed(one.unit).format(**named)
        if not one.remaining:
            return self._and_when(words.nothing_left(one.unit).format(**named))
        if self.outlook is not None and self.outlook.runs_out_at:
            text = words.runs_out(one.unit, one.window)
            return format_html(text, where=self._named, moment=self._by(self.outlook.runs_out_at))
        return self._and_when(words.little_left(one.unit).format(**named, **self._amounts))

    @property
    def _amounts(self) -> dict[str, str]:
        """Of money the currency is told once."""
        one = self.standing
        left = money(one.remaining) if one.unit == Unit.COST else grouped(one.remaining)
        return {"left": left, "limit": self.amount(one.limit)}

    @property
    def _named(self) -> str:
        return gettext(" for {where}").format(where=self.where) if self.where else ""

    def _and_when(self, said: str) -> str:
        if self.standing.resets_at is None:
            return f"{said}."
        pattern = gettext("{said}; it begins anew {moment}.")
        return format_html(pattern, said=said, moment=self._at(self.standing.resets_at))

    def _at(self, moment: datetime) -> SafeString:
        """`at 14:00 UTC`, or on another day `on 1 December, 00:00 UTC`."""
        if self.clock.is_today(moment):
            return format_html(gettext("at {time}"), time=self.clock.time(moment))
        return format_html(gettext("on {date}"), date=self.clock.moment(moment))

    def _by(self, moment: datetime) -> SafeString:
        """As exact as a forecast may be: the day, or today the time."""
        if self.clock.is_today(moment):
            return format_html(gettext("at {time}"), time=self.clock.time(moment))
        return format_html(gettext("on {date}"), date=self.clock.date(moment))

    def _width(self, amount: Decimal) -> int:
        return int(_WIDTH * min(amount, self.standing.limit) / self.standing.limit) if self.standing.limit else 0


def verdict(limits: Sequence[Limit], somebody_else: str = "") -> Verdict:
    """The worst that is to be said. somebody_else: whose limits these are, if not the reader's own."""
    if not limits:
        return Verdict("information", gettext("No limit is set."))
    spent = [one for one in limits if one.level == "bad"]
    if spent:
        return Verdict("bad", max(spent, key=_how_bad).sentence())
    running = [one for one in limits if one.outlook is not None and one.outlook.runs_out_at]
    if running:
        return Verdict("attention", min(running, key=_runs_out).sentence())
    short = [one for one in limits if one.is_short]
    if short:
        return Verdict("attention", max(short, key=_how_bad).sentence())
    if somebody_else:
        return Verdict("good", gettext("{name} is within all limits.").format(name=somebody_else))
    return Verdict("good", gettext("You are within all limits."))


def worst_first(limits: Iterable[Limit]) -> list[Limit]:
    """In the order in which a reader wants to know of them."""
    levels: tuple[Level, ...] = ("bad", "attention", "good")
    units, windows = list(Unit), list(Window)

    def place(one: Limit) -> tuple[int, int, int, str]:
        unit, window = Unit(one.standing.unit), Window(one.standing.window)
        return levels.index(one.level), units.index(unit), windows.index(window), one.where

    return sorted(limits, key=place)


def _about(amount: Decimal) -> Decimal:
    """No more digits than a forecast is worth."""
    return Context(prec=3).plus(amount)


def _how_bad(one: Limit) -> tuple[bool, bool, float]:
    """What holds for all providers comes before what holds for one, and what lasts longer before the rest."""
    resets_at = one.standing.resets_at
    return not one.standing.provider, resets_at is None, resets_at.timestamp() if resets_at else 0.0


def _runs_out(one: Limit) -> float:
    assert one.outlook is not None
    assert one.outlook.runs_out_at is not None
    return one.outlook.runs_out_at.timestamp()
