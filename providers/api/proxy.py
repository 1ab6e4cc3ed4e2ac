"""The native pass-through: /proxy/{name}[/{path}], and the aliases that CE.SDK's plugins and others are pointed at."""

import json
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import orjson
from django.core.handlers.asgi import ASGIRequest
from django.http.response import HttpResponseBase

from accounts.principal import Principal
from providers import directory, gateway
from providers.api.forms import form_tokens
from providers.api.relay import asks_for_stream, path_below, relayed_response
from providers.asks import Asks, asks_of_body
from providers.paths import is_free
from providers.sizes import extent
from providers.types import ByName, ByType, NativeRequest, Wanted
from web import request_id
from web.as_sent import query_string, sent_headers
from web.vendor_views import vendor_view

_MOST_READ_SLOWLY = 1024 * 1024  # bytes


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
    """Characters and bytes of the text in a body of JSON, and what it asks for.

    What has no body asks for no answer of a model's, nor do the paths that only store things. Of any other body all
    that is no file may be words: readers differ on fields that come twice, and on what is JSON.
    """
    generates = native.method == "POST" and bool(native.body) and not is_free(native.plain_path)
    if not generates:
        return 0, 0, Asks(messages=0, generates=False)
    if native.headers.get("content-encoding", "identity").lower() not in {"", "identity"}:
        return 0, 0, Asks(unbounded="Send its body without a content-encoding.")
    kind = native.headers.get("content-type", "").lower()
    content = _read(native.body) if "json" in kind or native.body.lstrip()[:1] in {b"{", b"["} else None
    if content is None:
        return 0, 0, Asks(messages=0, raw=form_tokens(native.body, native.headers.get("content-type", "")))
    found = extent(content)
    asks = asks_of_body(content if isinstance(content, dict) else {}, found, native.plain_path)
    asks.raw = len(native.body) - found.file_bytes
    return found.chars, found.size, asks


def _read(body: bytes) -> Any:
    """A body of JSON; None for what is none. Some vendors read what is not quite that, such as NaN, or UTF-16."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        if len(body) > _MOST_READ_SLOWLY:
            return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
