"""An adapter for a vendor behind HTTP: what all of those share, round the pure functions that are its own."""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from itertools import chain

import httpx

from providers.adapters.bodies import body_pieces, outgoing, raw_pieces, read_body, read_raw
from providers.adapters.codings import unpacked
from providers.adapters.contract import Opened, Sender
from providers.adapters.exchange import Exchange, OnlyChunk
from providers.adapters.headers import (
    RENAMED,
    RETURNED,
    RETURNED_PREFIXES,
    SENT,
    SENT_PREFIXES,
    passing,
    true_encoding,
    without_credentials,
)
from providers.adapters.key_watch import KeyWatch, quotes
from providers.adapters.meters import Decoded, Meter, Unread, summary
from providers.adapters.named_models import named_model
from providers.adapters.streams import ServerSentEvents, StreamReader
from providers.adapters.sure_models import sure_model
from providers.adapters.translation import Translated, Translation, translated_answer
from providers.conversation import GenerateRequest
from providers.errors import BrokenAnswer, RequestNotPossible, StatusError, Truncated
from providers.paths import is_free
from providers.sse import Event
from providers.types import Chunk, Endpoint, Head, NativeRequest, Usage

_READING = {"GET", "HEAD", "OPTIONS", "DELETE"}  # and taking away
_READ = RETURNED | RENAMED.keys()
_LARGEST_REWRITTEN = 8 * 1024 * 1024  # bytes; a run's logs are in it


