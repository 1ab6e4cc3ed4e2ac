"""The native pass-through: /proxy/{name}[/{path}], and the aliases that CE.SDK's plugins and others are pointed at."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import orjson
from django.core.handlers.asgi import ASGIRequest
from django.http.response import HttpResponseBase

from accounts.principal import Principal
from providers import directory, gateway
from providers.api.relay import asks_for_stream, path_below, relayed_response
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
    wanted = Wanted(target, asks_for_stream(headers, body), *_text_size(headers, body), native)
    answer = await gateway.open_answer(principal, wanted, request_id=request_id.current.get(), surface="proxy")
    return await relayed_response(answer)


def _text_size(headers: Mapping[str, str], body: bytes) -> tuple[int, int]:
    """Characters and bytes of the text in a body of JSON; nothing of any other, whose bytes are no prompt."""
    if "json" not in headers.get("content-type", "").lower() and body.lstrip()[:1] not in {b"{", b"["}:
        return 0, 0
    try:
        return text_size(orjson.loads(body))
    except orjson.JSONDecodeError:
        return 0, 0
