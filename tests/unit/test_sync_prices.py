"""The price list that comes with the gateway, and how sync_prices puts it into the table."""

import importlib.util
import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib import admin
from django.contrib.auth.models import AbstractBaseUser
from django.core.management import call_command
from django.test import Client

from accounts import prices
from accounts.admin_prices import PriceAdmin
from accounts.consumption import Consumption
from accounts.models import Currency, Price
from accounts.price_list import Synced, sync
from accounts.prices import PriceTable

MILLION = Consumption(1_000_000)
NOW = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.fixture
def synced(db: None) -> PriceTable:
    sync()
    return PriceTable(Price.objects.all())


def written(path: Path, *entries: dict[str, Any]) -> Path:
    """A price list with these entries."""
    path.write_text(json.dumps({"somewhere": entries}))
    return path


def entry(models: Iterable[str] = ("m",), **given: Any) -> dict[str, Any]:
    return {"type": "openai", "models": list(models), "input": "1", **given}


# Type, model, day, what was used, and its cost in dollars by the vendor's own page.
VENDORS_PRICES: dict[str, tuple[str, str, datetime, Consumption, str]] = {
    "openai": ("openai", "gpt-4o-2024-08-06", NOW, Consumption(1_000_000, 1_000_000), "12.5"),
    "openai, an older version": ("openai", "gpt-4o-2024-05-13", NOW, Consumption(1_000_000, 1_000_000), "20"),
    "anthropic": ("anthropic", "claude-sonnet-4-5-20250929", NOW, Consumption(1_000_000, 1_000_000), "18"),
    "anthropic, searching": (
        "anthropic",
        "claude-opus-4-8",
        NOW,
        Consumption(measures={"web_search_requests": 1}),
        "0.01",
    ),
    "gemini": ("gemini", "gemini-2.5-flash", NOW, Consumption(1_000_000, 1_000_000), "2.8"),
    "gemini, a version": ("gemini", "gemini-2.0-flash-001", NOW, MILLION, "0.1"),
    "before the price fell": ("openai", "o3", datetime(2025, 6, 9, 23, tzinfo=UTC), MILLION, "10"),
    "after the price fell": ("openai", "o3", datetime(2025, 6, 10, tzinfo=UTC), MILLION, "2"),
    "embeddings": ("openai", "text-embedding-3-small", NOW, MILLION, "0.02"),
    "speech": ("openai", "tts-1", NOW, Consumption(measures={"characters": 1_000_000.0}), "15"),
    "transcription": ("openai", "whisper-1", NOW, Consumption(measures={"audio_seconds": 3600.0}), "0.36"),
    "echo": ("echo", "echo", NOW, Consumption(10, 10), "0"),
}


@pytest.mark.parametrize(("type", "model", "at", "used", "cost"), VENDORS_PRICES.values(), ids=VENDORS_PRICES)
def test_vendors_prices(synced: PriceTable, type: str, model: str, at: datetime, used: Consumption, cost: str) -> None:
    rates = synced.find(type, "any", [model], at)
    assert rates is not None
    assert rates.cost(used) == Decimal(cost)


def test_what_is_not_in_the_list_is_unknown(synced: PriceTable) -> None:
    assert synced.find("openai", "any", ["unheard-of"], NOW) is None
    assert synced.find("fal", "any", ["fal-ai/flux/dev"], NOW) is None


def test_the_list_is_what_genai_prices_says() -> None:
    if importlib.util.find_spec("genai_prices") is None:
        pytest.skip("needs genai-prices")
    from checks import prices as check

    assert check.LIST.read_text(encoding="utf-8") == check.text()


def test_the_command_tells_what_it_did(db: None) -> None:
    def run() -> list[int]:
        told = StringIO()
        call_command("sync_prices", stdout=told)
        return [int(number) for number in re.findall(r"\d+", told.getvalue())]

    added, *others = run()
    assert added > 300
    assert others == [0, 0, 0]
    before = list(Price.objects.values())
    assert run() == [0, 0, 0, added]
    assert list(Price.objects.values()) == before


def test_what_the_list_no_longer_says_is_replaced(db: None, tmp_path: Path) -> None:
    assert sync(written(tmp_path / "old", entry(["a", "b", "c"]))) == Synced(3, 0, 0, 0)
    new = written(tmp_path / "new", entry(["a"]), entry(["b"], input="2", units={"images": "0.04"}), entry(["d"]))
    assert sync(new) == Synced(added=1, changed=1, removed=1, left_alone=1)
    assert dict(Price.objects.values_list("model", "input")) == {"a": 1, "b": 2, "d": 1}
    assert sync(new) == Synced(0, 0, 0, 3)


