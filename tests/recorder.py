"""An upstream that answers with whatever bytes a test gives it, a client that sees the wire, and a look at the ledger.

Nothing here knows a vendor's format: what a test compares is what one side sent with what the other side got.
"""

import http.client
import socket
import sqlite3
import time
from asyncio import StreamWriter, sleep
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from tests.gateway import Gateway
from tests.vendors.server import KEY, Arrived, Server

JSON = (("Content-Type", "application/json"),)
CARRIERS = {  # where each vendor looks for the key
    "openai": ("authorization", f"Bearer {KEY}"),
    "anthropic": ("x-api-key", KEY),
    "gemini": ("x-goog-api-key", KEY),
    "addis": ("x-api-key", KEY),
    "elevenlabs": ("xi-api-key", KEY),
    "fal": ("authorization", f"Key {KEY}"),
}
# Where a request goes that is relayed as it came; fal has rules on that, which tests/api/test_fal.py is about.
BELOW = dict.fromkeys(CARRIERS, "/v9/things") | {"fal": "/fal.run/fal-ai/things"}
ARRIVES = dict.fromkeys(CARRIERS, "/base/v9/things") | {"fal": "/base/fal-ai/things"}
_APART = 0.015  # seconds between two pieces, so that they are two reads of whoever listens


@dataclass(frozen=True)
class Says:
    """An answer. Its body is `pieces`, one after the other; before the one at `pause` it waits for `go_on`.

    framing: `length`, `chunked`, or `close` for a body that ends with its connection. length: what is announced, where
    that is not the body's. cut: the connection ends after the pieces, though more was announced.
    """

    pieces: Sequence[bytes] = (b"{}",)
    status: int = 200
    headers: Sequence[tuple[str, str | bytes]] = JSON
    framing: str = "length"
    length: int | None = None
    pause: int | None = None
    cut: bool = False

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)


@dataclass
class Recorder(Server):
    """Answers every request with what it was told last. Probes are answered and recorded like any other."""

    script: Says = field(default_factory=Says)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/base"

    @property
    def arrived(self) -> Arrived:
        """The one request that has come since the last `says`."""
        assert len(self.requests) == 1, [f"{one.method} {one.path}" for one in self.requests]
        return self.requests[0]

    def says(self, script: Says) -> None:
        """What to answer from now on; forgets what has come until now."""
        self.requests.clear()
        self.go_on.clear()
        self.hung_up = 0
        self.script = script

    async def answer(self, arrived: Arrived, writer: StreamWriter) -> None:
        script = self.script
        length = len(script.body) if script.length is None else script.length
        frame = {"length": f"Content-Length: {length}", "chunked": "Transfer-Encoding: chunked"}
        head = f"HTTP/1.1 {script.status} As-Told\r\n{frame.get(script.framing, 'Connection: close')}\r\n".encode()
        for name, value in script.headers:
            head += name.encode() + b": " + (value if isinstance(value, bytes) else value.encode()) + b"\r\n"
        writer.write(head + b"\r\n")
        bare = arrived.method == "HEAD" or script.status in {204, 304}
        for place, piece in enumerate([] if bare else script.pieces):
            if place == script.pause:
                await self.wait_to_go_on(writer)
            elif place:
                await sleep(_APART)
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if script.framing == "chunked" else piece)
            await writer.drain()
        if script.framing == "chunked" and not script.cut and not bare:
            writer.write(b"0\r\n\r\n")
        await writer.drain()
        if script.cut or script.framing == "close":
            raise ConnectionError


class Opened:
    """An answer that has begun, as it is on the wire but for the chunks' own framing."""

    def __init__(self, connection: socket.socket, method: str, request_id: str) -> None:
        self.request_id = request_id
        self._connection = connection
        self._answer = http.client.HTTPResponse(connection, method=method)
        self._answer.begin()
        self.status = self._answer.status
        self.pairs = [(name.lower(), value) for name, value in self._answer.getheaders()]
        self.headers = dict(self.pairs)

    def some(self) -> bytes:
        """What has come, at least a byte of it, or nothing at the end. Raises IncompleteRead where that is no end."""
        return self._answer.read1()

    def rest(self) -> bytes:
        """All that is left. Raises IncompleteRead where the body broke off."""
        return self._answer.read()

    def close(self) -> None:
        self._answer.close()
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def at(vendor: str) -> str:
    """The address of a vendor's `via-` provider that takes any request."""
    return f"/proxy/via-{vendor}{BELOW[vendor]}"


