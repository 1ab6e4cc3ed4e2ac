"""Thousands of calls, some streamed, some left by their clients: nothing may grow, and each must be accounted for."""

import asyncio
import re
from pathlib import Path

import httpx
import pytest

from tests.gateway import Gateway
from tests.upstream import Upstream

_WARM = 1000
_MEASURED = 3000
_AT_ONCE = 20
_MOST_GROWTH = 10  # megabytes


def resident_megabytes(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    found = re.search(r"VmRSS:\s+(\d+)", status)
    assert found
    return int(found[1]) / 1024


async def load(gateway: Gateway, token: str, provider: str, calls: int) -> None:
    """Every tenth client leaves in mid-stream, three of ten stream to the end, the others want the whole."""
    limit = asyncio.Semaphore(_AT_ONCE)
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=gateway.url, headers=headers, timeout=30) as client:

        async def call(number: int) -> None:
            async with limit:
                if number % 10 >= 4:
                    answer = await client.post("/api/generate", json={"provider": provider, "prompt": "x"})
                    assert answer.status_code == 200
                    return
                body = {"provider": provider, "prompt": "x", "stream": True}
                async with client.stream("POST", "/api/generate", json=body) as stream:
                    async for _ in stream.aiter_lines():
                        if number % 10 == 0:
                            break

        await asyncio.gather(*(call(number) for number in range(calls)))


@pytest.mark.long
def test_nothing_grows_and_nothing_is_lost(
    gateway: Gateway, user_token: str, provider: str, upstream: Upstream
) -> None:
    assert gateway.process is not None
    asyncio.run(load(gateway, user_token, provider, _WARM))
    before = resident_megabytes(gateway.process.pid)
    asyncio.run(load(gateway, user_token, provider, _MEASURED))
    assert resident_megabytes(gateway.process.pid) - before < _MOST_GROWTH
    calls = f"select count(*) from accounts_call where provider = '{provider}'"
    assert gateway.rows(calls) == [(len(upstream.calls),)] == [(_WARM + _MEASURED,)]
    assert gateway.rows(f"{calls} and state = 'open'") == [(0,)]
    assert gateway.rows(f"{calls} and state not in ('done', 'client_gone')") == [(0,)]
