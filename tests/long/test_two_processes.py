"""Two processes on one PostgreSQL spend hardly more processor time on a call than one does."""

import os
import statistics
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.gateway import Gateway
from tests.ledger_processes import scratch
from tests.loading import calls_made, with_three_quotas
from tests.serving import gateway_on, running

pytestmark = [pytest.mark.long, pytest.mark.postgresql]

_AT_ONCE = 32
_ROUND_SECONDS = 3.0
_ROUNDS = 7
_MOST_MORE = 1.15


def test_two_processes_spend_hardly_more_than_one(tmp_path: Path) -> None:
    with scratch("postgresql", tmp_path / "var") as database:
        one, other = gateway_on(database, LOG_FORMAT="text"), gateway_on(database, LOG_FORMAT="text")
        with running(one, other):
            token = with_three_quotas(one, "caller")
            ratios = []
            for _ in range(_ROUNDS):  # by turns, so that both have the same machine
                alone = _seconds_per_call([one], token)
                ratios.append(_seconds_per_call([one, other], token) / alone)
    assert statistics.median(ratios) <= _MOST_MORE, ratios


def _seconds_per_call(gateways: Sequence[Gateway], token: str) -> float:
    """The processor time of a call, in the servers' own account."""
    before = sum(map(_processor_seconds, gateways))
    calls = calls_made(gateways, token, at_once=_AT_ONCE, seconds=_ROUND_SECONDS)
    return (sum(map(_processor_seconds, gateways)) - before) / calls


def _processor_seconds(gateway: Gateway) -> float:
    assert gateway.process is not None
    fields = Path(f"/proc/{gateway.process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    user, system = int(fields[11]), int(fields[12])  # proc(5): utime and stime, in ticks
    return (user + system) / os.sysconf("SC_CLK_TCK")
