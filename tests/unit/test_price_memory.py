"""What a table of prices remembers of a look-up is what it would find anew."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from accounts.consumption import Consumption
from accounts.models import Price
from accounts.prices import PriceTable

NOW = datetime(2026, 3, 1, tzinfo=UTC)
DAYS = [-3, -1, 0, 1, 2, 3, 4, 5]


def row(model: str, dollars: int, days: int, *, source: str = "list") -> Price:
    return Price(
        provider_type="openai", model=model, input=Decimal(dollars), source=source, valid_from=NOW + timedelta(days)
    )


ROWS = [row("m", 1, -2), row("m", 2, 1), row("m", 3, 3), row("m", 4, 4, source=""), row("*", 5, -2), row("late", 6, 2)]


def found(table: PriceTable, model: str, day: int) -> Decimal | None:
    rates = table.find("openai", "any", [model], NOW + timedelta(days=day))
    return None if rates is None else rates.cost(Consumption(1_000_000))


@pytest.mark.parametrize("days", [DAYS, DAYS[::-1], [0, 5, 0, 1, 4, 2]], ids=["onwards", "backwards", "to and fro"])
@pytest.mark.parametrize("model", ["m", "late", "m-latest", "other"])
def test_a_price_takes_over_on_its_day(model: str, days: list[int]) -> None:
    remembering = PriceTable(ROWS)
    assert [found(remembering, model, day) for day in days] == [found(PriceTable(ROWS), model, day) for day in days]


def test_models_that_nobody_has_do_not_pile_up() -> None:
    table = PriceTable(ROWS)
    for number in range(5000):
        assert found(table, f"made up {number}", 0) == 5
    assert len(table._found) <= 1000
    assert found(table, "m", 0) == 1
