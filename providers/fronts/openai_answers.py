"""Answers in the words of OpenAI's chat completions, whole and streamed, for callers whose provider speaks others.

Source: https://platform.openai.com/docs/api-reference/chat
"""

import time
from dataclasses import replace
from typing import Any

import orjson

from accounts.consumption import Consumption
from providers import sse
from providers.completion import Completion
from providers.conversation import ToolCall
from providers.types import Chunk, ToolCallPiece
from web.problems import Problem
from web.vendor_errors import openai_error


def chat_completion(call_id: str, said: Completion, used: Consumption) -> dict[str, Any]:
    """A whole answer."""
    message: dict[str, Any] = {"role": "assistant", "content": said.text or (None if said.tool_calls else "")}
    if said.reasoning:
        message["reasoning_content"] = said.reasoning
    if said.tool_calls:
        message["tool_calls"] = [
            tool_call(replace(call, id=call.id or _tool_call_id(call_id, place)))
            for place, call in enumerate(said.tool_calls)
        ]
    finish_reason = said.finish_reason or ("tool_calls" if said.tool_calls else "stop")
    choice = {"index": 0, "message": message, "finish_reason": finish_reason, "logprobs": None}
    return {**_head(call_id, said.model, "chat.completion"), "choices": [choice], "usage": usage(used)}


class ChatStream:
    """A streamed answer, chunk by chunk. `with_usage`: whether the caller asked for the usage at its end."""

    def __init__(self, call_id: str, model: str, *, with_usage: bool) -> None:
        self._call_id = call_id
        self._head = _head(call_id, model, "chat.completion.chunk")
        self._usual_end = "stop"
        self._with_usage = with_usage

    def begin(self) -> bytes:
        return self._event({"role": "assistant", "content": ""})

    def chunk(self, chunk: Chunk) -> bytes:
        if chunk.tool_calls:
            self._usual_end = "tool_calls"
            chunk = replace(chunk, tool_calls=tuple(map(self._with_id, chunk.tool_calls)))
        said = delta(chunk)
        return self._event(said) if said else b""

    def end(self, finish_reason: str | None, used: Consumption) -> bytes:
        last = self._event({}, finish_reason or self._usual_end)
        if self._with_usage:
            last += _encoded({**self._head, "choices": [], "usage": usage(used)})
        return last + b"data: [DONE]\n\n"

    def error(self, problem: Problem) -> bytes:
        return _encoded(openai_error(problem))

    def _with_id(self, piece: ToolCallPiece) -> ToolCallPiece:
        """The beginning of a tool call with an id, which its result must name; some vendors know none."""
        return replace(piece, id=_tool_call_id(self._call_id, piece.index)) if piece.name and not piece.id else piece

    def _event(self, said: dict[str, Any], finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": said, "logprobs": None, "finish_reason": finish_reason}
        event: dict[str, Any] = {**self._head, "choices": [choice]}
        return _encoded({**event, "usage": None} if self._with_usage else event)


def delta(chunk: Chunk) -> dict[str, Any]:
    """What a chunk adds; empty where it adds nothing."""
    said: dict[str, Any] = {"content": chunk.text} if chunk.text else {}
    if chunk.reasoning:
        said["reasoning_content"] = chunk.reasoning
    if chunk.tool_calls:
        said["tool_calls"] = [{"index": piece.index, **_call_piece(piece)} for piece in chunk.tool_calls]
    return said


def tool_call(call: ToolCall) -> dict[str, Any]:
    """A whole tool call."""
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def usage(used: Consumption) -> dict[str, Any]:
    """What was used; the details only where they say something."""
    shown: dict[str, Any] = {
        "prompt_tokens": used.input,
        "completion_tokens": used.output,
        "total_tokens": used.input + used.output,
    }
    if used.cached:
        shown["prompt_tokens_details"] = {"cached_tokens": used.cached}
    if used.reasoning:
        shown["completion_tokens_details"] = {"reasoning_tokens": used.reasoning}
    return {**shown, "estimated": True} if used.estimated else shown


def _head(call_id: str, model: str, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{call_id}", "object": kind, "created": int(time.time()), "model": model}


def _tool_call_id(call_id: str, place: int) -> str:
    return f"call_{call_id}_{place}"


def _call_piece(piece: ToolCallPiece) -> dict[str, Any]:
    function = {"arguments": piece.arguments, **({"name": piece.name} if piece.name else {})}
    return {**({"id": piece.id, "type": "function"} if piece.id else {}), "function": function}


def _encoded(data: dict[str, Any]) -> bytes:
    return sse.encode(orjson.dumps(data))
