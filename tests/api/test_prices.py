"""The price table of a gateway: there from the first start on, and the same on both databases."""

import pytest

from tests.gateway import Gateway

ROWS = "select count(*), sum(input) from accounts_price where source <> ''"


def test_a_first_start_fills_the_table(gateway: Gateway) -> None:
    told = gateway.manage("sync_prices")
    number = int(told.split()[-3])
    assert number > 300
    assert told == f"Prices: 0 added, 0 changed, 0 removed, {number} left alone.\n"


@pytest.mark.postgresql
def test_prices_in_another_currency_on_postgresql(on_postgresql: Gateway) -> None:
    number, before = on_postgresql.rows(ROWS)[0]
    euro = "from accounts.models import Currency; Currency.objects.create(code='EUR', per_usd='0.5')"
    on_postgresql.python(euro)
    told = on_postgresql.manage("sync_prices")
    assert told == f"Prices: 0 added, {number - 1} changed, 0 removed, 1 left alone.\n", "what is free stays so"
    assert on_postgresql.rows(ROWS) == [(number, before / 2)]
