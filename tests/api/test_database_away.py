"""The disk is full for a while. What else can happen to a database, and for how long, is in tests/long."""

from pathlib import Path

from tests.away import FAULTS, goes_and_comes_back, set_up
from tests.ledger_processes import scratch
from tests.upstream import Upstream


def test_calls_are_refused_and_streams_go_on(tmp_path: Path, upstream: Upstream) -> None:
    with scratch("sqlite", tmp_path / "var") as database, set_up(database, upstream) as away:
        goes_and_comes_back(away, FAULTS["full"], calls_after=20)
