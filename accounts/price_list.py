"""The price list that comes with the gateway, and how it gets into the price table.

The list is made from genai-prices by checks/prices.py; see docs/decisions/0011-prices-as-a-file.md.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from django.db import transaction

from accounts import prices
from accounts.models import Currency, Price

LIST = Path(__file__).parent / "data" / "prices.json"

_ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)
_SMALLEST = Decimal("0.000001")  # what a column of the table tells apart
_VALUES = (*prices.BY_THE_MILLION, "units", "source")

_Key = tuple[str, str, str, datetime]


@dataclass(frozen=True, slots=True)
class Synced:
    """What became of the rows of the price table. left_alone: as the list says already, or written by hand."""

    added: int
    changed: int
    removed: int
    left_alone: int


@transaction.atomic
def sync(path: Path = LIST) -> Synced:
    """Makes the price table say what the list says, in the table's currency. Rows written by hand are never touched."""
    currency = Currency.objects.first() or Currency()
    listed = {_key(price): price for price in _read(path, currency.per_usd)}
    existing = {_key(price): price for price in Price.objects.all()}
    added = [price for key, price in listed.items() if key not in existing]
    stale = [price.pk for key, price in existing.items() if price.source and key not in listed]
    changed = [row for key, row in existing.items() if row.source and key in listed and _take_over(row, listed[key])]
    Price.objects.filter(pk__in=stale).delete()
    Price.objects.bulk_create(added)
    Price.objects.bulk_update(changed, _VALUES, batch_size=100)
    prices.note_change()
    return Synced(len(added), len(changed), len(stale), len(existing) - len(changed) - len(stale))


def _key(price: Price) -> _Key:
    return price.provider_type, price.provider, price.model, price.valid_from


def _take_over(row: Price, listed: Price) -> bool:
    """Gives a row the values of the list's; tells whether any is another."""
    differing = [name for name in _VALUES if getattr(row, name) != getattr(listed, name)]
    for name in differing:
        setattr(row, name, getattr(listed, name))
    return bool(differing)


def _read(path: Path, per_usd: Decimal) -> Iterator[Price]:
    document: Mapping[str, Iterable[Mapping[str, Any]]] = json.loads(path.read_text(encoding="utf-8"))
    for source, entries in document.items():
        for entry in entries:
            make = partial(
                Price,
                provider_type=entry["type"],
                valid_from=datetime.fromisoformat(entry["from"]).replace(tzinfo=UTC) if "from" in entry else _ALWAYS,
                units={name: _digits(Decimal(amount) * per_usd) for name, amount in entry.get("units", {}).items()},
                source=source,
                **{
                    name: (Decimal(entry[name]) * per_usd).quantize(_SMALLEST)
                    for name in prices.BY_THE_MILLION
                    if name in entry
                },
            )
            yield from (make(model=model) for model in entry["models"])


def _digits(amount: Decimal) -> str:
    return f"{amount.normalize():f}"
