"""A race for the last places: two processes let in as many calls as a quota has room for, and not one more."""

import time
from dataclasses import dataclass, field
from typing import Any

from tests.ledger_processes import Database, LedgerProcess, processes, sampled

LIMIT = 100  # calls
AT_ONCE = 500
_BOUND = {"input": 10, "output": 20, "least_output": 20, "base_cost": 10_000, "output_cost": 10**9}
_TOKENS = 30  # that each may take, and
_COST = 30_000  # in 10⁻¹⁰ of the currency


@dataclass(frozen=True)
class Race:
    """quotas: see `make` in tests/ledger_child.py. before: calls that the caller has made when it begins."""

    name: str
    quotas: list[dict[str, Any]] = field(default_factory=list)
    before: int = 0


def _places(unit: str, places: int, window: str = "month", of: str = "user") -> dict[str, Any]:
    """A quota with room for so many calls."""
    each = {"tokens": _TOKENS, "cost": _COST / 10**10}.get(unit, 1)
    return {"unit": unit, "window": "total" if unit == "concurrency" else window, "limit": places * each, "of": of}


RACES = [
    Race("first calls", [_places("requests", LIMIT, of="everybody")]),
    Race("requests", [_places("requests", LIMIT + 1)], before=1),
    Race("tokens", [_places("tokens", LIMIT + 1)], before=1),
    Race("cost", [_places("cost", LIMIT + 1)], before=1),
    Race("concurrency", [_places("concurrency", LIMIT)], before=1),
    Race(
        "several",
        [
            _places("requests", 170),
            _places("tokens", LIMIT, "total", "everybody"),
            _places("cost", 130),
            _places("concurrency", 120),
            _places("requests", 10_000, of="group"),
        ],
    ),
]
_SUMS = "select scope, unit, used + reserved from accounts_counter"


def run(database: Database, race: Race, rounds: int) -> None:
    """Asserts that each round lets in LIMIT calls, and that no counter was ever seen above its limit."""
    limits = {quota["unit"]: _in_counters(quota) for quota in race.quotas if quota["of"] != "group"}
    with processes(database, f"{race.name} one", f"{race.name} two") as pair, sampled(database, _SUMS) as seen:
        users = [f"{race.name}-{number}" for number in range(rounds)]
        assert pair[0].do("make", users=users, group=race.name, quotas=race.quotas) == rounds
        for user in users:
            _one_round(pair, user, race)
    assert not {row for row in seen if row[0].startswith("user:") and row[2] > limits[row[1]]}
    assert len(seen) > rounds
    assert database.rows("select count(*) from accounts_call") == [(rounds * (LIMIT + race.before),)]
    assert database.rows("select count(*) from accounts_counter where reserved <> 0") == [(0,)]


def _one_round(pair: list[LedgerProcess], user: str, race: Race) -> None:
    if race.before:
        assert pair[0].do("admit", user=user, count=race.before, bound=_BOUND) == race.before
        assert pair[0].do("settle", input_tokens=10, output_tokens=20, cost="0.000003") == race.before
    start = time.time() + 0.05
    for one in pair:
        one.ask("admit", user=user, count=AT_ONCE // 2, bound=_BOUND, at=start)
    assert sum(one.answer() for one in pair) == LIMIT
    for one in pair:
        one.do("settle", input_tokens=10, output_tokens=20, cost="0.000003")


def _in_counters(quota: dict[str, Any]) -> int:
    amount: float = quota["limit"] * (10**10 if quota["unit"] == "cost" else 1)
    return round(amount)
