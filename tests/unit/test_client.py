"""How far an answer is read on for nobody."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from accounts.calls import Admission, Hold
from accounts.principal import Principal
from providers import kept
from providers.models.kept import KeptState
from providers.types import OnDisconnect
from proxyproject import client as clients
from proxyproject.client import Client

PIECE = {"type": "http.response.body", "body": b"x" * 100, "more_body": True}


class Connection:
    """A client that leaves when told so, and what it got."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()
        self.got: list[Mapping[str, Any]] = []

    async def receive(self) -> Mapping[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Mapping[str, Any]) -> None:
        self.got.append(message)


async def left(connection: Connection, policy: OnDisconnect) -> Client:
    """A client whose call was admitted and that has left."""
    client = Client(connection.receive, connection.send)
    caller = Principal(1, "caller", is_staff=False)
    client.admitted(Hold(uuid4(), Admission(caller, "r", "chat", "v", "m", streamed=False), datetime.now(UTC)))
    client.asks(policy)
    connection.gone.set()
    for _ in range(5):
        await asyncio.sleep(0)
    return client


async def test_reading_on_ends_after_so_many_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "READ_ON_BYTES", 250)
    connection = Connection()
    client = await left(connection, OnDisconnect.DRAIN)
    await client.send(PIECE)
    await client.send(PIECE)
    with pytest.raises(asyncio.CancelledError, match="the client left"):
        await client.send(PIECE)
    assert client.take_cancel_back()
    assert connection.got == []
    client.end()


async def test_reading_on_ends_after_so_many_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "READ_ON_SECONDS", 0.05)
    client = await left(Connection(), OnDisconnect.DRAIN)
    with pytest.raises(asyncio.CancelledError, match="the client left"):
        await asyncio.sleep(5)
    assert client.take_cancel_back()
    client.end()


async def test_a_cancel_of_the_servers_own_is_not_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    client = await left(Connection(), OnDisconnect.DRAIN)
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.sleep(0)
    assert not client.take_cancel_back()
    task.uncancel()
    client.end()


async def test_the_end_of_an_answer_is_no_leaving() -> None:
    """Servers report it as a disconnect all the same."""
    connection = Connection()
    client = Client(connection.receive, connection.send)
    client.asks(OnDisconnect.DRAIN)
    await client.send({"type": "http.response.body"})
    connection.gone.set()
    await asyncio.sleep(0.01)
    assert not client.left
    client.end()


@pytest.mark.parametrize(("pieces", "state"), [(2, KeptState.WHOLE), (3, KeptState.TOO_LARGE)])
async def test_only_so_much_is_kept(monkeypatch: pytest.MonkeyPatch, pieces: int, state: KeptState) -> None:
    monkeypatch.setattr(kept, "LARGEST_BODY", 250)
    keeping: list[kept.Answer] = []

    announced: list[Any] = []

    async def announce(*call: Any) -> None:
        announced.append(call)

    async def keep(call_id: Any, user_id: int, answer: kept.Answer) -> None:
        keeping.append(answer)

    monkeypatch.setattr(kept, "announce", announce)
    monkeypatch.setattr(kept, "keep", keep)
    client = await left(Connection(), OnDisconnect.KEEP)
    await client.send({"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]})
    for _ in range(pieces):
        await client.send(PIECE)
    await client.send({"type": "http.response.body"})
    await client.keep()
    assert announced == [client.call]
    assert [answer.state for answer in keeping] == [state]
    assert len(keeping[0].body) == (200 if state == KeptState.WHOLE else 0)
    client.end()
