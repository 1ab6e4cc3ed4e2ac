"""Many calls at the same moment into two servers, and a look at the counters while they are decided on."""

import asyncio
import json
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import psycopg

from tests.gateway import Gateway

PROMPT = "word " * 12  # the echo says each back after its pause, so that no call ends while others are decided on
MAX_TOKENS = 50
RESERVED = len(PROMPT.encode()) + 16 + MAX_TOKENS  # tokens of one call: bytes of text, 16 a message, the limit
_SAMPLE_SECONDS = 0.01

_MAKE = """
import json
from accounts.models import ApiToken, Price, Quota, User
from providers.models import Provider
Provider.objects.update_or_create(
    name="slow", defaults=dict(type="echo", config={"delay_ms": 400}, models=[], default_model="echo-1"))
Price.objects.update_or_create(
    provider_type="echo", provider="slow", model="*", defaults=dict(input=1, output=1, valid_from="2020-01-01T00:00Z"))
made = []
for quotas in json.loads(%r):
    user = User.objects.create_user("racer-" + str(User.objects.count()))
    token = ApiToken.objects.issue(user, "race")[1]
    for quota in quotas:
        Quota.objects.create(user=user, **quota)
    made.append([user.pk, token])
print(json.dumps(made))
"""


def made_users(gateway: Gateway, quotas: Sequence[Sequence[dict[str, Any]]]) -> list[tuple[int, str]]:
    """New users, one for each list of quotas, who have never called: their ids and tokens."""
    script = _MAKE % json.dumps(quotas)
    return [tuple(pair) for pair in json.loads(gateway.python(script).splitlines()[-1])]


def all_at_once(gateways: Sequence[Gateway], token: str, calls: int) -> Counter[int]:
    """Statuses of calls that begin together, by turns at each of the servers, and run until all are decided on."""
    return asyncio.run(_all_at_once(gateways, token, calls))


async def _all_at_once(gateways: Sequence[Gateway], token: str, calls: int) -> Counter[int]:
    body = {"provider": "slow", "prompt": PROMPT.strip() + " ", "max_tokens": MAX_TOKENS, "stream": True}
    headers = {"Authorization": f"Bearer {token}"}
    barrier = asyncio.Event()
    statuses: Counter[int] = Counter()
    decided = asyncio.Event()

    async def one(session: aiohttp.ClientSession, number: int) -> None:
        await barrier.wait()
        url = f"{gateways[number % len(gateways)].url}/api/generate"
        async with session.post(url, json=body, headers=headers) as response:
            statuses[response.status] += 1
            if statuses.total() == calls:
                decided.set()
            await decided.wait()

    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session:
        tasks = [asyncio.create_task(one(session, number)) for number in range(calls)]
        await asyncio.sleep(0)
        barrier.set()
        await asyncio.gather(*tasks)
    await asyncio.sleep(0)  # in which the sockets are closed
    return statuses


class Sampler:
    """Looks at a user's counters every 10 ms: the most that was ever used and reserved, by unit."""

    def __init__(self, read: Callable[[str], list[tuple[Any, ...]]]) -> None:
        self._read = read
        self._ended = threading.Event()
        self.most: Counter[str] = Counter()
        self.least = 0
        self.samples = 0

    @contextmanager
    def watching(self, user: int) -> Iterator[None]:
        self.most.clear()
        self._ended.clear()
        thread = threading.Thread(target=self._watch, args=(user,))
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()

    def _watch(self, user: int) -> None:
        query = f"select unit, used, reserved from accounts_counter where scope = 'user:{user}'"
        while not self._ended.wait(_SAMPLE_SECONDS):
            self.samples += 1
            for unit, used, reserved in self._read(query):
                self.most[unit] = max(self.most[unit], used + reserved)
                self.least = min(self.least, used, reserved)


@contextmanager
def reader(gateway: Gateway) -> Iterator[Callable[[str], list[tuple[Any, ...]]]]:
    """Runs a query against a gateway's database, on a connection of its own."""
    if url := gateway.environment.get("DATABASE_URL"):
        with psycopg.connect(url, autocommit=True) as server:
            yield lambda query: server.execute(query.encode()).fetchall()
        return
    path = Path(gateway.var_dir) / "gateway.sqlite3"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, check_same_thread=False, timeout=20)) as file:
        yield lambda query: file.execute(query).fetchall()


def settled(read: Callable[[str], list[tuple[Any, ...]]], seconds: float = 20.0) -> bool:
    """Waits until no call is open any more."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if read("select count(*) from accounts_call where state = 'open'")[0][0] == 0:
            return True
        time.sleep(0.05)
    return False


# For each thing that is counted, quotas of which one lets exactly a hundred of those calls in, and their limits in the
# units of the counters.
ADMITTED = 100
_MANY = 1_000_000
_TOKENS = {"unit": "tokens", "window": "day", "limit": ADMITTED * RESERVED}
_PRICE = 10_000  # of a token, in the units of the counters: at 1 for a million
RACES: dict[str, list[dict[str, Any]]] = {
    "requests": [{"unit": "requests", "window": "month", "limit": ADMITTED}],
    "tokens": [_TOKENS],
    "cost": [{"unit": "cost", "window": "month", "limit": ADMITTED * RESERVED / 1_000_000}],
    "concurrency": [{"unit": "concurrency", "limit": ADMITTED}],
    "several": [
        {"unit": "requests", "window": "minute", "limit": ADMITTED + 1},
        {"unit": "requests", "window": "total", "provider": "slow", "limit": ADMITTED + 50},
        {**_TOKENS, "provider": "slow"},
        {"unit": "tokens", "window": "total", "limit": _MANY},
        {"unit": "cost", "window": "month", "limit": 1},
        {"unit": "concurrency", "limit": ADMITTED + 2},
    ],
}


def most_allowed(quotas: Sequence[dict[str, Any]]) -> dict[str, int]:
    """The limits by unit, as counters have them. Of several in a unit the lowest: all count the same calls."""
    most: dict[str, int] = {}
    for quota in quotas:
        amount = round(quota["limit"] * 1_000_000) * _PRICE if quota["unit"] == "cost" else quota["limit"]
        most[quota["unit"]] = min(most.get(quota["unit"], amount), amount)
    return most


def race(gateways: Sequence[Gateway], kind: str, user: tuple[int, str], calls: int = 500) -> None:
    """A user's very first calls, all at once, by turns into each server. Asserts that just so many are let in."""
    with reader(gateways[0]) as read:
        watch = Sampler(read)
        with watch.watching(user[0]):
            statuses = all_at_once(gateways, user[1], calls)
        assert statuses == {200: ADMITTED, 429: calls - ADMITTED}, f"{kind}: {statuses}"
        assert watch.samples > 10, "it was looked at while they were decided on"
        assert watch.least == 0, "nothing is ever less than nothing"
        for unit, most in most_allowed(RACES[kind]).items():
            assert watch.most[unit] <= most, (kind, unit)
        assert settled(read)
        assert read(f"select count(*) from accounts_call where user_id = {user[0]}") == [(ADMITTED,)]
        found = read(f"select sum(reserved) from accounts_counter where scope = 'user:{user[0]}'")
        assert found == [(0,)], "all was given back"
