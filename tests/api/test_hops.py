"""No thread hop in the gateway lane: counted where every hop must pass, in this process, with warm caches."""

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import SyncToAsync
from django.test import Client
from rest_framework_simplejwt.tokens import AccessToken

from accounts import authentication, ledger, passes
from accounts.json_web_tokens import SIGN_IN
from accounts.models import ApiToken, SignIn, User
from accounts.models.sign_in import expiry
from accounts.principal import CredentialKind, Principal
from providers import directory
from providers.models import Provider, rotate_key
from providers.upstream.client import close_pools
from proxyproject.asgi import application
from storage import reads
from tests.upstream import Upstream

Headers = list[tuple[bytes, bytes]]
_KINDS = ["token", "jwt", "pass", "session"]
_READ_BY = {"token": "_of_api_token", "jwt": "_of_claims", "pass": "_of_claims", "session": "_of_session"}


@pytest.fixture
def credentials(transactional_db: None, upstream: Upstream) -> Iterator[dict[str, Headers]]:
    """What a caller sends, by the kind of it."""
    user = User.objects.create_user("caller")
    Provider.objects.create(name="here", type="echo")
    there = {"type": "openai", "base_url": upstream.url, "default_model": "m", "allow_private_network": True}
    rotate_key(Provider.objects.create(name="there", **there), "sk-for-the-upstream")
    sign_in = SignIn.objects.create(user=user, kind="jwt", expires_at=expiry(hours=1))
    access = AccessToken()
    access["user_id"], access[SIGN_IN] = str(user.pk), sign_in.pk
    signed_in = Principal(user.pk, "caller", False, sign_in_id=sign_in.pk, kind=CredentialKind.JWT)
    browser = Client()
    browser.force_login(user)
    cookie = f"sessionid={browser.cookies['sessionid'].value}; csrftoken={'a' * 32}"
    yield {
        "token": _bearer(ApiToken.objects.issue(user, "test")[1]),
        "jwt": _bearer(str(access)),
        "pass": _bearer(passes.make(signed_in, passes.Asked()).token),
        "session": [(b"cookie", cookie.encode()), (b"x-csrftoken", b"a" * 32)],
    }
    ledger.writer.stop()
    authentication.forget_all()


def _bearer(secret: str) -> Headers:
    return [(b"authorization", f"Bearer {secret}".encode())]


async def generate(credential: Headers, *, provider: str = "here", stream: bool) -> tuple[int, bytes]:
    """One call straight into the ASGI application."""
    body = json.dumps({"provider": provider, "prompt": "one two three", "stream": stream}).encode()
    headers = [(b"host", b"localhost"), *credential]
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


@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize("provider", ["here", "there"])
@pytest.mark.parametrize("stream", [False, True])
async def test_no_hop_and_two_writes_for_the_ledger(
    credentials: dict[str, Headers], kind: str, provider: str, stream: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = credentials[kind]
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


@pytest.mark.parametrize("kind", _KINDS)
async def test_a_cold_credential_is_one_hop(
    credentials: dict[str, Headers], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cold caches read the database in a thread: if this were not counted, the test above would prove nothing."""
    assert (await generate(credentials[kind], stream=False))[0] == 200
    read_cold: list[str] = []
    original = reads.read

    async def read(function: Any, *args: Any) -> Any:
        read_cold.append(function.__name__)
        return await original(function, *args)

    monkeypatch.setattr("storage.reads.read", read)
    authentication.forget_all()
    assert (await generate(credentials[kind], stream=False))[0] == 200
    assert read_cold == [_READ_BY[kind]]
