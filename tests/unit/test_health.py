"""Whether providers answer: asked once for all who want to know it at the same time, and again when it is another."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from providers import health
from providers.types import Endpoint
from providers.upstream.client import close_pools
from tests.unit.raw_server import http, serving

MODELS = http(b'{"data": []}')


@pytest.fixture(autouse=True)
async def pools() -> AsyncIterator[None]:
    yield
    await close_pools()


def vendor(url: str, name: str) -> Endpoint:
    """Each test asks for a name of its own, since what was found is remembered."""
    return Endpoint(name, "openai", base_url=url, key="sk-test-0123456789", needs_key=True, allow_private_network=True)


async def test_many_who_ask_at_once_share_one_probe() -> None:
    async with serving([0.1, MODELS]) as server:
        endpoint = vendor(server.url, "shared")
        found = await asyncio.gather(*(health.check(endpoint) for _ in range(10)))
        assert [one.healthy for one in found] == [True] * 10
        assert await health.check(endpoint) is found[0], "and it is remembered"
        assert len(server.asked) == 1
        assert (await health.check(endpoint, fresh=True)).healthy
        assert len(server.asked) == 2


async def test_an_older_probe_that_ends_leaves_the_newer_one_shared() -> None:
    async with serving([0.1, MODELS], [0.4, MODELS]) as server:
        before = vendor(server.url, "changed")
        after = replace(before, description="changed")
        older = asyncio.create_task(health.check(before))
        while len(server.asked) < 1:
            await asyncio.sleep(0.01)
        newer = asyncio.create_task(health.check(after))
        await older
        assert not newer.done()
        assert (await health.check(after)).healthy
        assert len(server.asked) == 2, "the newer probe was under way, so nobody asks a third time"
        await newer


async def test_a_probe_goes_on_when_one_who_waits_leaves() -> None:
    async with serving([0.1, MODELS]) as server:
        endpoint = vendor(server.url, "left")
        leaving = asyncio.create_task(health.check(endpoint))
        staying = asyncio.create_task(health.check(endpoint))
        while not server.asked:
            await asyncio.sleep(0.01)
        leaving.cancel()
        assert (await staying).healthy
        assert len(server.asked) == 1