class HttpAdapter(ABC):
    """An adapter for a vendor behind HTTP: pure functions on its wire format, and this does the rest."""

    @abstractmethod
    def credentials(self, endpoint: Endpoint) -> dict[str, str]:
        """The headers that carry the provider's key."""

    @abstractmethod
    def build_probe(self, endpoint: Endpoint) -> httpx.Request:
        """A request that needs a valid key and costs nothing."""

    def answer(self, endpoint: Endpoint, request: GenerateRequest, send: Sender) -> AbstractAsyncContextManager[Opened]:
        """A TextAdapter has an answer. Raises RequestNotPossible."""
        raise RequestNotPossible(
            f"Provider '{endpoint.name}' generates no text. Use its own API at /proxy/{endpoint.name}/."
        )

    # What a vendor's relayed requests need beside the key; most need nothing of it.

    sent_headers: tuple[str, ...] = ()  # beginnings of the vendor's own headers that pass from caller to vendor
    returned_headers: tuple[str, ...] = ()  # and back

    translations: Mapping[tuple[str, str], Translation] = {}  # of requests in other wire formats: by format and path

    def translates(self, request: NativeRequest) -> bool:
        """Whether a native request in another vendor's wire format can be relayed in this one's words."""
        return (request.wire, request.path) in self.translations

    def build_native(self, endpoint: Endpoint, request: NativeRequest) -> httpx.Request:
        """The request to relay: as it came, to the vendor's address and with the provider's key."""
        headers = passing([*request.headers.items()], SENT, (*SENT_PREFIXES, *self.sent_headers))
        headers += [("accept-encoding", "identity"), *self.credentials(endpoint).items()]
        query = f"?{query}" if (query := without_credentials(request.query)) else ""
        return outgoing(
            request.method,
            f"{endpoint.base_url.rstrip('/')}{request.path}{query}",
            [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers],
            self.native_body(endpoint, request),
        )

    def named_model(self, request: NativeRequest, *, surely: bool = False) -> str:
        """The model that a native request names, as Adapter has it."""
        return sure_model(request) if surely else named_model(request.headers.get("content-type", ""), request.body)

    def generates(self, request: NativeRequest) -> bool:
        """Whether a native request may have a model make something."""
        return request.method not in _READING and not is_free(request.plain_path)

    def native_body(self, endpoint: Endpoint, request: NativeRequest) -> bytes:
        """The body to relay: as it came, unless `request.model` and `request.output` say otherwise."""
        return request.body

    def meter(self, endpoint: Endpoint, request: NativeRequest, head: httpx.Response) -> Meter:
        """Who reads a successful relayed answer along. The response's body is not read here."""
        return Unread(Usage())

    def refuses_key(self, status: int, body: bytes) -> bool:
        """Whether an error answer is about the gateway's key, for a vendor that says so with another status."""
        return False

    def rewrites(self, request: NativeRequest, head: httpx.Response) -> bool:
        """Whether this is one of the rare answers that do not pass as they are."""
        return False

    def rewritten(self, request: NativeRequest, body: bytes) -> bytes:
        """What the caller gets for such an answer. Raises BrokenAnswer."""
        return body

    async def _rewritten(self, endpoint: Endpoint, request: NativeRequest, response: httpx.Response) -> Opened:
        received = await read_raw(response, _LARGEST_REWRITTEN)
        body = self.rewritten(request, unpacked(received, response.headers.get("content-encoding", "")))
        watch = KeyWatch(endpoint.key)
        watch.check(body)
        head = self._head(response, true_encoding(response.headers, body), watch)
        return Opened(
            OnlyChunk(Chunk(raw=body, usage=Usage(), end=True)), _without(head, "content-length", "content-encoding")
        )

    def relay(self, endpoint: Endpoint, request: NativeRequest, send: Sender) -> AbstractAsyncContextManager[Opened]:
        translation = self.translations.get((request.wire, request.path))
        if translation is None:
            sent = send(endpoint, self.build_native(endpoint, request), relayed=True)
            return Exchange(sent, lambda response: self._opened(endpoint, request, response))
        words = translation(endpoint, request)
        sent = send(endpoint, self.build_native(endpoint, words.request))
        return Exchange(sent, lambda response: self._translated(endpoint, words, response))

    async def _translated(self, endpoint: Endpoint, words: Translated, response: httpx.Response) -> Opened:
        if words.answer is None:
            return await self._opened(endpoint, words.request, response)
        meter = self.meter(endpoint, words.request, response)
        chunk, kind = await translated_answer(words.answer, meter, response)
        KeyWatch(endpoint.key).check(chunk.raw)
        return Opened(OnlyChunk(chunk), Head(200, (("content-type", kind),)))

    async def _opened(self, endpoint: Endpoint, request: NativeRequest, response: httpx.Response) -> Opened:
        watch = KeyWatch(endpoint.key)
        if response.is_error:
            body = await read_raw(response)
            self._refuse_quoted_key(endpoint, response, body)
            refusal = Chunk(raw=body, end=True, flaw=StatusError(response.status_code, "relayed"))
            return Opened(OnlyChunk(refusal), self._head(response, true_encoding(response.headers, body), watch))
        if self.rewrites(request, response):
            return await self._rewritten(endpoint, request, response)
        pieces = raw_pieces(response)
        first = await anext(pieces, b"")
        codings = true_encoding(response.headers, first)
        head = self._head(response, codings, watch)
        meter = self.meter(endpoint, request, response)
        if meter.withholds:
            head = _without(head, "content-length")
        if codings and not isinstance(meter, Unread):
            meter = Decoded(meter, codings)
            head = _without(head, "content-encoding") if meter.withholds else head
        if response.headers.get("content-length") == str(len(first)):  # it is whole already
            watch.check(first)
            return Opened(OnlyChunk(summary((meter.feed(first), meter.finish()))), head)
        return Opened(_relayed(first, pieces, meter, watch), head)

    def _head(self, response: httpx.Response, encoding: str | None, watch: KeyWatch) -> Head:
        headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in response.headers.raw]
        kept = passing(headers, _READ, (*RETURNED_PREFIXES, *self.returned_headers))
        return Head(
            response.status_code,
            tuple(
                (RENAMED.get(n, n), value)
                for n, value in kept
                if (n != "content-encoding" or encoding) and not watch.finds(value.encode("latin-1"))
            ),
        )

    def _refuse_quoted_key(self, endpoint: Endpoint, response: httpx.Response, body: bytes) -> None:
        """An error that is about the gateway's key, or quotes it, is not for the caller."""
        plain = unpacked(body, response.headers.get("content-encoding", ""))
        key = endpoint.key.encode()
        if self.refuses_key(response.status_code, plain) or quotes(plain, key) or quotes(body, key):
            raise StatusError(401, f"a refusal of the key, as status {response.status_code}")

    async def probe(self, endpoint: Endpoint, send: Sender) -> None:
        """Asks what costs nothing. Raises UpstreamError when that fails."""
        async with send(endpoint, self.build_probe(endpoint)) as response:
            await read_body(response)


