"""An HTTP/1.1 server for tests, on a thread of its own: it records what arrives and sends what it is told.

`Server` is the machinery. `Vendor` answers as a table of routes says, only to who has the key, and every answer carries
a cookie and the vendor's name for the account (CANARIES), neither of which may ever reach a client of the gateway.
"""

import asyncio
import contextlib
import json
import re
import ssl
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any, ClassVar, Self

LEAK = "upstream-internal-detail-7c1f"  # in every error message of a vendor
KEY = "sk-vendor-canary-8d0c44e1b7f3925a"  # the one key that a scripted vendor accepts
ACCOUNT = "account-canary-61fa"
CANARIES = {
    "Set-Cookie": f"session={ACCOUNT}; Path=/",
    "openai-organization": ACCOUNT,
    "anthropic-organization-id": ACCOUNT,
}


@dataclass
class Arrived:
    """A request as it came in. `path` is the raw target with its query; `pairs` are the headers in their order."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    pairs: list[tuple[str, str]] = field(default_factory=list)

    @property
    def json(self) -> dict[str, Any]:
        data: dict[str, Any] = json.loads(self.body or b"{}")
        return data

    @property
    def query(self) -> str:
        return self.path.partition("?")[2]

    @property
    def form(self) -> dict[str, bytes]:
        """The parts of a multipart body by name."""
        head = f"Content-Type: {self.headers.get('content-type', '')}\r\n\r\n".encode()
        message = BytesParser(policy=HTTP).parsebytes(head + self.body)
        parts = message.get_payload() if message.is_multipart() else []
        assert isinstance(parts, list)
        return {
            str(part.get_param("name", header="content-disposition")): bytes(part.get_payload(decode=True))
            for part in parts
            if isinstance(part, EmailMessage)
        }


@dataclass
class Server(ABC):
    """Runs in a thread with its own event loop. `go_on` lets a paced stream send the rest."""

    port: int = 0
    requests: list[Arrived] = field(default_factory=list)
    go_on: threading.Event = field(default_factory=threading.Event)
    streams_sent: int = 0
    hung_up: int = 0
    held: int = 0  # answers that wait, or have waited, for `go_on`
    connections: int = 0
    hosts: Sequence[str] = ("127.0.0.1",)
    tls: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        self._ready = threading.Event()
        self._readers: dict[asyncio.StreamWriter, asyncio.StreamReader] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def calls(self) -> list[Arrived]:
        """What was asked for, without the free probes."""
        return [arrived for arrived in self.requests if arrived.method == "POST"]

    @abstractmethod
    async def answer(self, arrived: Arrived, writer: asyncio.StreamWriter) -> None:
        """Answers one request."""

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def start(self) -> Self:
        self._thread.start()
        self._ready.wait(5)
        return self

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, self.hosts, self.port, ssl=self.tls))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        for writer in self._readers:
            writer.transport.abort()
        self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self._loop.run_until_complete(asyncio.sleep(0.01))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._readers[writer] = reader
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                arrived = await _read_request(reader)
                self.requests.append(arrived)
                await self.answer(arrived, writer)
        writer.close()

    async def wait_for_hang_up(self, writer: asyncio.StreamWriter) -> None:
        if not await self._readers[writer].read(1):  # nothing more is sent on this connection, so this is its end
            self.hung_up += 1

    async def wait_to_go_on(self, writer: asyncio.StreamWriter) -> None:
        """Waits for `go_on`. Raises ConnectionError when the other side hangs up first."""
        self.held += 1
        reader = self._readers[writer]
        while not self.go_on.is_set():
            if reader.at_eof() or reader.exception() is not None:
                self.hung_up += 1
                raise ConnectionError
            await asyncio.sleep(0.01)


@dataclass(frozen=True)
class Answer:
    """What a vendor answers: `body` at once, or `pieces` one after the other, of which `first` go before a pause.

    cut: the connection ends after the pieces, in the middle of the answer.
    """

    body: bytes = b""
    status: int = 200
    kind: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    pieces: Sequence[bytes] = ()
    first: int = 1
    cut: bool = False


@dataclass
class Vendor(Server):
    """A vendor. With `paced`, a stream stops after its first content until `go_on` is set."""

    paced: bool = False

    base_path: ClassVar[str] = ""
    routes: ClassVar[Mapping[str, Callable[..., Answer]]]  # a pattern for `METHOD /path`; its groups are arguments too
    headers: ClassVar[Mapping[str, str]] = {}  # on each answer, beside the canaries

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.base_path}"

    @property
    def last(self) -> Arrived:
        return self.calls[-1]

    def key_in(self, arrived: Arrived) -> str:
        """The credential that a request carries."""
        return arrived.headers.get("authorization", "").removeprefix("Bearer ")

    @abstractmethod
    def error(self, status: int, message: str) -> Answer:
        """An error in the vendor's shape."""

    def reply(self, arrived: Arrived) -> Answer:
        if (key := self.key_in(arrived)) != KEY:
            return self.error(401, f"Incorrect API key: {key}")
        route = f"{arrived.method} {arrived.path.partition('?')[0]}"
        for pattern, handler in self.routes.items():
            if found := re.fullmatch(pattern, route):
                return handler(self, arrived, *found.groups())
        return self.error(404, f"nothing at {route}")

    def fault(self, model: str) -> Answer | None:
        """The error that a model's name asks for: `status-N`, `no-such-model`, `quoted-key`."""
        if model.startswith("status-"):
            return self.error(int(model.removeprefix("status-")), "as the model's name asks")
        if model == "no-such-model":
            return self.error(404, f"The model `{model}` does not exist")
        return self.error(400, f"{KEY} may not do this") if model == "quoted-key" else None

    async def answer(self, arrived: Arrived, writer: asyncio.StreamWriter) -> None:
        answer = self.reply(arrived)
        length = "Transfer-Encoding: chunked" if answer.pieces else f"Content-Length: {len(answer.body)}"
        headers = {"Content-Type": answer.kind, **CANARIES, **self.headers, **answer.headers}
        lines = [f"HTTP/1.1 {answer.status} X", length, *(f"{name}: {value}" for name, value in headers.items())]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + answer.body)
        for position, piece in enumerate(answer.pieces):
            if self.paced and position == answer.first:
                await self.wait_to_go_on(writer)
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await writer.drain()
        if answer.cut:
            writer.close()
            raise ConnectionError
        if answer.pieces:
            writer.write(b"0\r\n\r\n")
            self.streams_sent += 1
        await writer.drain()


def as_json(content: Any, status: int = 200, **headers: str) -> Answer:
    """A JSON answer; underscores in header names stand for hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(json.dumps(content).encode(), status, headers=named)


def sse(content: Any, event: str = "") -> bytes:
    """One event of a stream; text goes as it is."""
    data = content if isinstance(content, str) else json.dumps(content)
    return (f"event: {event}\n" if event else "").encode() + f"data: {data}\n\n".encode()


def words(text: str) -> list[str]:
    """A text in the pieces in which a vendor streams it."""
    return re.findall(r"\s*\S+", text)


async def _read_request(reader: asyncio.StreamReader) -> Arrived:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, _ = head[0].split(" ", 2)
    pairs = [(name, value.strip()) for name, _, value in (line.partition(":") for line in head[1:] if line)]
    headers = {name.lower(): value for name, value in pairs}
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = await _read_chunks(reader)
    else:
        body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Arrived(method, path, headers, body, pairs)


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int((await reader.readline()).partition(b";")[0], 16):
        body += (await reader.readexactly(size + 2))[:size]
    await reader.readline()
    return body
