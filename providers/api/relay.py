"""Between Django's requests and responses and calls that are relayed: bytes in, bytes out, both as they came."""

import asyncio
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from urllib.parse import unquote

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse
from django.http.response import HttpResponseBase

from accounts.errors import AccountsError
from providers import directory, sse
from providers.caller import CLIENT_LEFT
from providers.errors import ProviderWithdrawn
from providers.gateway import Answer
from providers.types import Head
from web import vendor_errors
from web.as_sent import raw_path
from web.problems import InvalidRequest
from web.shutdown import ServerStopping
from web.streams import ReleasedStream

_EVENT_ENDS = (b"\n\n", b"\r\n\r\n", b"\r\r")
_STREAMED = re.compile(rb'"stream"\s*:\s*true')


def path_below(request: ASGIRequest, segments: int) -> str:
    """What of the path as it was sent follows its first segments; empty, or beginning with a slash.

    Raises InvalidRequest for a path that a vendor could read as another than we do.
    """
    parts = raw_path(request).split("/", segments + 1)
    if any("%2f" in part.lower() for part in parts[: segments + 1]):  # which the URLs' resolver takes for a slash
        raise InvalidRequest("A provider's name has no slash. Write the slashes of the path as they are.")
    below = f"/{parts[segments + 1]}" if len(parts) > segments + 1 else ""
    plain = unquote(below, errors="replace").replace("\\", "/")
    # Some servers cut a segment at the semicolon before they resolve dots.
    climbs = any(segment.partition(";")[0] in {".", ".."} for segment in plain.split("/"))
    if climbs or re.search(r"[\x00-\x20\x7f]", below):
        raise InvalidRequest("A path must not contain '.' or '..' as a segment, nor blanks. Write it out.")
    return below


def asks_for_stream(headers: Mapping[str, str], body: bytes) -> bool:
    """Whether a request in any wire format seems to want a stream; for the ledger only."""
    return "text/event-stream" in headers.get("accept", "") or bool(_STREAMED.search(body))


async def relayed_response(answer: Answer) -> HttpResponseBase:
    """The response that passes a relayed answer on; the answer is closed when the response is over."""
    head = answer.head
    if head is None:
        raise TypeError("This answer was translated, not relayed.")
    if (body := answer.take_whole()) is not None:
        await answer.aclose()
        return with_head(HttpResponse(body), head)
    stream = ReleasedStream(_pieces(answer, head), answer.aclose, "")
    with_head(stream, head)
    stream.pass_at_once(stream.get("content-type", ""))
    return stream


def with_head(response: HttpResponseBase, head: Head) -> HttpResponseBase:
    """A response with a vendor's status and headers, such as may be shown, and none of Django's own.

    Whatever it is, a browser that opens it runs nothing of it: it would run as a page of this site.
    """
    response.status_code = head.status
    for name in {"content-type", *(name for name, _ in head.headers)}:
        del response[name]
    for name, value in head.headers:
        response[name] = f"{response[name]}, {value}" if name in response else value
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response["X-Content-Type-Options"] = "nosniff"
    return response


async def _pieces(answer: Answer, head: Head) -> AsyncGenerator[bytes, None]:
    """The bytes as they come. Where the gateway cuts a stream of events between two of them, a last one says why."""
    sent = b"\n\n"
    try:
        async with aclosing(answer.chunks()) as chunks:
            async for chunk in chunks:
                if chunk.raw:
                    sent = chunk.raw
                    yield sent
    except (asyncio.CancelledError, AccountsError, ProviderWithdrawn) as error:
        if CLIENT_LEFT in error.args or not _takes_events(head) or not sent.endswith(_EVENT_ENDS):
            raise  # the connection breaks off, which no client takes for an end
        yield await _last_event(answer, error if isinstance(error, Exception) else ServerStopping())


def _takes_events(head: Head) -> bool:
    """Whether an event of our own may stand in a relayed body: it is of events, and neither coded nor counted."""
    headers = {name.lower(): value.lower() for name, value in head.headers}
    plain = headers.get("content-encoding", "identity") == "identity" and "content-length" not in headers
    return plain and headers.get("content-type", "").startswith("text/event-stream")


async def _last_event(answer: Answer, error: Exception) -> bytes:
    """Why it ends here, as errors come in the vendor's own streams: Anthropic names the event, others do not."""
    endpoint = (await directory.current()).get(answer.provider)
    wire = endpoint.wire if endpoint is not None else ""
    event = sse.encode(vendor_errors.response_for(error, wire).content)
    return b"event: error\n" + event if wire == "anthropic" else event