@dataclass(frozen=True)
class Got:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    pairs: Sequence[tuple[str, str]]
    body: bytes
    request_id: str


@dataclass(frozen=True)
class Caller:
    """A client of the gateway that sends exactly what it is told, under a request id of its own."""

    gateway: Gateway
    token: str

    def open(
        self,
        method: str,
        target: str | bytes,
        headers: Iterable[tuple[str, str | bytes]] = (),
        body: bytes = b"",
        *,
        credential: str | None = None,
    ) -> Opened:
        """Sends and returns when the answer's head is there. `credential` is a header's line instead of the usual."""
        request_id = uuid4().hex
        line = f"Authorization: Bearer {self.token}" if credential is None else credential
        raw = target if isinstance(target, bytes) else target.encode("ascii")
        request = b"%b %b HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n" % (method.encode(), raw, self.gateway.port)
        request += f"{line}\r\n".encode() if line else b""
        request += f"X-Request-ID: {request_id}\r\n".encode()
        for name, value in headers:
            request += name.encode() + b": " + (value if isinstance(value, bytes) else value.encode()) + b"\r\n"
        if body or method in {"POST", "PUT", "PATCH"}:
            request += b"Content-Length: %d\r\n" % len(body)
        connection = socket.create_connection(("127.0.0.1", self.gateway.port), timeout=15)
        try:
            connection.sendall(request + b"\r\n" + body)
            return Opened(connection, method, request_id)
        except BaseException:
            connection.close()
            raise

    def ask(
        self,
        method: str,
        target: str | bytes,
        headers: Iterable[tuple[str, str | bytes]] = (),
        body: bytes = b"",
        *,
        credential: str | None = None,
    ) -> Got:
        """The whole answer. Raises IncompleteRead where its body broke off."""
        with self.open(method, target, headers, body, credential=credential) as opened:
            return Got(opened.status, opened.headers, opened.pairs, opened.rest(), opened.request_id)

    def rows(self, request_id: str) -> list[dict[str, Any]]:
        """The calls under a request id as the ledger has them, with their attempts' vendor statuses and models."""
        path = self.gateway.var_dir / "gateway.sqlite3"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as database:
            database.row_factory = sqlite3.Row
            calls = database.execute(
                "select c.*, group_concat(coalesce(a.status, '-')) as statuses, group_concat(a.model) as answered"
                " from accounts_call c left join accounts_attempt a on a.call_id = c.id where c.request_id = ?"
                " group by c.id",
                (request_id,),
            )
            return [dict(row) for row in calls]

    def row(self, answer: Got | Opened, *, within: float = 5.0) -> dict[str, Any]:
        """The one call that an answer belongs to, once it is closed."""
        deadline = time.monotonic() + within
        while True:
            found = self.rows(answer.request_id)
            assert len(found) <= 1, "one request, one call"
            if found and found[0]["state"] != "open":
                return found[0]
            assert time.monotonic() < deadline, f"no closed call within {within} s: {found}"
            time.sleep(0.01)


@contextmanager
def provider(gateway: Gateway, staff_token: str, name: str, kind: str, base_url: str, **fields: Any) -> Iterator[str]:
    """The name of a provider that is there for a while."""
    body = {
        "name": name,
        "type": kind,
        "api_key": KEY,
        "default_model": "default-model",
        "allow_private_network": True,
        **({"base_url": base_url} if base_url else {}),
        **fields,
    }
    made = gateway.call(staff_token, body, "/api/providers")
    assert made.status_code == 201, made.text
    try:
        yield name
    finally:
        gateway.call(staff_token, None, f"/api/providers/{name}", method="DELETE")


@contextmanager
def a_provider_of_each_type(gateway: Gateway, staff_token: str, base_url: str) -> Iterator[None]:
    """Providers called `via-` and the type."""
    with ExitStack() as stack:
        for kind in CARRIERS:
            stack.enter_context(provider(gateway, staff_token, f"via-{kind}", kind, base_url))
        yield


class Canary:
    """A listener that nobody should ever connect to."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self.port = int(self._listener.getsockname()[1])

    def connections(self) -> int:
        """How many there were since the last look: the kernel has completed them, accepted or not."""
        count = 0
        with suppress(BlockingIOError):
            while True:
                self._listener.accept()[0].close()
                count += 1
        return count

    def close(self) -> None:
        self._listener.close()