class TextAdapter(HttpAdapter):
    """An adapter for a vendor behind HTTP that generates text."""

    @abstractmethod
    def build(self, endpoint: Endpoint, request: GenerateRequest) -> httpx.Request:
        """The request to send. Raises RequestNotPossible for what the vendor has no word for."""

    @abstractmethod
    def read_whole(self, body: bytes) -> Chunk:
        """The answer in a whole body. Raises BrokenAnswer."""

    @abstractmethod
    def event_reader(self) -> Callable[[Event], Iterator[Chunk]]:
        """What says of each event of one stream what it means. It raises BrokenAnswer, also for an error inside."""

    # How a vendor's streams arrive; most keep to the standard.

    stream_types: tuple[str, ...] = ("text/event-stream",)  # beginnings of the content types that a stream may have

    def stream_reader(self) -> StreamReader:
        """What cuts one stream into events."""
        return ServerSentEvents()

    def answer(self, endpoint: Endpoint, request: GenerateRequest, send: Sender) -> AbstractAsyncContextManager[Opened]:
        async def opened(response: httpx.Response) -> Opened:
            return Opened(self._streamed(response) if request.stream else self._whole(response))

        return Exchange(send(endpoint, self.build(endpoint, request)), opened)

    async def _whole(self, response: httpx.Response) -> AsyncGenerator[Chunk, None]:
        yield self.read_whole(await read_body(response))

    async def _streamed(self, response: httpx.Response) -> AsyncGenerator[Chunk, None]:
        if not response.headers.get("content-type", "").lower().startswith(self.stream_types):
            raise BrokenAnswer(f"a stream was asked for and {response.headers.get('content-type')!r} came")
        reader, read = self.stream_reader(), self.event_reader()
        pieces = body_pieces(response)
        finished = False
        async for piece in pieces:
            for event in reader.feed(piece):
                for chunk in read(event):
                    yield chunk
                    if chunk.end:
                        # Whoever asks again lets the connection come to its end, so that it can be used again.
                        async for _ in pieces:
                            pass
                        return
                    finished = finished or chunk.finish_reason is not None
        for chunk in chain.from_iterable(map(read, reader.finish())):
            yield chunk
            if chunk.end:
                return
            finished = finished or chunk.finish_reason is not None
        if not finished:
            raise Truncated("the stream ended without its end mark")
        yield Chunk(end=True)  # some servers close after the last choice and send no end mark


def _without(head: Head, *names: str) -> Head:
    """A head that says nothing of what is no longer true of the body."""
    return Head(head.status, tuple((name, value) for name, value in head.headers if name not in names))


async def _relayed(
    first: bytes, pieces: AsyncIterator[bytes], meter: Meter, watch: KeyWatch
) -> AsyncGenerator[Chunk, None]:
    """A relayed answer as chunks, piece by piece.

    Raises BrokenAnswer before a piece that would complete the provider's key.
    """
    begun = watch.passed(first)
    yield meter.feed(begun) if begun or not first else Chunk()
    async for piece in pieces:
        if passed := watch.passed(piece):
            yield meter.feed(passed)
    if watch.held:
        yield meter.feed(watch.held)
    yield meter.finish()
