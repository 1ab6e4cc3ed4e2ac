"""httpx's request and response types over aiohttp's connections.

httpx.AsyncClient on its own transport does a twentieth of the requests that aiohttp does
(docs/decisions/0003-httpx-types-over-aiohttp.md). This hands an httpx.Request to one aiohttp session and returns an
httpx.Response whose stream is that connection, so adapters and tests see httpx only. It changes nothing on the way:
no re-encoded address, no added header, no cookie kept, no decoding, no redirect followed, nothing sent twice, no proxy
variable believed.
"""

import asyncio
from contextvars import ContextVar
from functools import lru_cache
from typing import TYPE_CHECKING, Self

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver
from yarl import URL

from providers.errors import (
    AnswerTimeout,
    BrokenAnswer,
    ConnectFailed,
    ConnectTimeout,
    NoAnswer,
    Truncated,
    UpstreamError,
)
from providers.types import Timeouts
from providers.upstream.egress import PublicResolver, public_socket, refuse_private_literal

if TYPE_CHECKING:
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

# Vendors close idle connections after about 60 s. A request that meets a closing one is lost: it may not be resent.
_IDLE_KEPT = 15.0  # seconds
_NAMES_KEPT = 60  # seconds
_AUTOMATIC_HEADERS = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")


def translate(error: Exception, *, connected: bool) -> UpstreamError:
    """The one table from the client library's errors to ours. What matters is whether the request was sent."""
    match error:
        case aiohttp.ConnectionTimeoutError():
            return ConnectTimeout(str(error))
        case TimeoutError() if not connected:
            return ConnectTimeout("the time for the whole call was over before there was a connection")
        case UnicodeDecodeError():  # without what it could not decode, which may be a key
            return ConnectFailed("a header that cannot be sent")
        case aiohttp.ClientConnectorError() | ValueError():  # an address or a header that cannot even be sent
            return ConnectFailed(f"{type(error).__name__}: {error}")
        case TimeoutError():
            return AnswerTimeout("the answer did not come in time")
        case aiohttp.ClientPayloadError():
            return Truncated(str(error))
        case aiohttp.ClientResponseError():
            return BrokenAnswer("the answer is no HTTP")
        case _:
            return NoAnswer(f"{type(error).__name__}: {error}")


class AiohttpTransport(httpx.AsyncBaseTransport):
    """One pool of connections for one event loop.

    Parameters: private_network, whether addresses outside the public internet may be reached. Pools with and without
    that right are never shared, since a pool hands out connections by host name. resolver, who is asked what a name
    means, once per connection; None is the system's.

    A request's time limits are taken from `request.extensions["timeouts"]`, a Timeouts; its address, if it is there as
    it shall be spelled, from `request.extensions["target"]`.
    """

    def __init__(self, *, private_network: bool, resolver: AbstractResolver | None = None) -> None:
        self._private_network = private_network
        self._resolver = resolver
        self._session: aiohttp.ClientSession | None = None

    def _open_session(self) -> aiohttp.ClientSession:
        connector = _Connector(
            limit=0,
            keepalive_timeout=_IDLE_KEPT,
            resolver=self._resolver if self._private_network else PublicResolver(self._resolver),
            ttl_dns_cache=_NAMES_KEPT,  # what is kept was checked when it was resolved
            socket_factory=None if self._private_network else public_socket,
        )
        session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            skip_auto_headers=_AUTOMATIC_HEADERS,
            timeout=aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None),
        )
        session._retry_connection = False  # aiohttp sends idempotent requests again on its own
        return session

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Sends; returns when the head of the answer is there. Raises UpstreamError."""
        timeouts: Timeouts = request.extensions.get("timeouts") or Timeouts()
        clock = asyncio.get_running_loop().time
        deadline = None if timeouts.total is None else clock() + timeouts.total
        if self._session is None:
            self._session = self._open_session()
        progress = _Progress(timeouts, deadline)
        _progress.set(progress)  # instead of the last call's, when one task makes several
        try:
            url = _as_it_is(request.extensions.get("target") or str(request.url))
            if not self._private_network:
                refuse_private_literal(url.raw_host or "")  # as the one who connects reads it
            body = await request.aread()
            async with progress.limit:
                answer = await self._session.request(
                    request.method,
                    url,
                    data=aiohttp.BytesPayload(body) if body else None,  # as aiohttp would, after a look for what it is
                    headers=_headers(request),
                    allow_redirects=False,
                )
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise translate(error, connected=progress.connected) from error
        stream = _Body(answer, timeouts.gap, deadline)
        return httpx.Response(answer.status, headers=answer.raw_headers, stream=stream, request=request)

    async def aclose(self) -> None:
        """Closes the pool."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()


