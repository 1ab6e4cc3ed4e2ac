"""The OpenAI-compatible front: /v1/chat/completions and its neighbours.

A provider that speaks OpenAI's wire format is relayed to, with `model` and the wish for usage put into the body; for
any other, chat completions are translated, and of the rest what its adapter has words for.
"""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.http.response import HttpResponseBase

from accounts.principal import Principal
from providers import directory, gateway
from providers.adapters import splice
from providers.api.bodies import vendor_object
from providers.api.forms import form_tokens
from providers.api.front import Front, json_response, named_model, native_request
from providers.api.relay import relayed_response
from providers.asks import Asks, asks_of_body
from providers.errors import ModelNotFound
from providers.fronts.openai_answers import ChatStream, chat_completion
from providers.fronts.openai_requests import read_chat
from providers.sizes import Extent, extent
from providers.types import ByModel, Endpoint, Wanted
from web import request_id
from web.problems import InvalidRequest, NoSuchPath
from web.vendor_views import vendor_view

_SHAPE = "openai"
_LEAST_BYTES_PER_SECOND = 1000  # of sound that is sent to be transcribed: the lowest rate that codecs for speech have
# https://platform.openai.com/docs/guides/image-generation: 1536 × 1024 in high quality
_MOST_PER_PICTURE = 6240  # tokens of output


def _chat_stream(call_id: str, model: str, body: Mapping[str, Any]) -> ChatStream:
    options = body.get("stream_options")
    with_usage = isinstance(options, dict) and options.get("include_usage") is True
    return ChatStream(call_id, model, with_usage=with_usage)


_CHAT = Front(
    wire="openai",
    path="/chat/completions",
    surface="chat",
    read=read_chat,
    whole=chat_completion,
    stream=_chat_stream,
)


@vendor_view(_SHAPE, "POST")
async def chat_completions(request: ASGIRequest, principal: Principal) -> HttpResponseBase:
    """POST /v1/chat/completions."""
    return await _CHAT.answer(request, principal)


def relayed(path: str, surface: str) -> Callable[..., Coroutine[Any, Any, HttpResponseBase]]:
    """A view for a path that providers of this wire format have, and those whose adapters translate it."""

    @vendor_view(_SHAPE, "POST")
    async def relay(request: ASGIRequest, principal: Principal) -> HttpResponseBase:
        kind = request.headers.get("content-type", "")
        found = Extent()  # what is in a form is a file
        if kind.lower().startswith("multipart/"):
            model, streamed = splice.form_model(request.body, kind), False
            if not model:
                raise InvalidRequest("The form needs a part named `model`, and one only.")
            seconds = len(request.body) / _LEAST_BYTES_PER_SECOND
            asks = Asks(generates=False, raw=form_tokens(request.body, kind), units={"audio_seconds": seconds})
        else:
            body = vendor_object(request.body)
            model, streamed = named_model(body), body.get("stream") is True
            found = extent(body)
            asks = _asks(path, body, found)
        limited = path == "/responses"  # elsewhere it is many prompts at once, or none
        native = native_request(request, _CHAT.wire, path, model)
        wanted = Wanted(ByModel(model), streamed, found.chars if limited else 0, found.size, native, asks=asks)
        answer = await gateway.open_answer(principal, wanted, request_id=request_id.current.get(), surface=surface)
        return await relayed_response(answer)

    return relay


def _asks(path: str, body: Mapping[str, Any], found: Extent) -> Asks:
    """What a request to one of these paths asks for. Only responses have a field for the limit of their output."""
    asks = asks_of_body(body, found, path, generates=path in {"/responses", "/images/generations"})
    if path == "/images/generations":
        pictures = {"images": asks.choices}
        return replace(asks, output=_MOST_PER_PICTURE, limits=(), limitable=False, units=pictures)
    return replace(asks, units={"characters": found.chars})


@vendor_view(_SHAPE, "GET", fresh=True)
async def models(request: ASGIRequest, principal: Principal, model: str = "") -> HttpResponseBase:
    """GET /v1/models[/{model}]: what may be asked for, in a shape that OpenAI's and Anthropic's clients both read."""
    known = await directory.current()
    served = {entry["id"]: entry for entry in _models(known) if _may_use(principal, known, entry)}
    if model:
        if model not in served:
            raise ModelNotFound(model)
        return json_response(served[model])
    names = list(served)
    ends = {"first_id": names[0] if names else None, "last_id": names[-1] if names else None}
    return json_response({"object": "list", "data": list(served.values()), "has_more": False, **ends})


@vendor_view(_SHAPE)
async def nothing(request: ASGIRequest, principal: Principal, path: str) -> HttpResponseBase:
    """There is nothing at other paths below /v1: always 404."""
    raise NoSuchPath


def _may_use(principal: Principal, known: Mapping[str, Endpoint], entry: Mapping[str, Any]) -> bool:
    """Whether the caller's credential is good for an entry of the list."""
    provider = known[entry["owned_by"]]
    model = str(entry["id"]).removeprefix(provider.name).removeprefix("/")
    return principal.may_use(provider.name, model) if model else principal.may_see(provider.name)


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
