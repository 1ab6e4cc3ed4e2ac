"""Fails when the price list is not what the pinned genai-prices says; with --write, writes it.

python -m checks.prices [--write]
"""

import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from genai_prices.data import providers
from genai_prices.types import (
    ClauseEquals,
    ClauseOr,
    ClauseStartsWith,
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    Provider,
    StartDateConstraint,
    TieredPrices,
)

LIST = Path("accounts/data/prices.json")

_TYPES = {"openai": "openai", "anthropic": "anthropic", "google": "gemini", "elevenlabs": "elevenlabs"}  # theirs: ours
_TOKENS = {
    "input": "input_mtok",
    "cached": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "audio_input": "input_audio_mtok",
    "audio_output": "output_audio_mtok",
}
# What else is measured, and how many of it a price is for.
_UNITS = {
    "audio_seconds": ("audio_hours", 3600),
    "characters": ("input_mchars", 1_000_000),
    "web_search_requests": ("web_searches_kcount", 1000),
}
_FREE = {"type": "echo", "models": ["*"], "input": "0", "output": "0"}

_Entry = dict[str, Any]


def entries() -> dict[str, list[_Entry]]:
    """The list: by where the prices come from, each price once with the names of all models that have it."""
    found = [entry for provider in providers if provider.id in _TYPES for entry in _of_provider(provider)]
    return {"genai-prices": found, "gateway": [_FREE]}


def _of_provider(provider: Provider) -> Iterator[_Entry]:
    names: dict[str, list[str]] = defaultdict(list)
    for name in sorted({name for model in provider.models for name in (model.id, *_names(model.match))}):
        # A name may be in one model's pattern and belong to another: the library decides.
        model = provider.find_model(name) if name[-1].isalnum() else None
        if model is not None:
            names[model.id].append(name)
    for model in provider.models:
        prices = model.prices if isinstance(model.prices, list) else [ConditionalPrice(prices=model.prices)]
        for conditional in prices:
            priced = {**_tokens(conditional.prices, model), **_others(conditional.prices)}
            if priced and names[model.id]:
                yield {"type": _TYPES[provider.id], "models": names[model.id], **_beginning(conditional), **priced}


def _names(match: Any) -> Iterator[str]:
    """The names that a pattern gives in full; those that add a version to one are known by it."""
    if isinstance(match, ClauseOr):
        for clause in match.or_:
            yield from _names(clause)
    elif isinstance(match, ClauseEquals):
        yield match.equals
    elif isinstance(match, ClauseStartsWith):
        yield match.starts_with


def _beginning(price: ConditionalPrice) -> Mapping[str, str]:
    if price.constraint is None:
        return {}
    if isinstance(price.constraint, StartDateConstraint):
        return {"from": price.constraint.start_date.isoformat()}
    raise ValueError(
        f"A price depends on {price.constraint}. The table knows dates only: leave it out, or add a column."
    )


def _tokens(prices: ModelPrice, model: ModelInfo) -> Mapping[str, str]:
    found = {name: _base(getattr(prices, key)) for name, key in _TOKENS.items()}
    # Nearly all that a model writes which draws is pictures, and vendors count them with the rest of its output.
    pictures = _base(prices.output_image_mtok) or _base(prices.output_video_mtok)
    written = _base(prices.output_mtok)
    found["output"] = written if pictures is None or written is None else max(written, pictures)
    if "embedding" in model.id:
        found["output"] = Decimal(0)  # it has none
    return {name: _digits(price) for name, price in found.items() if price is not None}


def _others(prices: ModelPrice) -> Mapping[str, Mapping[str, str]]:
    found = {name: (_base(getattr(prices, key)), per) for name, (key, per) in _UNITS.items()}
    units = {name: _digits(price / per) for name, (price, per) in found.items() if price is not None}
    return {"units": units} if units else {}


def _base(price: Any) -> Decimal | None:
    """A price; of one that rises with the length of the context, that of a short one."""
    return price.base if isinstance(price, TieredPrices) else price


def _digits(amount: Decimal) -> str:
    return f"{round(amount, 20).normalize():f}"


def text() -> str:
    """The list as it is kept: one price a line, so that a change can be read."""
    parts = []
    for source, listed in entries().items():
        lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in listed)
        parts.append(f"{json.dumps(source)}: [\n{lines}\n]")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def main() -> int:
    if "--write" in sys.argv[1:]:
        LIST.write_text(text(), encoding="utf-8")
    elif LIST.read_text(encoding="utf-8") != text():
        print(f"{LIST} is not what genai-prices says. Write it anew: python -m checks.prices --write")
        return 1
    print(f"{LIST} is what genai-prices says")
    return 0


if __name__ == "__main__":
    sys.exit(main())
