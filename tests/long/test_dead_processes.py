"""Processes that are killed or frozen with calls open, and processes that do everything at once."""

import logging
import os
import signal
import time
from pathlib import Path

import pytest

from accounts import leases
from tests.ledger_processes import KINDS, Database, LedgerProcess, processes, scratch

logger = logging.getLogger("tests")

pytestmark = pytest.mark.long
_CALLS = 100
_GRACE = 8.0  # seconds: some renewals of a lease, on a busy machine
_BOUND = {"input": 10, "output": 20, "base_cost": 10_000, "output_cost": 10**9}
_QUOTAS = [
    {"unit": "requests", "window": "month", "limit": 100_000},
    {"unit": "tokens", "window": "month", "limit": 100_000},
    {"unit": "cost", "window": "month", "limit": 1},
    {"unit": "concurrency", "window": "total", "limit": 200},
]
_STATES = (
    "select state, count(*), sum(input_tokens), sum(output_tokens) from accounts_call group by state order by state"
)
_COUNTERS = "select unit, used, reserved from accounts_counter order by unit"
_RESERVED = [("concurrency", 0, 0), ("cost", 3_000_000, 0), ("requests", _CALLS, 0), ("tokens", 3_000, 0)]


def open_calls(one: LedgerProcess, other: LedgerProcess) -> None:
    """Opens calls in one process; the other has made one, so it watches over leases too."""
    one.do("make", users=["caller", "watcher"], group="all", quotas=[])
    other.do("admit", user="watcher", count=1, bound=_BOUND)
    other.do("settle", input_tokens=0, output_tokens=0)
    one.do("make", users=[], group="all", quotas=_QUOTAS)
    assert one.do("admit", user="caller", count=_CALLS, bound=_BOUND) == _CALLS


def wait_until_none_is_open(database: Database, since: float) -> None:
    """Asserts that it takes no longer than a lease lasts, and that nothing is closed before."""
    while database.rows("select count(*) from accounts_call where state = 'open'") != [(0,)]:
        assert time.monotonic() - since < leases.TERM + _GRACE
        time.sleep(0.1)
    assert time.monotonic() - since > leases.TERM - 3


@pytest.mark.parametrize("kind", KINDS)
def test_calls_of_a_killed_process_are_lost(kind: str, tmp_path: Path) -> None:
    with scratch(kind, tmp_path) as database, processes(database, "dies", "watches", "too") as (dies, watches, too):
        open_calls(dies, watches)
        too.do("admit", user="watcher", count=1, bound=_BOUND)
        too.do("settle", input_tokens=0, output_tokens=0, cost="0")
        time.sleep(2 * _GRACE)  # living processes lose nothing, however long their calls last
        assert database.rows("select count(*) from accounts_call where state = 'open'") == [(_CALLS,)]
        killed = time.monotonic()
        dies.process.kill()
        wait_until_none_is_open(database, killed)
        lost = ("lost", _CALLS, 10 * _CALLS, 20 * _CALLS)
        assert lost in database.rows(_STATES)
        rows = database.rows("select unit, used, reserved from accounts_counter where used > 1 order by unit")
        assert rows == [row for row in _RESERVED if row[1]]
        assert database.rows("select sum(reserved) from accounts_counter") == [(0,)]
        assert [log.count("as lost") for log in (watches.log() + too.log(),)] == [1]


@pytest.mark.parametrize("kind", KINDS)
def test_a_frozen_process_wakes_and_corrects(kind: str, tmp_path: Path) -> None:
    with scratch(kind, tmp_path) as database, processes(database, "sleeps", "watches") as (sleeps, watches):
        open_calls(sleeps, watches)
        frozen = time.monotonic()
        os.kill(sleeps.process.pid, signal.SIGSTOP)
        try:
            wait_until_none_is_open(database, frozen)
            assert database.rows(_COUNTERS) == _RESERVED
        finally:
            os.kill(sleeps.process.pid, signal.SIGCONT)
        assert sleeps.do("settle", input_tokens=10, output_tokens=5, cost="0.0000015") == _CALLS
        assert ("done", _CALLS + 1, 10 * _CALLS, 5 * _CALLS) in database.rows(_STATES)
        corrected = [("concurrency", 0, 0), ("cost", 1_500_000, 0), ("requests", _CALLS, 0), ("tokens", 1_500, 0)]
        assert database.rows(_COUNTERS) == corrected
        assert sleeps.do("admit", user="caller", count=5, bound=_BOUND) == 5, "it goes on"
        time.sleep(5)
        assert database.rows("select count(*) from accounts_call where state = 'open'") == [(5,)]


@pytest.mark.parametrize("kind", KINDS)
def test_everything_at_once_in_two_processes(kind: str, tmp_path: Path) -> None:
    seconds = 20.0
    users = [f"user-{number}" for number in range(12)]
    quotas = [*_QUOTAS, {"unit": "tokens", "window": "minute", "limit": 2_000_000, "of": "group"}]
    with scratch(kind, tmp_path) as database, processes(database, "one", "two", "admin") as (*pair, admin):
        admin.do("make", users=users, group="all", quotas=quotas)
        admin.ask("administrate", seconds=seconds)
        for one in pair:
            one.ask("mix", users=users, seconds=seconds, at_once=32)
        done = [one.answer() for one in pair]
        assert admin.answer() > seconds
        logger.info("%s, in %.0f s: %s", kind, seconds, done)
        assert all(one["admitted"] > 50 * seconds for one in done)
        admitted = sum(one["admitted"] for one in done)
        assert database.rows("select state, count(*) from accounts_call group by state") == [("done", admitted)]
        assert database.rows("select count(*) from accounts_counter where reserved <> 0") == [(0,)]
        for one in (*pair, admin):
            assert "deadlock" not in one.log()
            assert "ERROR" not in one.log(), one.log()
