"""OpenAI's chat completions, and every vendor that speaks the same.

Source: https://platform.openai.com/docs/api-reference/chat
"""

from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import orjson

from providers.adapters.base import HttpAdapter, parsed_url
from providers.errors import BrokenAnswer
from providers.sse import Event
from providers.types import Chunk, Endpoint, GenerateRequest, Usage

_MOST_TOKENS = 2**53  # more than any vendor can mean, and than a database column takes


class OpenAIAdapter(HttpAdapter):
    """POST {base_url}/chat/completions."""

    def build(self, endpoint: Endpoint, request: GenerateRequest) -> httpx.Request:
        body: dict[str, Any] = {
            "model": request.model,
            "messages": [{"role": message.role, "content": message.content} for message in request.messages],
            # Newer OpenAI models take only max_completion_tokens; most compatible servers take only the older name.
            endpoint.config.get("max_tokens_field", "max_tokens"): request.max_tokens or endpoint.default_max_tokens,
        }
        if request.temperature is not None:
            body["temperature"] = request.temperature
        if request.stream:
            body["stream"] = True
            body["stream_options"] = {"include_usage": True}
        headers = {**_headers(endpoint), "content-type": "application/json"}
        return httpx.Request("POST", _url(endpoint, "chat/completions"), content=orjson.dumps(body), headers=headers)

    def build_probe(self, endpoint: Endpoint) -> httpx.Request:
        return httpx.Request("GET", _url(endpoint, "models"), headers=_headers(endpoint))

    def read_whole(self, body: bytes) -> Chunk:
        answer = _decode(body)
        choices = answer.get("choices")
        if not isinstance(choices, list) or not choices:
            raise BrokenAnswer("an answer without choices")
        try:
            choice = choices[0]
            text = _text(choice["message"].get("content"))
            return Chunk(
                text,
                _text(choice.get("finish_reason")) or None,
                _usage(answer),
                str(answer.get("model") or ""),
                end=True,
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise BrokenAnswer("a choice without a message") from error

    def read_event(self, event: Event) -> Iterator[Chunk]:
        if event.data == b"[DONE]":
            yield Chunk(end=True)
            return
        answer = _decode(event.data)
        try:
            # A chunk without choices carries the usage. Some servers put usage on every chunk; the last one counts.
            choice: Mapping[str, Any] = next(iter(answer.get("choices") or ()), {})
            text = _text((choice.get("delta") or {}).get("content"))
            yield Chunk(
                text, _text(choice.get("finish_reason")) or None, _usage(answer), str(answer.get("model") or "")
            )
        except (TypeError, AttributeError) as error:
            raise BrokenAnswer("a chunk in another shape") from error


def _url(endpoint: Endpoint, path: str) -> httpx.URL:
    return parsed_url(f"{endpoint.base_url.rstrip('/')}/{path}")


def _headers(endpoint: Endpoint) -> dict[str, str]:
    headers = {"accept-encoding": "identity"}
    if endpoint.key:
        headers["authorization"] = f"Bearer {endpoint.key}"
    return headers


def _decode(data: bytes) -> Mapping[str, Any]:
    try:
        answer = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise BrokenAnswer("not JSON") from error
    if not isinstance(answer, dict):
        raise BrokenAnswer("no JSON object")
    if answer.get("error"):
        raise BrokenAnswer("an error inside a successful answer")
    return answer


def _usage(answer: Mapping[str, Any]) -> Usage | None:
    usage = answer.get("usage")
    if not isinstance(usage, dict):
        return None
    sent, received = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if type(sent) is not int or type(received) is not int:  # a bool is an int too
        return None
    return Usage(sent, received) if 0 <= sent <= _MOST_TOKENS and 0 <= received <= _MOST_TOKENS else None


def _text(value: Any) -> str:
    """A piece of text, or none. Raises BrokenAnswer for anything else."""
    if value is not None and not isinstance(value, str):
        raise BrokenAnswer("text that is no string")
    return value or ""
