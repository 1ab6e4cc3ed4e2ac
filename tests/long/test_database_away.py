"""The database goes away in mid-work: new calls are refused, running ones finish, and no row is lost or doubled."""

import os
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from tests.away import FAULTS, Away, goes_and_comes_back, set_up
from tests.ledger_processes import scratch
from tests.upstream import Upstream

pytestmark = pytest.mark.long
_CALLERS = 16
_RESTARTS = 10
_AFTERWARDS = 200


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.postgresql) if fault.kind == "postgresql" else name
        for name, fault in FAULTS.items()
    ],
)
def test_it_goes_and_comes_back(tmp_path: Path, upstream: Upstream, name: str) -> None:
    with scratch(FAULTS[name].kind, tmp_path / "var") as database, set_up(database, upstream) as away:
        goes_and_comes_back(away, FAULTS[name], calls_after=_AFTERWARDS)


def _restart(away: Away) -> None:
    """As PostgreSQL's connections see a restart: each is ended, and none is made for a moment."""
    assert away.link is not None
    with psycopg.connect(os.environ["TEST_POSTGRESQL_URL"], autocommit=True) as server:
        name = away.database.environment["DATABASE_URL"].rpartition("/")[2]
        server.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name])
    away.link.go_away()
    time.sleep(0.2)
    away.link.come_back()


@pytest.mark.postgresql
def test_it_restarts_under_load(tmp_path: Path, upstream: Upstream) -> None:
    over = threading.Event()

    def call_until_over() -> Counter[int]:
        seen: Counter[int] = Counter()
        while not over.is_set():
            seen[away.call().status_code] += 1
        return seen

    with scratch("postgresql", tmp_path / "var") as database, set_up(database, upstream) as away:
        with ThreadPoolExecutor(_CALLERS) as pool:
            callers = [pool.submit(call_until_over) for _ in range(_CALLERS)]
            for _ in range(_RESTARTS):
                time.sleep(0.8)
                _restart(away)
            time.sleep(3)
            over.set()
            seen = sum((caller.result() for caller in callers), Counter[int]())
        assert set(seen) == {200, 503}, seen
        for _ in range(_AFTERWARDS):
            assert away.call().status_code == 200
        away.settle()
        done = away.database.rows("select count(*) from accounts_call where state = 'done'")
        assert done == [(seen[200] + _AFTERWARDS,)]
