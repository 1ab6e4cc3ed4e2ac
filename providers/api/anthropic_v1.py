"""The Anthropic-compatible front: /v1/messages and the counting of its tokens."""

from django.core.handlers.asgi import ASGIRequest
from django.http.response import HttpResponseBase

from accounts.principal import Principal
from providers import directory, gateway
from providers.admission import planned
from providers.api.bodies import vendor_object
from providers.api.front import Front, json_response, named_model, native_request
from providers.api.relay import relayed_response
from providers.asks import Asks
from providers.fronts.anthropic import MessagesStream, estimate_tokens, message, read_messages
from providers.types import ByModel, Wanted
from web import request_id
from web.vendor_views import vendor_view

_SHAPE = "anthropic"
_FRONT = Front(
    wire="anthropic",
    path="/v1/messages",
    surface="messages",
    read=read_messages,
    whole=message,
    stream=lambda call_id, model, body: MessagesStream(call_id, model),
)


@vendor_view(_SHAPE, "POST")
async def messages(request: ASGIRequest, principal: Principal) -> HttpResponseBase:
    """POST /v1/messages."""
    return await _FRONT.answer(request, principal)


@vendor_view(_SHAPE, "POST", fresh=True)
async def count_tokens(request: ASGIRequest, principal: Principal) -> HttpResponseBase:
    """POST /v1/messages/count_tokens: the vendor's own count, or for another vendor's model an estimate.

    An estimate asks nobody, so it is no call.
    """
    body = vendor_object(request.body)
    model = named_model(body)
    native = native_request(request, _FRONT.wire, f"{_FRONT.path}/count_tokens", model)
    # Counting is free; what it counts is not used.
    wanted = Wanted(ByModel(model), False, 0, 0, native, asks=Asks(messages=0, generates=False))
    first = planned(principal, wanted, await directory.current())[0]
    if first.endpoint.wire != _FRONT.wire:
        return json_response({"input_tokens": estimate_tokens(body), "estimated": True})
    answer = await gateway.open_answer(principal, wanted, request_id=request_id.current.get(), surface="count_tokens")
    return await relayed_response(answer)
