"""What a call costs: the rates of its model, and where they are found."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from typing import Any

from accounts.consumption import Consumption
from accounts.models.price import ANY_MODEL, Price
from storage.snapshot import Snapshot

AMOUNT = Decimal("1E-10")  # the smallest amount of the currency that is told apart
REFRESH_SECONDS = 2.0
AUDIO_INPUT = "audio_input_tokens"  # measures that are part of the input and of the output
AUDIO_OUTPUT = "audio_output_tokens"
BY_THE_MILLION = ("input", "output", "cached", "cache_write", "reasoning", "audio_input", "audio_output")

_MILLION = Decimal(1_000_000)
_FOUND_MOST = 1000  # models that are remembered
_ZERO = Decimal(0)
_PRECISION = 60  # digits: enough that no amount is rounded before its end
_NEAREST = Context(prec=_PRECISION, rounding=ROUND_HALF_EVEN)
_UPWARDS = Context(prec=_PRECISION, rounding=ROUND_CEILING)

# How vendors mark a version of a model: gpt-4o-2024-07-18, claude-sonnet-4-5-20250929, …-latest, …@20250929,
# gemini-2.0-flash-001.
_VERSION = re.compile(r"(-\d{4}-\d{2}-\d{2}|[-@]\d{8}|-latest|-\d{3})$")

Amount = int | Decimal
_Charge = tuple[Amount, Decimal | None]  # so many, at this price each; None where that is unknown


@dataclass(frozen=True, slots=True)
class Rates:
    """What a model costs, in the currency, by the single token and by the single unit. None is unknown, never free.

    cached, cache_write and audio_input are parts of the input that may have a price of their own; reasoning and
    audio_output are parts of the output. units: by the name of a measure.
    """

    input: Decimal | None = None
    output: Decimal | None = None
    cached: Decimal | None = None
    cache_write: Decimal | None = None
    reasoning: Decimal | None = None
    audio_input: Decimal | None = None
    audio_output: Decimal | None = None
    units: Mapping[str, Decimal] = field(default_factory=dict)
    _dearest_input: Decimal | None = field(init=False, repr=False, compare=False)
    _dearest_output: Decimal | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # As a frozen dataclass sets its own.
        dearest_input = _dearest(self.input, self.cached, self.cache_write, self.audio_input)
        object.__setattr__(self, "_dearest_input", dearest_input)
        object.__setattr__(self, "_dearest_output", _dearest(self.output, self.reasoning, self.audio_output))

    @classmethod
    def of(cls, price: Price) -> "Rates":
        """The rates that a row gives. What is no sound amount in its `units` has no price."""
        given = {name: getattr(price, name) for name in BY_THE_MILLION}
        tokens = {name: amount / _MILLION for name, amount in given.items() if amount is not None}
        return cls(units=dict(_sound(price.units)), **tokens)

    def cost(self, used: Consumption) -> Decimal | None:
        """What this costs, to ten decimals; None where something was used whose price is unknown.

        Of the measures those are charged that have a price. A call without tokens must have one that does, unless it
        used nothing at all.
        """
        total = _ZERO
        for amount, price in self._charges(used):
            if price is None:
                return None
            total = _NEAREST.add(total, _NEAREST.multiply(amount, price))
        return total.quantize(AMOUNT, context=_NEAREST)

    def most(self, input_tokens: int, output_tokens: int) -> Decimal | None:
        """The most that a call costs which uses no more tokens than these; None where the price of some is unknown.

        What is priced by other units is not in it.
        """
        total = _ZERO
        for tokens, price in ((input_tokens, self._dearest_input), (output_tokens, self._dearest_output)):
            if tokens and price is None:
                return None
            total = _UPWARDS.add(total, _UPWARDS.multiply(tokens, price or _ZERO))
        return total.quantize(AMOUNT, context=_UPWARDS)

    def _charges(self, used: Consumption) -> list[_Charge]:
        measures: dict[str, Amount] = {
            name: amount if isinstance(amount, int) else Decimal(str(amount))
            for name, amount in (used.measures or {}).items()
            if amount > 0
        }
        audio_input, audio_output = measures.pop(AUDIO_INPUT, 0), measures.pop(AUDIO_OUTPUT, 0)
        cached = ((used.cached, self.cached), (used.cache_write, self.cache_write), (audio_input, self.audio_input))
        charges = _in_parts(used.input, self.input, cached)
        charges += _in_parts(
            used.output, self.output, ((used.reasoning, self.reasoning), (audio_output, self.audio_output))
        )
        priced = [(amount, self.units[name]) for name, amount in measures.items() if name in self.units]
        if measures and not priced and not used.input and not used.output:
            charges.append((1, None))
        return charges + priced


def _in_parts(whole: Amount, price: Decimal | None, parts: Iterable[_Charge]) -> list[_Charge]:
    """Each part at its own price where it has one, and what is left of the whole at the whole's. Never one twice."""
    charges: list[_Charge] = []
    for amount, own_price in parts:
        if amount and own_price is not None:
            apart = min(amount, whole)
            whole = _NEAREST.subtract(whole, apart)
            charges.append((apart, own_price))
    return [*charges, (whole, price)] if whole else charges


