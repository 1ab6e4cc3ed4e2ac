"""Anthropic's API.

Source: https://platform.claude.com/docs/en/api/overview
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx
import orjson

from providers.adapters import splice
from providers.adapters.anthropic_messages import messages_body
from providers.adapters.anthropic_stream import StreamedMessage, arguments, finish_reason
from providers.adapters.anthropic_usage import usage
from providers.adapters.base import TextAdapter
from providers.adapters.bodies import parsed_url
from providers.adapters.json_values import an_object, document, text
from providers.adapters.meters import Document, Events, Meter, Reported, Unread
from providers.conversation import GenerateRequest
from providers.errors import BrokenAnswer, RequestNotPossible
from providers.sse import Event
from providers.types import Chunk, Endpoint, NativeRequest, ToolCallPiece, Usage

MESSAGES = "/v1/messages"
_VERSION = "2023-06-01"  # https://platform.claude.com/docs/en/api/versioning
_OAUTH_PREFIX = "sk-ant-oat"
_OAUTH_BETA = "oauth-2025-04-20"  # without it the vendor takes no such token; its own clients send it too


class AnthropicAdapter(TextAdapter):
    """POST {base_url}/v1/messages, and all else below base_url as it comes."""

    sent_headers = ("anthropic-",)
    returned_headers = ("anthropic-ratelimit-", "anthropic-priority-")  # others name the organization

    def credentials(self, endpoint: Endpoint) -> dict[str, str]:
        if not endpoint.key:
            return {}
        if endpoint.key.startswith(_OAUTH_PREFIX):
            return {"authorization": f"Bearer {endpoint.key}"}
        return {"x-api-key": endpoint.key}

    def build(self, endpoint: Endpoint, request: GenerateRequest) -> httpx.Request:
        try:
            content = orjson.dumps(messages_body(endpoint, request))
        except orjson.JSONEncodeError as error:
            raise RequestNotPossible("The request is nested too deeply. Make its schemas flatter.") from error
        return self._request(endpoint, "POST", MESSAGES, {"content-type": "application/json"}, content)

    def build_probe(self, endpoint: Endpoint) -> httpx.Request:
        return self._request(endpoint, "GET", "/v1/models?limit=1", {}, None)

    def build_native(self, endpoint: Endpoint, request: NativeRequest) -> httpx.Request:
        return _completed(endpoint, super().build_native(endpoint, request))

    def native_body(self, endpoint: Endpoint, request: NativeRequest) -> bytes:
        if request.model is None:
            return request.body
        body = splice.with_model(request.body, request.model)
        if request.output is None:
            return body
        return splice.with_output_limit(body, request.output, request.limits, "max_tokens")

    def _request(
        self, endpoint: Endpoint, method: str, target: str, headers: dict[str, str], content: bytes | None
    ) -> httpx.Request:
        url = parsed_url(f"{endpoint.base_url.rstrip('/')}{target}")
        sent = {"accept-encoding": "identity", **self.credentials(endpoint), **headers}
        return _completed(endpoint, httpx.Request(method, url, headers=sent, content=content))

    def read_whole(self, body: bytes) -> Chunk:
        answer = document(body)
        if answer.get("error") or answer.get("type") == "error":
            raise BrokenAnswer("an error inside a successful answer")
        content = answer.get("content")
        if not isinstance(content, list):
            raise BrokenAnswer("an answer without content")
        blocks = [an_object(block) for block in content]
        used = [block for block in blocks if block.get("type") == "tool_use"]
        return Chunk(
            text="".join(text(block.get("text")) for block in blocks if block.get("type") == "text"),
            reasoning="".join(text(block.get("thinking")) for block in blocks if block.get("type") == "thinking"),
            tool_calls=tuple(_call(index, block) for index, block in enumerate(used)),
            finish_reason=finish_reason(answer.get("stop_reason")),
            usage=usage(answer.get("usage")),
            model=text(answer.get("model")),
            end=True,
        )

    def event_reader(self) -> Callable[[Event], Iterator[Chunk]]:
        return StreamedMessage().read

    def meter(self, endpoint: Endpoint, request: NativeRequest, head: httpx.Response) -> Meter:
        if request.method != "POST":
            return Unread(Usage())
        if request.plain_path != MESSAGES:
            return Reported(request, head, lambda answer: usage(answer.get("usage")))
        if head.headers.get("content-type", "").lower().startswith("text/event-stream"):
            return Events(self.event_reader())
        return Document(self.read_whole, textual=True)


def _call(index: int, block: Mapping[str, Any]) -> ToolCallPiece:
    return ToolCallPiece(index, text(block.get("id")), text(block.get("name")), arguments(block.get("input")))


def _completed(endpoint: Endpoint, request: httpx.Request) -> httpx.Request:
    """The request with the headers that none may be without."""
    request.headers.setdefault("anthropic-version", _VERSION)
    if endpoint.key.startswith(_OAUTH_PREFIX):
        asked = [name.strip() for name in request.headers.get("anthropic-beta", "").split(",") if name.strip()]
        request.headers["anthropic-beta"] = ",".join(dict.fromkeys([*asked, _OAUTH_BETA]))
    return request
