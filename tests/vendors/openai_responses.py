"""OpenAI's Responses, scripted: https://platform.openai.com/docs/api-reference/responses

The answer echoes the input. A model named `stream-error` ends with `response.failed`, `cut` without an end.
"""

import json
from collections.abc import Iterator
from typing import Any

from tests.vendors.server import LEAK, Answer, sse, words

USAGE = {
    "input_tokens": 10,
    "input_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 0},
    "output_tokens": 14,
    "output_tokens_details": {"reasoning_tokens": 5},
    "total_tokens": 24,
}
ARGUMENTS = {"city": "Addis Ababa", "days": 2}


def whole(asked: dict[str, Any]) -> dict[str, Any]:
    """A finished response."""
    return {**_response(asked, "completed"), "output": [_item(asked)], "usage": USAGE}


def streamed(asked: dict[str, Any]) -> Answer:
    """The same as events."""
    steps = list(_steps(asked))
    first = next(i for i, (kind, _) in enumerate(steps) if kind.endswith(".delta")) + 1
    if asked["model"] in {"stream-error", "cut"}:
        steps = steps[:first]
    if asked["model"] == "stream-error":
        failed = {**_response(asked, "failed"), "error": {"code": "server_error", "message": LEAK}}
        steps.append(("response.failed", {"response": failed}))
    pieces = [sse({"type": kind, **more, "sequence_number": i}, kind) for i, (kind, more) in enumerate(steps)]
    return Answer(kind="text/event-stream", pieces=pieces, first=first, cut=asked["model"] == "cut")


def _response(asked: dict[str, Any], status: str) -> dict[str, Any]:
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1_760_000_000,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": asked.get("instructions"),
        "model": asked["model"],
        "output": [],
        "parallel_tool_calls": True,
        "tool_choice": asked.get("tool_choice", "auto"),
        "tools": asked.get("tools", []),
        "usage": None,
    }


def _item(asked: dict[str, Any]) -> dict[str, Any]:
    """The one item of the output: a message, or a call of the first tool where one is asked for."""
    if asked.get("tools") and asked.get("tool_choice", "auto") not in ("auto", "none"):
        call = {"call_id": "call_1", "name": asked["tools"][0]["name"], "arguments": json.dumps(ARGUMENTS)}
        return {"type": "function_call", "id": "fc_1", "status": "completed", **call}
    content = [{"type": "output_text", "text": f"Answer to: {_said(asked['input'])}", "annotations": []}]
    return {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": content}


def _said(given: Any) -> str:
    if isinstance(given, str):
        return given
    content = given[-1]["content"]
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def _steps(asked: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each event's type and what it says beside it."""
    begun = _response(asked, "in_progress")
    yield "response.created", {"response": begun}
    yield "response.in_progress", {"response": begun}
    item = _item(asked)
    if item["type"] == "message":
        yield from _message_steps(item)
    else:
        yield from _call_steps(item)
    yield "response.output_item.done", {"output_index": 0, "item": item}
    yield "response.completed", {"response": whole(asked)}


def _message_steps(item: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    part = item["content"][0]
    at = {"item_id": item["id"], "output_index": 0, "content_index": 0}
    yield "response.output_item.added", {"output_index": 0, "item": {**item, "status": "in_progress", "content": []}}
    yield "response.content_part.added", {**at, "part": {**part, "text": ""}}
    for word in words(part["text"]):
        yield "response.output_text.delta", {**at, "delta": word, "logprobs": []}
    yield "response.output_text.done", {**at, "text": part["text"], "logprobs": []}
    yield "response.content_part.done", {**at, "part": part}


def _call_steps(item: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    at = {"item_id": item["id"], "output_index": 0}
    whole_text = item["arguments"]
    yield "response.output_item.added", {"output_index": 0, "item": {**item, "status": "in_progress", "arguments": ""}}
    for piece in (whole_text[:9], whole_text[9:]):
        yield "response.function_call_arguments.delta", {**at, "delta": piece}
    yield "response.function_call_arguments.done", {**at, "arguments": whole_text, "name": item["name"]}
