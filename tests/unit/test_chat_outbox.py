"""What waits for a client that reads slowly: joined, in order, and not more than fits."""

import asyncio
from typing import Any

import orjson
import pytest

from chat.outbox import MOST_WAITING, Outbox


class Slow:
    """A client that takes a message each time it is told to, and the outbox before it."""

    def __init__(self) -> None:
        self.got: list[Any] = []
        self.may_take = asyncio.Semaphore(0)
        self.outbox = Outbox(self._send, self._close)
        self.delivering = asyncio.create_task(self.outbox.deliver())

    async def _send(self, text: str) -> None:
        await self.may_take.acquire()
        self.got.append(orjson.loads(text))

    async def _close(self, code: int) -> None:
        self.got.append(code)

    async def take_all(self) -> list[Any]:
        for _ in range(1000):
            self.may_take.release()
        await asyncio.wait_for(self.delivering, 1)
        return self.got


async def test_text_that_waits_is_joined_and_nothing_else_is() -> None:
    client = Slow()
    client.outbox.put({"type": "started"})
    await asyncio.sleep(0)  # the first is on its way, and the rest waits
    for piece in ("a", "b", "c"):
        await client.outbox.add("delta", "1", piece)
    await client.outbox.add("reasoning", "1", "d")
    await client.outbox.add("delta", "1", "e")
    client.outbox.put({"type": "done"})
    await client.outbox.add("delta", "2", "f")
    client.outbox.close(1012)
    client.outbox.close(4401)
    client.outbox.put({"type": "too late"})
    assert await client.take_all() == [
        {"type": "started"},
        {"type": "delta", "id": "1", "content": "abc"},
        {"type": "reasoning", "id": "1", "content": "d"},
        {"type": "delta", "id": "1", "content": "e"},
        {"type": "done"},
        {"type": "delta", "id": "2", "content": "f"},
        1012,
    ]


async def test_what_is_read_at_once_is_sent_as_it_comes() -> None:
    client = Slow()
    for piece in ("a", "b"):
        client.may_take.release()
        await client.outbox.add("delta", "1", piece)
        await asyncio.sleep(0.01)
    assert [event["content"] for event in client.got] == ["a", "b"]
    client.outbox.forget()
    await client.take_all()


async def test_more_than_fits_has_to_wait() -> None:
    client = Slow()
    await client.outbox.add("delta", "1", "x" * MOST_WAITING)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(client.outbox.add("delta", "1", "y"), 0.05)
    client.may_take.release()
    await asyncio.wait_for(client.outbox.add("delta", "1", "y"), 1)
    client.outbox.close(1000)
    assert [len(event["content"]) for event in (await client.take_all())[:-1]] == [MOST_WAITING, 1]


async def test_for_nobody_nothing_waits() -> None:
    client = Slow()
    await client.outbox.add("delta", "1", "x" * MOST_WAITING)
    client.outbox.forget()
    for _ in range(3):
        await asyncio.wait_for(client.outbox.add("delta", "1", "x" * MOST_WAITING), 1)
    assert len(await client.take_all()) <= 1


async def test_a_connection_that_is_gone_is_as_good_as_nobody() -> None:
    async def gone(text: str) -> None:
        raise OSError

    async def close(code: int) -> None:
        raise AssertionError("there is nothing to close")

    outbox = Outbox(gone, close)
    outbox.put({"type": "started"})
    await asyncio.wait_for(outbox.deliver(), 1)
    await asyncio.wait_for(outbox.add("delta", "1", "x" * MOST_WAITING * 2), 1)
