"""The way to the vendors: pools of connections, an open response as a context, error statuses as errors."""

import asyncio
from contextlib import AbstractAsyncContextManager, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from types import TracebackType
from weakref import WeakKeyDictionary

import httpx

from providers.errors import StatusError, UpstreamError
from providers.types import Endpoint
from providers.upstream.transport import AiohttpTransport

_LOGGED_BODY = 300  # characters of a vendor's error that go into the log
_DETAIL_SECONDS = 1.0  # how long an error's body is waited for
_LONGEST_WAIT = 24 * 3600  # seconds; a longer Retry-After is nonsense

_ABOUT_THE_KEY = frozenset({401, 403})

# Connections belong to the event loop that opened them, and commands and tests have loops of their own.
_transports: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[bool, httpx.AsyncBaseTransport]] = WeakKeyDictionary()


def transport(*, private_network: bool) -> httpx.AsyncBaseTransport:
    """The pool of this event loop, with or without the right to reach private addresses."""
    pools = _transports.setdefault(asyncio.get_running_loop(), {})
    if private_network not in pools:
        pools[private_network] = AiohttpTransport(private_network=private_network)
    return pools[private_network]


async def close_pools() -> None:
    """Closes this event loop's connections."""
    for pool in _transports.pop(asyncio.get_running_loop(), {}).values():
        await pool.aclose()


def send(
    endpoint: Endpoint, request: httpx.Request, *, relayed: bool = False
) -> AbstractAsyncContextManager[httpx.Response]:
    """Sends a request to a provider; leaving the context closes the response.

    Raises UpstreamError; StatusError for every status that is not a success. With `relayed` most error statuses are
    answers like any other, but not those that are between the gateway and the vendor: a redirect, which would lead
    the caller past the gateway, and a refusal of the gateway's key, which a vendor may quote.
    """
    return _Sent(endpoint, request, relayed)


class _Sent(AbstractAsyncContextManager[httpx.Response]):
    """What `send` returns. A class, since a generator that is made a context takes three times as long."""

    def __init__(self, endpoint: Endpoint, request: httpx.Request, relayed: bool) -> None:
        self._endpoint = endpoint
        self._request = request
        self._relayed = relayed
        self._response: httpx.Response | None = None

    async def __aenter__(self) -> httpx.Response:
        endpoint, request = self._endpoint, self._request
        request.extensions["timeouts"] = endpoint.timeouts
        pool = transport(private_network=endpoint.allow_private_network)
        self._response = response = await pool.handle_async_request(request)
        if response.is_success or (self._relayed and _is_for_the_caller(response.status_code)):
            return response
        try:
            raise await _status_error(response, endpoint.key)
        finally:
            await response.aclose()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._response is not None:
            await self._response.aclose()


def _is_for_the_caller(status: int) -> bool:
    return status == HTTPStatus.NOT_MODIFIED or (status >= 400 and status not in _ABOUT_THE_KEY)


async def _status_error(response: httpx.Response, key: str) -> StatusError:
    detail = b""
    if response.status_code not in _ABOUT_THE_KEY:  # there a vendor may quote the key, whole or in part
        # The status counts, whatever becomes of the body.
        with suppress(UpstreamError, TimeoutError):
            async with asyncio.timeout(_DETAIL_SECONDS):
                async for piece in response.aiter_raw():
                    detail += piece
                    if len(detail) >= _LOGGED_BODY + len(key):
                        break
    text = without_key(detail.decode("utf-8", "replace"), key)
    return StatusError(response.status_code, text, retry_after(response.headers.get("retry-after")))


def without_key(text: str, key: str) -> str:
    """The beginning of a vendor's words for the log, with the key out of it: whole, or cut off at the end."""
    if key:
        text = text.replace(key, "[key]")[:_LOGGED_BODY]
        for length in range(min(len(key) - 1, len(text)), 3, -1):
            if text.endswith(key[:length]):
                return text[:-length] + "[key]"
    return text[:_LOGGED_BODY]


def retry_after(value: str | None) -> int | None:
    """The seconds that a Retry-After header asks for, given as a number or as a date (RFC 9110 section 10.2.3)."""
    if not value:
        return None
    if value.isascii() and value.isdigit():
        return min(int(value.lstrip("0")[:9] or "0"), _LONGEST_WAIT)
    try:
        wait = (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
    except (TypeError, ValueError, OverflowError):
        return None
    return max(0, min(round(wait), _LONGEST_WAIT))
