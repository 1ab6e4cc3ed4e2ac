"""A server below HTTP: it says exactly the bytes that it was told to, and notes exactly the bytes that it was sent."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum


class End(Enum):
    """What may stand at the end of an answer: the connection is closed, or torn down."""

    CLOSE = "close"
    RESET = "reset"


Answer = Sequence[bytes | float | End]  # bytes are sent, numbers are seconds to wait


@dataclass
class Asked:
    """One request: its head as it came, and its body."""

    head: bytes
    body: bytes

    @property
    def line(self) -> str:
        return self.head.split(b"\r\n")[0].decode("latin-1")

    @property
    def target(self) -> str:
        return self.line.split(" ")[1]

    @property
    def headers(self) -> list[tuple[str, str]]:
        lines = self.head.decode("latin-1").split("\r\n")[1:-2]
        return [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]


@dataclass
class RawServer:
    """Gives its answers in order, whatever is asked; the last one again and again."""

    answers: Sequence[Answer]
    port: int = 0
    connections: int = 0
    asked: list[Asked] = field(default_factory=list)
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)
    open: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open.add(writer)
        with suppress(OSError, asyncio.IncompleteReadError):
            while not writer.is_closing():
                self.asked.append(await read_request(reader))
                await self._say(self.answers[min(len(self.asked), len(self.answers)) - 1], writer)
        self.hung_up.set()
        self.open.discard(writer)
        writer.close()

    async def _say(self, answer: Answer, writer: asyncio.StreamWriter) -> None:
        for step in answer:
            if isinstance(step, bytes):
                writer.write(step)
                await writer.drain()
            elif step is End.RESET:
                writer.transport.abort()
            elif step is End.CLOSE:
                writer.close()
            elif isinstance(step, float):
                await asyncio.sleep(step)


async def read_request(reader: asyncio.StreamReader) -> Asked:
    head = await reader.readuntil(b"\r\n\r\n")
    asked = Asked(head, b"")
    asked.body = await reader.readexactly(int(dict(asked.headers).get("content-length", 0)))
    return asked


@asynccontextmanager
async def serving(*answers: Answer) -> AsyncIterator[RawServer]:
    """A server for the length of a block."""
    server = RawServer(answers)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        for writer in list(server.open):
            writer.transport.abort()
        await asyncio.sleep(0)


def http(body: bytes = b"ok", *headers: str, status: int = 200) -> bytes:
    """An answer with a length."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body
