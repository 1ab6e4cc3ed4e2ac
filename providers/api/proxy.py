"""The native pass-through: /proxy/{name}[/{path}], and the aliases that CE.SDK's plugins and others are pointed at."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import orjson
from django.core.handlers.asgi import ASGIRequest
from django.http.response import HttpResponseBase

from accounts.principal import Principal
from providers import directory, gateway
from providers.api.relay import asks_for_stream, path_below, relayed_response
from providers.asks import Asks, asks_of_body
from providers.sizes import text_size
from providers.types import ByName, ByType, NativeRequest, Wanted
from web import request_id
from web.as_sent import query_string, sent_headers
from web.vendor_views import vendor_view


async def _wire_of_named(request: ASGIRequest, arguments: Mapping[str, Any]) -> str:
    endpoint = (await directory.current()).get(arguments["name"])
    return endpoint.wire if endpoint is not None else ""


@vendor_view(_wire_of_named)
async def named(request: ASGIRequest, principal: Principal, name: str, path: str = "") -> HttpResponseBase:
    """Any request below a provider's base URL, as its vendor knows it."""
    return await _relay(request, principal, ByName(name))


def alias(kind: str) -> Callable[..., Coroutine[Any, Any, HttpResponseBase]]:
    """A view that passes to the first enabled provider of a type."""

    @vendor_view(kind)
    async def of_type(request: ASGIRequest, principal: Principal, path: str = "") -> HttpResponseBase:
        return await _relay(request, principal, ByType(kind))

    return of_type


async def _relay(request: ASGIRequest, principal: Principal, target: ByName | ByType) -> HttpResponseBase:
    headers, body = sent_headers(request), request.body
    below = path_below(request, 2)
    native = NativeRequest(
        wire="",
        method=request.method or "GET",
        path=below,
        query=query_string(request),
        headers=headers,
        body=body,
        origin=request.build_absolute_uri("/".join(request.path.split("/")[:3])),
    )
    chars, size, asks = _extent(native)
    wanted = Wanted(target, asks_for_stream(headers, body), chars, size, native, asks=asks)
    answer = await gateway.open_answer(principal, wanted, request_id=request_id.current.get(), surface="proxy")
    return await relayed_response(answer)


def _extent(native: NativeRequest) -> tuple[int, int, Asks]:
    """Characters and bytes of the text in a body of JSON, and what it asks for; nothing of any other.

    The bytes of another body are no prompt, and what has no body asks for no answer of a model's.
    """
    generates = native.method == "POST" and bool(native.body)
    nothing = (0, 0, Asks(messages=0, generates=generates))
    if "json" not in native.headers.get("content-type", "").lower() and native.body.lstrip()[:1] not in {b"{", b"["}:
        return nothing
    try:
        content = orjson.loads(native.body)
    except orjson.JSONDecodeError:
        return nothing
    body = content if isinstance(content, dict) else {}
    return *text_size(content), asks_of_body(body, native.body, generates=generates)
