"""OpenAI's API, and every vendor that speaks the same.

Source: https://platform.openai.com/docs/api-reference
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import httpx
import orjson

from providers.adapters import openai_usage, splice
from providers.adapters.base import TextAdapter
from providers.adapters.bodies import parsed_url
from providers.adapters.json_values import an_object, document, mapping, pieces_of_text, sequence, text
from providers.adapters.meters import Events, Meter
from providers.adapters.openai_chat import chat_body, limit_field
from providers.conversation import GenerateRequest
from providers.errors import BrokenAnswer
from providers.paths import limit_fields
from providers.sse import Event
from providers.types import Chunk, Endpoint, NativeRequest, ToolCallPiece

CHAT = "/chat/completions"


class OpenAIAdapter(TextAdapter):
    """POST {base_url}/chat/completions, and all else below base_url as it comes."""

    sent_headers = ("openai-beta",)
    returned_headers = ("openai-processing-ms", "openai-version", "openai-model")

    def credentials(self, endpoint: Endpoint) -> dict[str, str]:
        return {"authorization": f"Bearer {endpoint.key}"} if endpoint.key else {}

    def build(self, endpoint: Endpoint, request: GenerateRequest) -> httpx.Request:
        headers = {**_headers(self.credentials(endpoint)), "content-type": "application/json"}
        content = orjson.dumps(chat_body(endpoint, request))
        return httpx.Request("POST", _url(endpoint, CHAT), content=content, headers=headers)

    def build_probe(self, endpoint: Endpoint) -> httpx.Request:
        return httpx.Request("GET", _url(endpoint, "/models"), headers=_headers(self.credentials(endpoint)))

    def read_whole(self, body: bytes) -> Chunk:
        answer = _sound(document(body))
        choices = sequence(answer.get("choices"))
        if not choices:
            raise BrokenAnswer("an answer without choices")
        choice = an_object(choices[0])
        return _chunk(answer, choice, an_object(choice.get("message")), end=True)

    def event_reader(self) -> Callable[[Event], Iterator[Chunk]]:
        return self.read_event

    def read_event(self, event: Event) -> Iterator[Chunk]:
        if event.data == b"[DONE]":
            yield Chunk(end=True)
            return
        answer = _sound(document(event.data))
        # A chunk without choices carries the usage. Some servers put usage on every chunk; the last one counts.
        choice = an_object(next(iter(sequence(answer.get("choices"))), {}))
        chunk = _chunk(answer, choice, mapping(choice.get("delta")))
        yield replace(chunk, flaw=None)
        if chunk.flaw is not None:
            raise chunk.flaw

    def native_body(self, endpoint: Endpoint, request: NativeRequest) -> bytes:
        return request.body if request.model is None else _spliced(endpoint, request, request.model)

    def meter(self, endpoint: Endpoint, request: NativeRequest, head: httpx.Response) -> Meter:
        if request.plain_path.endswith(CHAT) and _is_stream(head.headers.get("content-type", "")):
            return Events(self.read_event, withhold=_only_usage if _adds_usage(request) else None)
        return openai_usage.meter(request, head, self.read_whole)


def _spliced(endpoint: Endpoint, request: NativeRequest, model: str) -> bytes:
    """The body with the fields of the contract in it, for requests that came in by /v1."""
    kind = request.headers.get("content-type", "")
    if kind.lower().startswith("multipart/"):
        return splice.with_form_model(request.body, kind, model)
    body = splice.with_model(request.body, model)
    if request.output is not None:
        body = splice.with_output_limit(body, request.output, request.limits, _own_limit(endpoint, request))
    adds = openai_usage.is_streamed(body) and _adds_usage(request)
    return splice.with_usage_asked_for(body) if adds else body


def _own_limit(endpoint: Endpoint, request: NativeRequest) -> str:
    """The field that limits the answer of a path for sure: of those that it has, the one that its caller uses."""
    known = limit_fields(request.plain_path)
    usual = limit_field(endpoint) if request.plain_path.endswith(CHAT) else known[0]
    return next((name for name in known if name in request.limits), usual)


def _adds_usage(request: NativeRequest) -> bool:
    """Whether it is we who ask for the usage at the end of a stream, if it is one, and not the caller."""
    return request.model is not None and request.plain_path == CHAT and not openai_usage.asks_for_usage(request.body)


def _only_usage(event: Event, chunk: Chunk) -> bool:
    """Whether an event is the one that is there only because we asked for usage: clients may index `choices[0]`."""
    return chunk.usage is not None and not document(event.data).get("choices")


def _is_stream(content_type: str) -> bool:
    return content_type.lower().startswith("text/event-stream")


def _url(endpoint: Endpoint, path: str) -> httpx.URL:
    return parsed_url(f"{endpoint.base_url.rstrip('/')}{path}")


def _headers(credentials: Mapping[str, str]) -> dict[str, str]:
    return {"accept-encoding": "identity", **credentials}


def _sound(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    if answer.get("error"):
        raise BrokenAnswer("an error inside a successful answer")
    return answer


def _chunk(
    answer: Mapping[str, Any], choice: Mapping[str, Any], said: Mapping[str, Any], *, end: bool = False
) -> Chunk:
    used, model = openai_usage.usage(answer.get("usage")), str(answer.get("model") or "")
    try:
        calls = sequence(said.get("tool_calls"))
        words, thoughts = _content(said.get("content"))
        return Chunk(
            text=words or text(said.get("refusal")),
            reasoning=text(said.get("reasoning_content") or said.get("reasoning")) or thoughts,
            tool_calls=tuple(_call(place, mapping(call)) for place, call in enumerate(calls)) if calls else (),
            finish_reason=text(choice.get("finish_reason")) or None,
            usage=used,
            model=model,
            end=end,
        )
    except BrokenAnswer as flaw:
        if used is None:
            raise
        return Chunk(usage=used, model=model, end=end, flaw=flaw)  # what it used is known, whatever it says


def _content(said: Any) -> tuple[str, str]:
    """The words and the thoughts of a message, whose content some vendors give in parts.

    Source: https://docs.mistral.ai/capabilities/reasoning, whose thoughts are in parts again.
    """
    if not isinstance(said, list):
        return text(said), ""
    parts = [an_object(part) for part in said]
    thoughts = (pieces_of_text(part.get("thinking")) for part in parts if part.get("type") == "thinking")
    return "".join(text(part.get("text")) for part in parts if part.get("type") == "text"), "".join(thoughts)


def _call(place: int, call: Mapping[str, Any]) -> ToolCallPiece:
    function = mapping(call.get("function"))
    index = call.get("index")
    return ToolCallPiece(
        index if isinstance(index, int) else place,
        text(call.get("id")),
        text(function.get("name")),
        text(function.get("arguments")),
    )
