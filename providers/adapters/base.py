"""What an adapter is: the wire format of one vendor, and nothing else.

An adapter knows neither Django nor our callers. It receives values and a way to send, yields chunks, and raises the
errors of providers/errors.py. Streamed or not is one path: a whole answer is a stream of one chunk.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from functools import lru_cache
from typing import Protocol

import httpx

from providers.errors import BrokenAnswer, ConnectFailed, Truncated
from providers.sse import Event, EventReader
from providers.types import Chunk, Endpoint, GenerateRequest

LARGEST_ANSWER = 64 * 1024 * 1024  # bytes of an answer that is read whole


class Sender(Protocol):
    """The way to a vendor. The response is open; leaving the context closes it.

    Raises NotSent or NoAnswer, and StatusError for an error status.
    """

    def __call__(self, endpoint: Endpoint, request: httpx.Request) -> AbstractAsyncContextManager[httpx.Response]: ...


class Adapter(Protocol):
    """The contract of every adapter."""

    def answer(
        self, endpoint: Endpoint, request: GenerateRequest, send: Sender
    ) -> AbstractAsyncContextManager[AsyncIterator[Chunk]]:
        """Opens an answer. `request.model` is final. Leaving the context closes the upstream.

        The last chunk has `end` set; an answer that stops before it raises Truncated. Raises UpstreamError.
        """
        ...

    async def probe(self, endpoint: Endpoint, send: Sender) -> None:
        """Asks the vendor something that costs nothing, with the key. Raises UpstreamError when that fails."""
        ...


class HttpAdapter(ABC):
    """An adapter for a vendor behind HTTP: three pure functions on its wire format, and this does the rest."""

    @abstractmethod
    def build(self, endpoint: Endpoint, request: GenerateRequest) -> httpx.Request:
        """The request to send."""

    @abstractmethod
    def read_whole(self, body: bytes) -> Chunk:
        """The answer in a whole body. Raises BrokenAnswer."""

    @abstractmethod
    def read_event(self, event: Event) -> Iterator[Chunk]:
        """What one event of a stream says. Raises BrokenAnswer, also for an error inside the stream."""

    @abstractmethod
    def build_probe(self, endpoint: Endpoint) -> httpx.Request:
        """A request that needs a valid key and costs nothing."""

    @asynccontextmanager
    async def answer(
        self, endpoint: Endpoint, request: GenerateRequest, send: Sender
    ) -> AsyncIterator[AsyncIterator[Chunk]]:
        async with send(endpoint, self.build(endpoint, request)) as response:
            chunks = self._streamed(response) if request.stream else self._whole(response)
            async with aclosing(chunks):
                yield chunks

    async def probe(self, endpoint: Endpoint, send: Sender) -> None:
        async with send(endpoint, self.build_probe(endpoint)) as response:
            await read_body(response)

    async def _whole(self, response: httpx.Response) -> AsyncGenerator[Chunk, None]:
        yield self.read_whole(await read_body(response))

    async def _streamed(self, response: httpx.Response) -> AsyncGenerator[Chunk, None]:
        if not response.headers.get("content-type", "").lower().startswith("text/event-stream"):
            raise BrokenAnswer(f"a stream was asked for and {response.headers.get('content-type')!r} came")
        reader = EventReader()
        pieces = body_pieces(response)
        finished = False
        async for piece in pieces:
            for event in reader.feed(piece):
                for chunk in self.read_event(event):
                    yield chunk
                    if chunk.end:
                        # Whoever asks again lets the connection come to its end, so that it can be used again.
                        async for _ in pieces:
                            pass
                        return
                    finished = finished or chunk.finish_reason is not None
        if not finished:
            raise Truncated("the stream ended without its end mark")
        yield Chunk(end=True)  # some servers close after the last choice and send no end mark


@lru_cache(maxsize=1024)
def parsed_url(url: str) -> httpx.URL:
    """An address as httpx has it; parsing takes longer than sending, and there are few. Raises ConnectFailed."""
    try:
        return httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ConnectFailed(f"{url} is no address: {error}") from error


async def read_body(response: httpx.Response) -> bytes:
    """The whole body, decoded. Raises BrokenAnswer when it is larger than LARGEST_ANSWER."""
    pieces: list[bytes] = []
    size = 0
    async for piece in body_pieces(response):
        size += len(piece)
        if size > LARGEST_ANSWER:
            raise BrokenAnswer("the answer is larger than any that is accepted")
        pieces.append(piece)
    return b"".join(pieces)


async def body_pieces(response: httpx.Response) -> AsyncGenerator[bytes, None]:
    """The body as it arrives, decoded. Raises BrokenAnswer when it is not encoded as its header says."""
    # httpx's own iterator costs as much as the whole exchange, so it is used only where there is something to decode.
    stream: object = response.stream
    if isinstance(stream, httpx.AsyncByteStream) and "content-encoding" not in response.headers:
        pieces = aiter(stream)
    else:
        pieces = response.aiter_bytes()
    try:
        async for piece in pieces:
            yield piece
    except httpx.DecodingError as error:
        raise BrokenAnswer(f"the answer's content-encoding is not true: {error}") from error
