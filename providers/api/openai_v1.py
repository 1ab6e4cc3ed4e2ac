"""The OpenAI-compatible front: /v1/chat/completions and its neighbours.

A provider that speaks OpenAI's wire format is relayed to, with `model` and the wish for usage put into the body; for
any other, chat completions are translated, and the rest has no translation.
"""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import orjson
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse
from django.http.response import HttpResponseBase

from accounts.principal import Principal
from providers import directory, gateway
from providers.adapters import splice
from providers.api.relay import relayed_response, sent_headers
from providers.api.rendering import rendered
from providers.errors import ModelNotFound
from providers.fronts.openai_answers import ChatStream, chat_completion
from providers.fronts.openai_requests import read_chat
from providers.fronts.sizes import text_size
from providers.types import ByModel, NativeRequest, Wanted
from web import request_id
from web.parsers import json_object
from web.problems import InvalidRequest
from web.streams import ReleasedStream
from web.vendor_views import always, vendor_view

_SHAPE = always("openai")


@vendor_view(_SHAPE, "POST")
async def chat_completions(request: ASGIRequest, principal: Principal) -> HttpResponseBase:
    """POST /v1/chat/completions."""
    body = json_object(request.body)
    if not body.get("messages"):
        raise InvalidRequest("`messages` is missing or empty.")
    model, stream = _model(body), body.get("stream") is True
    chars, size = text_size(body["messages"])
    native = _native(request, "/chat/completions", model)
    wanted = Wanted(ByModel(model), stream, chars, size, native, lambda: read_chat(body))
    answer = await gateway.open_answer(principal, wanted, request_id=request_id.current.get(), surface="chat")
    if answer.head is not None:
        return await relayed_response(answer)
    if stream:
        options = body.get("stream_options")
        with_usage = isinstance(options, dict) and options.get("include_usage") is True
        told = ChatStream(str(answer.call_id), answer.model, with_usage=with_usage)
        return ReleasedStream(rendered(answer, told), answer.aclose, "text/event-stream")
    async with answer:
        said = await answer.collect()
    content = orjson.dumps(chat_completion(str(answer.call_id), said, answer.consumption))
    return HttpResponse(content, content_type="application/json")


def relayed(path: str, surface: str) -> Callable[..., Coroutine[Any, Any, HttpResponseBase]]:
    """A view for a path that only providers of this wire format have."""

    @vendor_view(_SHAPE, "POST")
    async def relay(request: ASGIRequest, principal: Principal) -> HttpResponseBase:
        kind = request.headers.get("content-type", "")
        if kind.startswith("multipart/"):
            model, streamed = splice.form_model(request.body, kind), False
            if not model:
                raise InvalidRequest("The form needs a part named `model`.")
        else:
            body = json_object(request.body)
            model, streamed = _model(body), body.get("stream") is True
        native = _native(request, path, model)
        wanted = Wanted(ByModel(model), streamed, 0, len(request.body), native)
        answer = await gateway.open_answer(principal, wanted, request_id=request_id.current.get(), surface=surface)
        return await relayed_response(answer)

    return relay


@vendor_view(_SHAPE, "GET")
async def models(request: ASGIRequest, principal: Principal, model: str = "") -> HttpResponseBase:
    """GET /v1/models[/{model}]: what may be asked for, in a shape that OpenAI's and Anthropic's clients both read."""
    served = {entry["id"]: entry for entry in _models(await directory.current())}
    if model:
        if model not in served:
            raise ModelNotFound(model)
        content: Mapping[str, Any] = served[model]
    else:
        names = list(served)
        ends = {"first_id": names[0] if names else None, "last_id": names[-1] if names else None}
        content = {"object": "list", "data": list(served.values()), "has_more": False, **ends}
    return HttpResponse(orjson.dumps(content), content_type="application/json")


def _models(providers: Mapping[str, Any]) -> list[dict[str, Any]]:
    """`provider/model` for every model that an enabled provider is known to serve; its name, where none is listed."""
    return [
        {
            "id": name,
            "object": "model",
            "created": 0,
            "owned_by": endpoint.name,
            "type": "model",
            "display_name": name,
            "created_at": "1970-01-01T00:00:00Z",
        }
        for endpoint in providers.values()
        if endpoint.enabled
        for name in _names(endpoint.name, endpoint.models, endpoint.default_model)
    ]


def _names(provider: str, listed: tuple[str, ...], default: str) -> list[str]:
    models = dict.fromkeys([*listed, *([default] if default else [])])
    return [f"{provider}/{model}" for model in models] or [provider]


def _model(body: Mapping[str, Any]) -> str:
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise InvalidRequest("`model` must be a string: `provider/model`, or a provider's name.")
    return model


def _native(request: ASGIRequest, path: str, model: str) -> NativeRequest:
    return NativeRequest("openai", "POST", path, headers=sent_headers(request), body=request.body, model=model)
