"""Anthropic's Messages API, scripted: https://platform.claude.com/docs/en/api/messages

The answer echoes the last user message; with tools and a `tool_choice` of `any` or `tool` it calls the first tool. A
model named `stream-error` breaks off with an error event, `cut` without one; `status-N` and others: `Vendor.fault`.
"""

import json
from collections.abc import Iterator
from typing import Any

from tests.vendors.server import LEAK, Answer, Arrived, Vendor, as_json, sse, words

USAGE = {
    "input_tokens": 11,
    "cache_creation_input_tokens": 3,
    "cache_read_input_tokens": 5,
    "output_tokens": 7,
    "service_tier": "standard",
}
ARGUMENTS = {"city": "Addis Ababa", "days": 2}
THOUGHT = "The user wants an echo."
MODEL = "claude-scripted-1"
_ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


class Anthropic(Vendor):
    def key_in(self, arrived: Arrived) -> str:
        return arrived.headers.get("x-api-key") or super().key_in(arrived)

    def error(self, status: int, message: str) -> Answer:
        body = {"type": "error", "error": _error(status, message), "request_id": "req_1"}
        limits = {"retry-after": "7", "anthropic-ratelimit-requests-remaining": "0"} if status == 429 else {}
        return as_json(body, status, **limits)

    def messages(self, arrived: Arrived) -> Answer:
        asked = arrived.json
        if flaw := _flaw(arrived, ("model", "max_tokens", "messages")):
            return self.error(400, flaw)
        if fault := self.fault(asked["model"]):
            return fault
        if not asked.get("stream"):
            return as_json(_message(asked))
        pieces = list(_events(asked))
        if asked["model"] in {"stream-error", "cut"}:
            pieces = pieces[: _first(pieces)]
        if asked["model"] == "stream-error":
            pieces.append(_event("error", error=_error(529, "Overloaded")))
        return Answer(kind="text/event-stream", pieces=pieces, first=_first(pieces), cut=asked["model"] == "cut")

    def count_tokens(self, arrived: Arrived) -> Answer:
        if flaw := _flaw(arrived, ("model", "messages")):
            return self.error(400, flaw)
        return self.fault(arrived.json["model"]) or as_json({"input_tokens": 19})

    def models(self, arrived: Arrived) -> Answer:
        return as_json({"data": [_model(MODEL)], "has_more": False, "first_id": MODEL, "last_id": MODEL})

    def model(self, arrived: Arrived, name: str) -> Answer:
        return self.fault(name) or as_json(_model(name))

    headers = {"request-id": "req_1", "anthropic-ratelimit-requests-limit": "50"}
    routes = {
        "POST /v1/messages": messages,
        "POST /v1/messages/count_tokens": count_tokens,
        "GET /v1/models": models,
        "GET /v1/models/([^/]+)": model,
    }


def _flaw(arrived: Arrived, needed: tuple[str, ...]) -> str:
    """What the vendor would refuse, or nothing."""
    if "anthropic-version" not in arrived.headers:
        return "anthropic-version: header is required"
    return "".join(f"{name}: Field required. " for name in needed if name not in arrived.json)


def _error(status: int, message: str) -> dict[str, str]:
    return {"type": _ERRORS.get(status, "api_error"), "message": f"{LEAK}: {message}"}


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "type": "model", "display_name": "Scripted", "created_at": "2026-01-01T00:00:00Z"}


def _content(asked: dict[str, Any]) -> list[dict[str, Any]]:
    """The blocks of the answer."""
    blocks: list[dict[str, Any]] = []
    if asked.get("thinking", {}).get("type") in {"enabled", "adaptive"}:
        blocks.append({"type": "thinking", "thinking": THOUGHT, "signature": "c2lnbmF0dXJl"})
    if asked.get("tools") and asked.get("tool_choice", {}).get("type") in {"any", "tool"}:
        name = asked["tools"][0]["name"]
        return [*blocks, {"type": "tool_use", "id": "toolu_1", "name": name, "input": ARGUMENTS}]
    said = asked["messages"][-1]["content"]
    text = said if isinstance(said, str) else "".join(part.get("text", "") for part in said)
    return [*blocks, {"type": "text", "text": f"Answer to: {text}"}]


def _message(asked: dict[str, Any]) -> dict[str, Any]:
    content = _content(asked)
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": asked["model"],
        "content": content,
        "stop_reason": "tool_use" if content[-1]["type"] == "tool_use" else "end_turn",
        "stop_sequence": None,
        "usage": USAGE,
    }


def _event(kind: str, **content: Any) -> bytes:
    return sse({"type": kind, **content}, kind)


def _events(asked: dict[str, Any]) -> Iterator[bytes]:
    whole = _message(asked)
    beginning = {**whole, "content": [], "stop_reason": None, "usage": {**USAGE, "output_tokens": 1}}
    yield _event("message_start", message=beginning)
    yield _event("ping")
    for index, block in enumerate(whole["content"]):
        empty, deltas = _deltas(block)
        yield _event("content_block_start", index=index, content_block=empty)
        for delta in deltas:
            yield _event("content_block_delta", index=index, delta=delta)
        yield _event("content_block_stop", index=index)
    ending = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    yield _event("message_delta", delta=ending, usage={"output_tokens": USAGE["output_tokens"]})
    yield _event("message_stop")


def _deltas(block: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A block as a stream begins it, and what is added to it piece by piece."""
    if block["type"] == "text":
        return {**block, "text": ""}, [{"type": "text_delta", "text": word} for word in words(block["text"])]
    if block["type"] == "thinking":
        thoughts = [{"type": "thinking_delta", "thinking": word} for word in words(block["thinking"])]
        signature = {"type": "signature_delta", "signature": block["signature"]}
        return {**block, "thinking": "", "signature": ""}, [*thoughts, signature]
    whole = json.dumps(block["input"])
    pieces = ["", whole[:9], whole[9:]]
    return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]


def _first(pieces: list[bytes]) -> int:
    """How many pieces it takes until the first content is out."""
    return next(i for i, piece in enumerate(pieces) if b"content_block_delta" in piece) + 1
