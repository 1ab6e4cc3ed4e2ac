"""No thread hop in the gateway lane: counted where every hop must pass, in this process, with warm caches."""

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import SyncToAsync

from accounts import authentication, ledger
from accounts.models import ApiToken, User
from providers import directory
from providers.models import Provider, rotate_key
from providers.upstream.client import close_pools
from proxyproject.asgi import application
from storage import reads
from tests.upstream import Upstream


@pytest.fixture
def token(transactional_db: None, upstream: Upstream) -> Iterator[str]:
    user = User.objects.create_user("caller")
    Provider.objects.create(name="here", type="echo")
    there = {"type": "openai", "base_url": upstream.url, "default_model": "m", "allow_private_network": True}
    rotate_key(Provider.objects.create(name="there", **there), "sk-for-the-upstream")
    yield ApiToken.objects.issue(user, "test")[1]
    ledger.writer.stop()
    authentication.forget_all()


async def generate(token: str, *, provider: str = "here", stream: bool) -> tuple[int, bytes]:
    """One call straight into the ASGI application."""
    body = json.dumps({"provider": provider, "prompt": "one two three", "stream": stream}).encode()
    headers = [(b"host", b"localhost"), (b"authorization", f"Bearer {token}".encode())]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/api/generate",
        "raw_path": b"/api/generate",
        "query_string": b"",
        "headers": [*headers, (b"content-length", str(len(body)).encode())],
        "client": ["127.0.0.1", 1],
        "server": ["127.0.0.1", 80],
    }
    received: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    received.put_nowait({"type": "http.request", "body": body, "more_body": False})
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await application(scope, received.get, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent)


@pytest.mark.parametrize("provider", ["here", "there"])
@pytest.mark.parametrize("stream", [False, True])
async def test_no_hop_and_two_writes_for_the_ledger(
    token: str, provider: str, stream: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory, "REFRESH_SECONDS", 60.0)
    assert (await generate(token, provider=provider, stream=stream))[0] == 200  # warms the caches
    hops: list[str] = []

    def count(name: str, original: Any) -> Any:
        def counted(*args: Any, **kwargs: Any) -> Any:
            hops.append(name)
            return original(*args, **kwargs)

        return counted

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(SyncToAsync, "__call__", count("sync_to_async", SyncToAsync.__call__))
    monkeypatch.setattr(loop, "run_in_executor", count("executor", loop.run_in_executor))
    monkeypatch.setattr(threading.Thread, "start", count("thread", threading.Thread.start))
    monkeypatch.setattr("storage.reads._thread.submit", count("cold read", lambda *_: None))
    handed_over = ledger.writer.taken
    for _ in range(5):
        status, body = await generate(token, provider=provider, stream=stream)
        assert status == 200
        assert b"three" in body
    assert hops == []
    await close_pools()
    assert ledger.writer.taken - handed_over == 10, "an admission and a settlement for each call"


async def test_the_count_sees_a_hop(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cold caches read the database in a thread: if this were not counted, the test above would prove nothing."""
    read_cold: list[str] = []
    original = reads.read

    async def read(function: Any, *args: Any) -> Any:
        read_cold.append(function.__name__)
        return await original(function, *args)

    monkeypatch.setattr("storage.reads.read", read)
    authentication.forget_all()
    assert (await generate(token, stream=False))[0] == 200
    assert "_of_api_token" in read_cold
