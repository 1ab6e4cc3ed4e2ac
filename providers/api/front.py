"""What every compatible front does: relay to a provider of its own wire format, translate for any other."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse
from django.http.response import HttpResponseBase

from accounts.consumption import Consumption
from accounts.principal import Principal
from providers import gateway
from providers.api.bodies import vendor_object
from providers.api.relay import relayed_response
from providers.api.rendering import Stream, rendered
from providers.asks import asks_of_body
from providers.completion import Completion
from providers.conversation import GenerateRequest
from providers.sizes import extent
from providers.types import ByModel, NativeRequest, Wanted
from web import request_id
from web.as_sent import query_string, sent_headers
from web.problems import InvalidRequest
from web.streams import ReleasedStream


@dataclass(frozen=True, slots=True)
class Front:
    """A conversation in one vendor's words.

    wire, path: the format, and where below a provider's base URL it is spoken. surface: what the ledger calls it.
    read: a body in our words; raises RequestNotPossible. whole, stream: an answer in its words, by the call's id; the
    stream also by the model and the body that asked.
    """

    wire: str
    path: str
    surface: str
    read: Callable[[Mapping[str, Any]], GenerateRequest]
    whole: Callable[[str, Completion, Consumption], Mapping[str, Any]]
    stream: Callable[[str, str, Mapping[str, Any]], Stream]

    async def answer(self, request: ASGIRequest, principal: Principal) -> HttpResponseBase:
        """One call by this front, from the body to the response. Raises what gateway.open_answer raises."""
        body = vendor_object(request.body)
        if not body.get("messages"):
            raise InvalidRequest("`messages` is missing or empty.")
        model, streamed = named_model(body), body.get("stream") is True
        found = extent(body)
        native = native_request(request, self.wire, self.path, model)
        asks = asks_of_body(body, found, self.path)
        wanted = Wanted(ByModel(model), streamed, found.chars, found.size, native, lambda: self.read(body), asks)
        answer = await gateway.open_answer(principal, wanted, request_id=request_id.current.get(), surface=self.surface)
        if answer.head is not None:
            return await relayed_response(answer)
        call_id = str(answer.call_id)
        if streamed:
            parts = rendered(answer, self.stream(call_id, answer.model, body))
            return ReleasedStream(parts, answer.aclose, "text/event-stream")
        async with answer:
            said = await answer.collect()
        return json_response(self.whole(call_id, said, answer.consumption))


def json_response(content: Mapping[str, Any]) -> HttpResponse:
    """A whole answer in a vendor's words."""
    return HttpResponse(orjson.dumps(content), content_type="application/json")


def named_model(body: Mapping[str, Any]) -> str:
    """The model that a body names. Raises InvalidRequest."""
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise InvalidRequest("`model` must be a string: `provider/model`, or a provider's name.")
    return model


def native_request(request: ASGIRequest, wire: str, path: str, model: str) -> NativeRequest:
    """The request as it came, its query too, with the model to be put into it."""
    return NativeRequest(wire, "POST", path, query_string(request), sent_headers(request), request.body, model)
