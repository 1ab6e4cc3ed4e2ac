"""Two processes on one PostgreSQL spend hardly more processor time on a call than one does."""

import asyncio
import os
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import aiohttp
import pytest

from tests.gateway import Gateway
from tests.ledger_processes import scratch
from tests.serving import gateway_on, running

pytestmark = [pytest.mark.long, pytest.mark.postgresql]

_AT_ONCE = 32
_ROUND_SECONDS = 3.0
_ROUNDS = 7
_MOST_MORE = 1.15
_QUOTAS = """
from accounts.models import Quota, User
from providers.models import Provider
Provider.objects.update(config={})  # the demo provider answers without a pause
user = User.objects.get(username="caller")
for unit, window in (("requests", "hour"), ("tokens", "day"), ("cost", "month")):
    Quota.objects.create(user=user, unit=unit, window=window, limit=10**9, allow_unpriced=True)
"""


def test_two_processes_spend_hardly_more_than_one(tmp_path: Path) -> None:
    with scratch("postgresql", tmp_path / "var") as database:
        one, other = gateway_on(database, LOG_FORMAT="text"), gateway_on(database, LOG_FORMAT="text")
        with running(one, other):
            token = one.token("caller")
            one.manage("shell", "--no-imports", "-c", _QUOTAS)
            ratios = []
            for _ in range(_ROUNDS):  # by turns, so that both have the same machine
                alone = _seconds_per_call([one], token)
                ratios.append(_seconds_per_call([one, other], token) / alone)
    assert statistics.median(ratios) <= _MOST_MORE, ratios


def _seconds_per_call(gateways: Sequence[Gateway], token: str) -> float:
    """The processor time of a call, in the servers' own account."""
    before = sum(map(_processor_seconds, gateways))
    calls = asyncio.run(_load(gateways, token))
    return (sum(map(_processor_seconds, gateways)) - before) / calls


def _processor_seconds(gateway: Gateway) -> float:
    assert gateway.process is not None
    fields = Path(f"/proc/{gateway.process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    user, system = int(fields[11]), int(fields[12])  # proc(5): utime and stime, in ticks
    return (user + system) / os.sysconf("SC_CLK_TCK")


async def _load(gateways: Sequence[Gateway], token: str) -> int:
    ends = time.monotonic() + _ROUND_SECONDS
    calls = 0

    async def one_after_another(session: aiohttp.ClientSession, gateway: Gateway) -> None:
        nonlocal calls
        while time.monotonic() < ends:
            async with session.post(f"{gateway.url}/api/generate", json={"prompt": "x"}) as answer:
                assert answer.status == 200, await answer.text()
                await answer.read()
            calls += 1

    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session:
        callers = (one_after_another(session, gateways[number % len(gateways)]) for number in range(_AT_ONCE))
        await asyncio.gather(*callers)
    await asyncio.sleep(0)  # in which the sockets are closed
    return calls
