"""Addis AI: chat in Ethiopian languages, and everything else of its API as it comes.

Source: https://platform.addisassistant.com/docs and the vendor's own client, https://github.com/Addis-AI-Org/addisai-py.
Where they contradict each other, both are understood.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx
import orjson

from providers.adapters import addis_fronts, addis_meters
from providers.adapters.addis_chat import attachments, chat_body
from providers.adapters.base import TextAdapter
from providers.adapters.bodies import parsed_url
from providers.adapters.json_values import an_object, count, document, mapping, sequence, text
from providers.adapters.meters import Meter
from providers.adapters.streams import EventLines
from providers.conversation import GenerateRequest
from providers.errors import BrokenAnswer
from providers.sse import Event
from providers.types import Chunk, Endpoint, NativeRequest, ToolCallPiece, Usage

_CHAT = "/api/v1/chat_generate"
_FREE = "/api/v1/voice/usage"
_FINISHED = {
    "STOP": "stop",
    "LENGTH": "length",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "CONTENT_FILTER": "content_filter",
    "TOOL_CALLS": "tool_calls",
}


class AddisAdapter(TextAdapter):
    """POST {base_url}/api/v1/chat_generate, whole or streamed.

    The vendor documents its streams as server-sent events and shows them as JSON lines too; either is read.
    """

    translations = addis_fronts.FRONTS
    sent_headers = ("x-addis-",)
    returned_headers = ("x-addis-",)
    stream_types = ("text/event-stream", "application/x-ndjson", "application/ndjson", "application/json", "text/plain")

    def credentials(self, endpoint: Endpoint) -> dict[str, str]:
        """A session's JWT goes as Bearer, an API key does not: parts of the vendor's service refuse one so, or both."""
        if endpoint.key.startswith("ey") and endpoint.key.count(".") == 2:
            return {"authorization": f"Bearer {endpoint.key}"}
        return {"x-api-key": endpoint.key} if endpoint.key else {}

    def build(self, endpoint: Endpoint, request: GenerateRequest) -> httpx.Request:
        headers = {"accept-encoding": "identity", **self.credentials(endpoint)}
        body = chat_body(endpoint, request)
        files = attachments(endpoint, request)
        if not files:
            headers["content-type"] = "application/json"
            return httpx.Request("POST", _url(endpoint, _CHAT), content=orjson.dumps(body), headers=headers)
        body["attachment_field_names"] = [name for name, _ in files]
        form = [("request_data", (None, orjson.dumps(body), "application/json")), *files]
        return httpx.Request("POST", _url(endpoint, _CHAT), files=form, headers=headers)

    def build_probe(self, endpoint: Endpoint) -> httpx.Request:
        """What was spent on voices. It is an account's own, so it must need the key; the vendor does not say so."""
        headers = {"accept-encoding": "identity", **self.credentials(endpoint)}
        return httpx.Request("GET", _url(endpoint, _FREE), headers=headers)

    def stream_reader(self) -> EventLines:
        return EventLines()

    def read_whole(self, body: bytes) -> Chunk:
        answer = _answer(document(body))
        chunk = _chunk(answer)
        if not (chunk.tool_calls or chunk.finish_reason or isinstance(answer.get("response_text"), str)):
            raise BrokenAnswer("an answer without text")
        finished = "tool_calls" if chunk.tool_calls else chunk.finish_reason or "stop"
        return Chunk(chunk.text, finished, chunk.usage, chunk.model, end=True, tool_calls=chunk.tool_calls)

    def event_reader(self) -> Callable[[Event], Iterator[Chunk]]:
        return self.read_event

    def read_event(self, event: Event) -> Iterator[Chunk]:
        if event.data == b"[DONE]":
            yield Chunk(end=True)
            return
        answer = _answer(document(event.data))
        if event.name == "error" or answer.get("type") == "error":
            raise BrokenAnswer("an error inside the stream")
        if answer.get("type") != "metadata":  # that is what was heard in a recording
            yield _chunk(answer, end=event.name == "done" or answer.get("is_last_chunk") is True)

    def meter(self, endpoint: Endpoint, request: NativeRequest, head: httpx.Response) -> Meter:
        if request.method == "POST" and request.plain_path == _CHAT:
            return addis_meters.chat(request, head, self.read_whole, self.read_event)
        return addis_meters.other(request, head, lambda answer: _usage(_metadata(answer)))


def _url(endpoint: Endpoint, path: str) -> httpx.URL:
    return parsed_url(f"{endpoint.base_url.rstrip('/')}{path}")


def _answer(said: Mapping[str, Any]) -> Mapping[str, Any]:
    """The answer itself, which is in an envelope or is not. Raises BrokenAnswer for an error."""
    if said.get("status") == "error" or said.get("error"):
        raise BrokenAnswer("an error inside a successful answer")
    inner = said.get("data")
    return inner if isinstance(inner, dict) else said


def _chunk(answer: Mapping[str, Any], *, end: bool = False) -> Chunk:
    said = text(answer.get("response_text")) or text(answer.get("text"))
    finished = text(answer.get("finish_reason"))
    calls = sequence(answer.get("tool_calls"))
    return Chunk(
        said or text(mapping(answer.get("delta")).get("content")),
        _FINISHED.get(finished.upper(), "stop") if finished or end else None,
        _usage(_metadata(answer)),
        str(answer.get("modelVersion") or ""),
        end,
        tool_calls=tuple(_call(place, an_object(call)) for place, call in enumerate(calls)),
    )


def _call(place: int, call: Mapping[str, Any]) -> ToolCallPiece:
    function = an_object(call.get("function"))
    arguments = function.get("arguments")
    if isinstance(arguments, dict):
        arguments = orjson.dumps(arguments).decode()
    return ToolCallPiece(place, text(call.get("id")), text(function.get("name")), text(arguments))


def _metadata(answer: Mapping[str, Any]) -> Any:
    return answer.get("usage_metadata") or answer.get("usageMetadata")


def _usage(reported: Any) -> Usage | None:
    """Tokens, under either spelling; an answer without any words reports none for them."""
    sent = count(reported, "prompt_token_count", "promptTokenCount")
    received = count(reported, "candidates_token_count", "candidatesTokenCount")
    return None if sent is None else Usage(sent, received or 0)
