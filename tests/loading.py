"""Calls one after another by many callers at once, for tests that measure."""

import asyncio
import time
from collections.abc import Sequence

import aiohttp

from tests.gateway import Gateway

_QUOTAS = """
from accounts.models import Quota, User
from providers.models import Provider
Provider.objects.update(config={})  # the demo provider answers without a pause
user = User.objects.get(username=%r)
for unit, window in (("requests", "hour"), ("tokens", "day"), ("cost", "month")):
    Quota.objects.create(user=user, unit=unit, window=window, limit=10**9, allow_unpriced=True)
"""


def with_three_quotas(gateway: Gateway, user: str) -> str:
    """A token of a new user who has three quotas, none of which is ever used up."""
    token = gateway.token(user)
    gateway.python(_QUOTAS % user)
    return token


def calls_made(gateways: Sequence[Gateway], token: str, *, at_once: int, seconds: float) -> int:
    """How many calls to the demo provider are answered in that time, by turns at each of the servers."""
    return asyncio.run(_calls_made(gateways, token, at_once, seconds))


async def _calls_made(gateways: Sequence[Gateway], token: str, at_once: int, seconds: float) -> int:
    ends = time.monotonic() + seconds
    calls = 0

    async def one_after_another(session: aiohttp.ClientSession, gateway: Gateway) -> None:
        nonlocal calls
        while time.monotonic() < ends:
            async with session.post(f"{gateway.url}/api/generate", json={"prompt": "x"}) as answer:
                assert answer.status == 200, await answer.text()
                await answer.read()
            calls += 1

    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session:
        callers = (one_after_another(session, gateways[number % len(gateways)]) for number in range(at_once))
        await asyncio.gather(*callers)
    await asyncio.sleep(0)  # in which the sockets are closed
    return calls