class _Progress:
    """How far a request has come, and how long it may take from there.

    A connection out of the pool is there at once, so the time for connecting begins only when one is made: most
    requests need one timer, not two.
    """

    def __init__(self, timeouts: Timeouts, deadline: float | None) -> None:
        self.connected = False
        self.limit = asyncio.timeout_at(deadline)
        self._timeouts = timeouts
        self._deadline = deadline

    def note_connecting(self) -> None:
        self._allow(self._timeouts.connect)

    def note_connected(self) -> None:
        self.connected = True
        self._allow(self._timeouts.first_byte)

    def _allow(self, seconds: float | None) -> None:
        end = None if seconds is None else asyncio.get_running_loop().time() + seconds
        self.limit.reschedule(_sooner(end, self._deadline))


_progress: ContextVar[_Progress | None] = ContextVar("progress", default=None)


class _Connector(aiohttp.TCPConnector):
    """Says when a connection is being made, and when it is there: from then on the wait for the first byte counts."""

    async def connect(
        self, req: aiohttp.ClientRequest, traces: "list[Trace]", timeout: aiohttp.ClientTimeout
    ) -> "Connection":
        connection = await super().connect(req, traces, timeout)
        if (progress := _progress.get()) is not None:
            progress.note_connected()
        return connection

    async def _create_connection(
        self, req: aiohttp.ClientRequest, traces: "list[Trace]", timeout: aiohttp.ClientTimeout
    ) -> "ResponseHandler":
        if (progress := _progress.get()) is not None:
            progress.note_connecting()
        return await super()._create_connection(req, traces, timeout)


class _Body(httpx.AsyncByteStream):
    """The body of an answer as it arrives; closing it early closes the connection.

    An iterator and no generator: one that is dropped half read would be finished by a task of its own.
    """

    def __init__(self, answer: aiohttp.ClientResponse, gap: float | None, deadline: float | None) -> None:
        self._answer = answer
        self._gap = gap
        self._deadline = deadline

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        content = self._answer.content
        try:
            while not content.at_eof():
                limit = self._limit()
                if not (piece := content.read_nowait()):  # what is there already needs no clock
                    async with asyncio.timeout(limit):
                        piece = await content.readany()
                if piece:
                    return piece
            raise StopAsyncIteration
        except (aiohttp.ClientError, OSError) as error:
            raise translate(error, connected=True) from error

    def _limit(self) -> float | None:
        """How long the next read may take, in seconds. Raises TimeoutError when the whole has taken too long."""
        if self._deadline is None:
            return self._gap
        left = self._deadline - asyncio.get_running_loop().time()
        if left <= 0:
            raise TimeoutError
        return _sooner(self._gap, left)

    async def aclose(self) -> None:
        # A connection whose body was read to the end is already back in the pool; any other must not be reused.
        self._answer.close()


@lru_cache(maxsize=1024)
def _as_it_is(url: str) -> URL:
    """An address that yarl does not encode anew: `%2F` stays `%2F`."""
    return URL(url, encoded=True)


def _headers(request: httpx.Request) -> list[tuple[str, str]]:
    # aiohttp takes text and sends it as UTF-8. So read, values leave as the bytes that they are, or not at all.
    return [(name.decode("ascii"), value.decode("utf-8")) for name, value in request.headers.raw]


def _sooner(one: float | None, other: float | None) -> float | None:
    return min((limit for limit in (one, other) if limit is not None), default=None)
