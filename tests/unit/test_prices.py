"""What a call costs: rates, and where they are found."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from hypothesis import given
from hypothesis import strategies as st

from accounts import prices
from accounts.consumption import Consumption
from accounts.models import Price
from accounts.prices import PriceTable, Rates, from_units, to_units

PLAIN: dict[str, Any] = {"input": Decimal(2), "output": Decimal(8)}
ALL: dict[str, Any] = PLAIN | {
    "cached": Decimal("0.5"),
    "cache_write": Decimal("2.5"),
    "reasoning": Decimal(9),
    "audio_input": Decimal(40),
    "audio_output": Decimal(80),
    "units": {"web_search_requests": "0.01"},
}
EMBEDDING: dict[str, Any] = {"input": Decimal("0.02")}
PICTURES: dict[str, Any] = {"units": {"images": "0.04"}}
SPEECH: dict[str, Any] = {"units": {"characters": "0.00003", "audio_seconds": 0.0001, "credits": "many"}}

# What the prices by the million (and by the unit) are, what was used, and what that costs.
COSTS: dict[str, tuple[dict[str, Any], Consumption, str | None]] = {
    "plain": (PLAIN, Consumption(1000, 500), "0.006"),
    "one token": (EMBEDDING, Consumption(1), "0.00000002"),
    "nothing": (PLAIN, Consumption(), "0"),
    "nothing, no prices": ({}, Consumption(), "0"),
    "nothing, measured": ({}, Consumption(measures={"characters": 0.0}), "0"),
    "unknown": ({}, Consumption(1), None),
    "no input price": ({"output": Decimal(8)}, Consumption(1, 1), None),
    "no output price": (EMBEDDING, Consumption(10, 1), None),
    "no output": (EMBEDDING, Consumption(1_000_000), "0.02"),
    "cached, no price of its own": (PLAIN, Consumption(1000, 0, cached=400), "0.002"),
    "cached": (ALL, Consumption(1000, 0, cached=400), "0.0014"),
    "cached and written": (ALL, Consumption(1000, 0, cached=400, cache_write=100), "0.00145"),
    "all of it cached, no other price": ({"cached": Decimal(1)}, Consumption(1000, cached=1000), "0.001"),
    "more cached than there is": (ALL, Consumption(100, cached=150, cache_write=50), "0.00005"),
    "thoughts": (ALL, Consumption(0, 1000, reasoning=600), "0.0086"),
    "thoughts, no price of their own": (PLAIN, Consumption(0, 1000, reasoning=600), "0.008"),
    "heard": (ALL, Consumption(1000, 0, measures={"audio_input_tokens": 900.0}), "0.0362"),
    "heard, no price of its own": (PLAIN, Consumption(1000, 0, measures={"audio_input_tokens": 900.0}), "0.002"),
    "said aloud": (ALL, Consumption(0, 1000, reasoning=500, measures={"audio_output_tokens": 400.0}), "0.0373"),
    "searches beside tokens": (ALL, Consumption(1000, 0, measures={"web_search_requests": 3.0}), "0.032"),
    "searches without a price": (PLAIN, Consumption(1000, 0, measures={"web_search_requests": 3.0}), "0.002"),
    "pictures": (PICTURES, Consumption(measures={"images": 3.0}), "0.12"),
    "pictures at a model of tokens": (PLAIN, Consumption(measures={"images": 3.0}), None),
    "pictures at a free model": (
        {"input": Decimal(0), "output": Decimal(0)},
        Consumption(measures={"images": 1.0}),
        None,
    ),
    "one of two measures": (SPEECH, Consumption(measures={"characters": 7.0, "billable_units": 1.0}), "0.00021"),
    "seconds, priced by a JSON number": (SPEECH, Consumption(measures={"audio_seconds": 12.25}), "0.001225"),
    "a price that is none": (SPEECH, Consumption(measures={"credits": 1.0}), None),
    "half, to the even": ({"units": {"n": "0.00000000005"}}, Consumption(measures={"n": 1.0}), "0"),
    "one and a half, to the even": (
        {"units": {"n": "0.00000000015"}},
        Consumption(measures={"n": 1.0}),
        "0.0000000002",
    ),
    "more than anybody uses": (PLAIN, Consumption(2**53, 2**53), "90071992547.4099200000"),
}


def rates(**given: Any) -> Rates:
    return Rates.of(Price(provider_type="openai", model="m", **given))


@pytest.mark.parametrize(("given", "used", "cost"), COSTS.values(), ids=COSTS)
def test_cost(given: dict[str, Any], used: Consumption, cost: str | None) -> None:
    found = rates(**given).cost(used)
    assert found == (None if cost is None else Decimal(cost))
    assert found is None or found.as_tuple().exponent == -10


MOSTS: dict[str, tuple[dict[str, Any], int, int, str | None]] = {
    "plain": (PLAIN, 1000, 500, "0.006"),
    "the dearest kinds": (ALL, 1000, 100, "0.048"),
    "nothing": ({}, 0, 0, "0"),
    "no prices": ({}, 1, 0, None),
    "no output price": (EMBEDDING, 1, 1, None),
    "no output": (EMBEDDING, 1, 0, "0.00000002"),
    "only a part is priced": ({"cached": Decimal(1)}, 1, 0, None),
    "free": ({"input": Decimal(0), "output": Decimal(0)}, 10, 10, "0"),
    "upwards": ({"input": Decimal("0.000001")}, 1, 0, "0.0000000001"),
}


@pytest.mark.parametrize(("given", "sent", "received", "most"), MOSTS.values(), ids=MOSTS)
def test_most(given: dict[str, Any], sent: int, received: int, most: str | None) -> None:
    assert rates(**given).most(sent, received) == (None if most is None else Decimal(most))


amounts = st.none() | st.decimals(0, 1000, places=6)
tokens = st.integers(0, 10**7)


@given(
    given=st.fixed_dictionaries(dict.fromkeys(prices.BY_THE_MILLION, amounts)),
    used=st.builds(
        Consumption,
        *[tokens] * 5,
        measures=st.none() | st.fixed_dictionaries(dict.fromkeys((prices.AUDIO_INPUT, prices.AUDIO_OUTPUT), tokens)),
    ),
)
def test_no_call_costs_more_than_the_most(given: dict[str, Any], used: Consumption) -> None:
    found = rates(**given)
    most, cost = found.most(used.input, used.output), found.cost(used)
    if most is not None:
        assert cost is not None
        assert 0 <= cost <= most


@given(st.decimals(0, 10**8, places=12))
def test_whole_units_are_rounded_up(amount: Decimal) -> None:
    units = to_units(amount)
    assert 0 <= from_units(units) - amount < prices.AMOUNT
    assert to_units(from_units(units)) == units


def test_whole_units() -> None:
    assert to_units(Decimal("0.00000000011")) == 2
    assert from_units(15_000_000_000) == Decimal("1.5")


NOW = datetime(2026, 6, 1, tzinfo=UTC)
EVER = datetime(1970, 1, 1, tzinfo=UTC)


def row(model: str, price: int, *, provider: str = "", type: str = "openai", by: str = "list", days: int = 0) -> Price:
    """A price from so many days after NOW on; from ever without them."""
    valid_from = NOW + timedelta(days=days) if days else EVER
    return Price(
        provider_type=type, provider=provider, model=model, valid_from=valid_from, input=Decimal(price), source=by
    )


TABLE = [
    row("gpt-4o", 1),
    row("gpt-4o", 2, provider="mine"),
    row("gpt-4o-2024-05-13", 3),
    row("changing", 4),
    row("changing", 5, days=-30),
    row("changing", 6, days=30),
    row("by-hand", 7, by="", days=-60),
    row("by-hand", 8, days=-30),
    row("by-hand", 9, by="", days=30),
    row("later", 10, days=30),
    row("claude-sonnet-4-5", 11, type="anthropic"),
    row("claude@latest", 12, type="anthropic"),
    row("*", 13, type="anthropic"),
    row("*", 14, provider="all-alike"),
]

FOUND: dict[str, tuple[tuple[str, str, list[str], int], int | None]] = {
    "by its type": (("openai", "other", ["gpt-4o"], 0), 1),
    "by its provider": (("openai", "mine", ["gpt-4o"], 0), 2),
    "of another type": (("gemini", "other", ["gpt-4o"], 0), None),
    "its version has a price": (("openai", "mine", ["gpt-4o-2024-05-13"], 0), 3),
    "without its version": (("openai", "other", ["gpt-4o-2024-07-18"], 0), 1),
    "without its version, by its provider": (("openai", "mine", ["gpt-4o-2024-07-18"], 0), 2),
    "latest": (("openai", "other", ["gpt-4o-latest"], 0), 1),
    "a version in eight digits": (("anthropic", "a", ["claude-sonnet-4-5-20250929"], 0), 11),
    "a version behind an at sign": (("anthropic", "a", ["claude-sonnet-4-5@20250929"], 0), 11),
    "a version in three digits": (("openai", "other", ["gpt-4o-001"], 0), 1),
    "other letters": (("openai", "other", ["GPT-4o"], 0), None),
    "a longer name": (("openai", "other", ["gpt-4o-mini"], 0), None),
    "unknown": (("openai", "other", ["unheard-of"], 0), None),
    "no name": (("openai", "other", [""], 0), None),
    "no names": (("anthropic", "a", [], 0), 13),
    "the first of two": (("openai", "other", ["changing", "gpt-4o"], 0), 5),
    "the second of two": (("openai", "other", ["unheard-of", "gpt-4o"], 0), 1),
    "any of the type": (("anthropic", "a", ["unheard-of"], 0), 13),
    "any of the provider": (("openai", "all-alike", ["unheard-of"], 0), 14),
    "its own before any": (("openai", "all-alike", ["unheard-of", "gpt-4o"], 0), 1),
    "today": (("openai", "other", ["changing"], 0), 5),
    "long ago": (("openai", "other", ["changing"], -31), 4),
    "on the first day": (("openai", "other", ["changing"], 30), 6),
    "not yet": (("openai", "other", ["later"], 0), None),
    "by hand, whatever came later": (("openai", "other", ["by-hand"], 0), 7),
    "by hand, later": (("openai", "other", ["by-hand"], 31), 9),
    "before the first by hand": (("openai", "other", ["by-hand"], -61), None),
}


@pytest.mark.parametrize(("asked", "price"), FOUND.values(), ids=FOUND)
def test_find(asked: tuple[str, str, list[str], int], price: int | None) -> None:
    provider_type, provider, models, days = asked
    found = PriceTable(TABLE).find(provider_type, provider, models, NOW + timedelta(days=days))
    cost = None if found is None else found.cost(Consumption(1_000_000))
    assert cost == price


async def test_a_change_shows_at_once(transactional_db: None) -> None:
    async def cost() -> Decimal | None:
        found = (await prices.current()).find("openai", "any", ["m"], datetime.now(UTC))
        return None if found is None else found.cost(Consumption(1_000_000))

    assert await cost() is None
    price = await Price.objects.acreate(provider_type="openai", model="m", input=Decimal(3))
    assert await cost() == 3
    price.input = Decimal(4)
    await price.asave()
    assert await cost() == 4
    await sync_to_async(price.delete)()
    assert await cost() is None
