"""What a call took, as it is counted and written down."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Consumption:
    """What a call took, in tokens: `cached` and `cache_write` are part of the input, `reasoning` of the output.

    measures: whatever else its vendor counts, by name. `estimated`: counted by us, not by the vendor.
    """

    input: int = 0
    output: int = 0
    cached: int = 0
    cache_write: int = 0
    reasoning: int = 0
    measures: Mapping[str, float] | None = None
    estimated: bool = False

    def __add__(self, other: "Consumption") -> "Consumption":
        """What two attempts at a call took together."""
        measures = dict(self.measures or {})
        for name, amount in (other.measures or {}).items():
            measures[name] = measures.get(name, 0) + amount
        return Consumption(
            self.input + other.input,
            self.output + other.output,
            self.cached + other.cached,
            self.cache_write + other.cache_write,
            self.reasoning + other.reasoning,
            measures or None,
            self.estimated or other.estimated,
        )

    def columns(self) -> tuple[Any, ...]:
        """The values of CONSUMED."""
        measures = None if self.measures is None else json.dumps(dict(self.measures))
        return (self.input, self.output, self.cached, self.cache_write, self.reasoning, measures, self.estimated)


CONSUMED = (
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "measures",
    "estimated",
)