def test_what_is_written_by_hand_stays(db: None, tmp_path: Path) -> None:
    listed = written(tmp_path / "list", entry(input="1"), entry(input="2", **{"from": "2026-03-01"}))
    by_hand = {"provider_type": "openai", "model": "m", "valid_from": datetime(1970, 1, 1, tzinfo=UTC)}
    Price.objects.create(**by_hand, input=Decimal(7))
    Price.objects.create(provider_type="openai", model="other", input=Decimal(8))
    assert sync(listed) == Synced(added=1, changed=0, removed=0, left_alone=2)
    assert sync(listed) == Synced(0, 0, 0, 3)
    rates = PriceTable(Price.objects.all()).find("openai", "any", ["m"], NOW)
    assert rates and rates.cost(MILLION) == 7


def test_prices_are_in_the_one_currency(db: None, tmp_path: Path) -> None:
    listed = written(tmp_path / "list", entry(input="0.15", units={"images": "0.04"}))
    sync(listed)
    currency = Currency.objects.create(code="EUR", per_usd=Decimal("0.9"))
    assert sync(listed) == Synced(0, 1, 0, 0)
    price = Price.objects.get()
    assert (price.input, price.units) == (Decimal("0.135"), {"images": "0.036"})
    currency.delete()
    sync(listed)
    price.refresh_from_db()
    assert (price.input, price.units) == (Decimal("0.15"), {"images": "0.04"})


async def test_this_process_knows_them_at_once(transactional_db: None, tmp_path: Path) -> None:
    listed = written(tmp_path / "list", entry())
    assert (await prices.current()).find("openai", "any", ["m"], NOW) is None
    await sync_to_async(sync)(listed)
    assert (await prices.current()).find("openai", "any", ["m"], NOW) is not None


@pytest.fixture
def site(admin_client: Client, admin_user: AbstractBaseUser) -> Client:
    assert isinstance(admin.site.get_model_admin(Price), PriceAdmin)
    return admin_client


def test_a_price_that_is_changed_in_the_admin_is_by_hand(site: Client, tmp_path: Path) -> None:
    listed = written(tmp_path / "list", entry(), entry(["other"]))
    sync(listed)
    price = Price.objects.get(model="m")
    address = f"/admin/accounts/price/{price.pk}/change/"
    form = {"provider_type": "openai", "model": "m", "input": "3", "valid_from_0": "2026-01-01", "valid_from_1": "0:00"}
    refused = site.post(address, form | {"units": '{"images": "cheap"}'})
    assert "Give a price for each unit" in refused.content.decode()
    assert site.post(address, form | {"units": '{"images": "0.04"}'}).status_code == 302
    assert sync(listed) == Synced(added=1, changed=0, removed=0, left_alone=2)
    rates = PriceTable(Price.objects.all()).find("openai", "any", ["m"], NOW)
    assert rates and rates.cost(MILLION) == 3
    page = site.get("/admin/accounts/price/?written=hand&provider_type=openai&q=m").content.decode()
    assert "1 price" in page
    assert "2 prices" in site.get("/admin/accounts/price/?written=list").content.decode()


def test_there_is_one_currency(site: Client) -> None:
    add = "/admin/accounts/currency/add/"
    assert site.post(add, {"code": "EUR", "per_usd": "0.9"}).status_code == 302
    assert site.get(add).status_code == 403
    currency = Currency.objects.get()
    assert site.get(f"/admin/accounts/currency/{currency.pk}/delete/").status_code == 403
    assert (
        site.post(f"/admin/accounts/currency/{currency.pk}/change/", {"code": "CHF", "per_usd": "0.8"}).status_code
        == 302
    )
    assert Currency.objects.get().code == "CHF"


def test_old_prices_stay_for_calls_of_their_time(synced: PriceTable) -> None:
    """A call that is settled after a change of the price is charged what held when it was opened."""
    change = datetime(2025, 6, 10, tzinfo=UTC)
    before, after = (synced.find("openai", "any", ["o3"], change + timedelta(days=days)) for days in (-1, 0))
    assert before and after and before != after