def _dearest(whole: Decimal | None, *parts: Decimal | None) -> Decimal | None:
    """The highest price of a whole and its parts; None where that of the whole is unknown."""
    return None if whole is None else max(whole, *(part for part in parts if part is not None), _ZERO)


def _sound(units: Any) -> Iterator[tuple[str, Decimal]]:
    for name, given in units.items() if isinstance(units, dict) else ():
        amount = sound_amount(given)
        if amount is not None:
            yield name, amount


def sound_amount(given: Any) -> Decimal | None:
    """A price as people and JSON write one, as a number or in digits; None for what is none."""
    try:
        amount = Decimal(str(given))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and amount >= 0 else None


def to_units(amount: Decimal) -> int:
    """An amount of the currency in whole AMOUNTs, as counters keep it, rounded up."""
    return int((amount / AMOUNT).to_integral_value(ROUND_CEILING))


def from_units(units: int) -> Decimal:
    """The amount of the currency that so many AMOUNTs are."""
    return units * AMOUNT


class PriceTable:
    """The prices of all models at all times."""

    def __init__(self, prices: Iterable[Price] = ()) -> None:
        rows: dict[tuple[str, str, str], list[tuple[bool, datetime, Rates]]] = defaultdict(list)
        for price in prices:
            key = (price.provider_type, price.provider, price.model)
            rows[key].append((not price.source, price.valid_from, Rates.of(price)))
        self._found: dict[tuple[str, ...], _Found] = {}
        self._rows = {key: sorted(ages, key=lambda row: row[:2], reverse=True) for key, ages in rows.items()}

    def find(self, provider_type: str, provider: str, models: Sequence[str], at: datetime) -> Rates | None:
        """The rates at a provider, by its type and name, at a time; None where no price is known.

        models: the names of the model, the most telling first. Of each its own price comes first, then that of the
        model whose version it is, and that at this provider before that of the type. After all of them comes what a
        row gives for any model. Of the rows that are valid by then the latest counts; but one that was written by hand
        stands until another by hand takes its place. Names are case-sensitive.
        """
        asked = (provider_type, provider, *models)
        found = self._found.get(asked)
        if found is None or not found.since <= at < found.until:
            if len(self._found) >= _FOUND_MOST:
                self._found.clear()  # callers name what models they like
            found = self._found[asked] = self._look_up(asked, at)
        return found.rates

    def _look_up(self, asked: tuple[str, ...], at: datetime) -> "_Found":
        provider_type, provider, *models = asked
        until = datetime.max.replace(tzinfo=UTC)
        for name in [*(name for model in models for name in (model, _VERSION.sub("", model))), ANY_MODEL]:
            for place in (provider, ""):
                for _, valid_from, rates in self._rows.get((provider_type, place, name), ()):
                    if valid_from <= at:
                        return _Found(rates, at, until)
                    until = min(until, valid_from)
        return _Found(None, at, until)


@dataclass(frozen=True, slots=True)
class _Found:
    """What was found for a model, and for which time it holds."""

    rates: Rates | None
    since: datetime
    until: datetime


_snapshot: Snapshot[PriceTable] = Snapshot(lambda: PriceTable(Price.objects.all()), REFRESH_SECONDS)
# Here, because who has not imported this module keeps no prices that could be out of date.
_snapshot.watch(Price)


async def current() -> PriceTable:
    """All prices. Raises StorageUnavailable when they must be read and the database is away."""
    return await _snapshot.current()


def note_change() -> None:
    """Has the prices read again in this process. For changes of many rows at once, which send no signals."""
    _snapshot.note_change()
