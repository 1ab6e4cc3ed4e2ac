"""Anthropic's messages for callers whose provider speaks another wire format: requests in, answers out.

Source: https://platform.claude.com/docs/en/api/messages and https://platform.claude.com/docs/en/build-with-claude/streaming
"""

from typing import Any

import orjson

from accounts.consumption import Consumption
from providers.completion import Completion
from providers.conversation import ToolCall
from providers.fronts.anthropic_read import estimate_tokens, read_messages
from providers.types import Chunk, ToolCallPiece
from web.problems import Problem
from web.vendor_errors import anthropic_kind

__all__ = ["MessagesStream", "estimate_tokens", "message", "read_messages"]

_STOP_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}


def message(call_id: str, completion: Completion, used: Consumption) -> dict[str, Any]:
    """A whole answer."""
    content: list[dict[str, Any]] = []
    if completion.reasoning:
        content.append({"type": "thinking", "thinking": completion.reasoning, "signature": ""})
    if completion.text:
        content.append({"type": "text", "text": completion.text})
    content += [_tool_use(call_id, place, call) for place, call in enumerate(completion.tool_calls)]
    return {
        **_head(call_id, completion.model),
        "content": content,
        "stop_reason": _stop_reason(completion.finish_reason, tools=bool(completion.tool_calls)),
        "stop_sequence": None,
        "usage": usage(used),
    }


class MessagesStream:
    """A streamed answer, chunk by chunk.

    Its content is blocks, one open at a time: one more begins where the answer goes from thoughts to words, or to
    another tool. A piece for a tool that is behind already still goes to that tool's block.
    """

    def __init__(self, call_id: str, model: str) -> None:
        self._call_id = call_id
        self._model = model
        self._blocks = 0
        self._open: str | int | None = None  # the kind of the open block; of a tool's, which tool
        self._tools: dict[int, int] = {}  # the blocks of tools

    def begin(self) -> bytes:
        """The use is not known yet; the end reports the whole."""
        began = {**_head(self._call_id, self._model), "content": [], "stop_reason": None, "stop_sequence": None}
        return _event("message_start", message={**began, "usage": usage(Consumption())})

    def chunk(self, chunk: Chunk) -> bytes:
        said = b""
        if chunk.reasoning:
            said += self._turn_to("thinking", {"type": "thinking", "thinking": "", "signature": ""})
            said += self._delta({"type": "thinking_delta", "thinking": chunk.reasoning})
        if chunk.text:
            said += self._turn_to("text", {"type": "text", "text": ""})
            said += self._delta({"type": "text_delta", "text": chunk.text})
        return said + b"".join(self._tool(piece) for piece in chunk.tool_calls)

    def end(self, finish_reason: str | None, used: Consumption) -> bytes:
        delta = {"stop_reason": _stop_reason(finish_reason, tools=bool(self._tools)), "stop_sequence": None}
        return self._close() + _event("message_delta", delta=delta, usage=usage(used)) + _event("message_stop")

    def error(self, problem: Problem) -> bytes:
        return _event("error", error={"type": anthropic_kind(problem), "message": problem.message})

    def _tool(self, piece: ToolCallPiece) -> bytes:
        said = b""
        if piece.index not in self._tools:
            call_id = piece.id or _tool_id(self._call_id, piece.index)
            said = self._turn_to(piece.index, {"type": "tool_use", "id": call_id, "name": piece.name, "input": {}})
            self._tools[piece.index] = self._blocks - 1
        if piece.arguments:
            delta = {"type": "input_json_delta", "partial_json": piece.arguments}
            said += _event("content_block_delta", index=self._tools[piece.index], delta=delta)
        return said

    def _turn_to(self, kind: str | int, block: dict[str, Any]) -> bytes:
        """Opens a block, unless one of that kind is open."""
        if kind == self._open:
            return b""
        said = self._close() + _event("content_block_start", index=self._blocks, content_block=block)
        self._open, self._blocks = kind, self._blocks + 1
        return said

    def _delta(self, delta: dict[str, Any]) -> bytes:
        return _event("content_block_delta", index=self._blocks - 1, delta=delta)

    def _close(self) -> bytes:
        if self._open is None:
            return b""
        self._open = None
        return _event("content_block_stop", index=self._blocks - 1)


def usage(used: Consumption) -> dict[str, Any]:
    """What was used, as Anthropic counts: its input is without what was read from a cache or written to one."""
    shown: dict[str, Any] = {
        "input_tokens": max(0, used.input - used.cached - used.cache_write),
        "cache_creation_input_tokens": used.cache_write,
        "cache_read_input_tokens": used.cached,
        "output_tokens": used.output,
    }
    if used.reasoning:
        shown["output_tokens_details"] = {"thinking_tokens": used.reasoning}
    return {**shown, "estimated": True} if used.estimated else shown


def _head(call_id: str, model: str) -> dict[str, Any]:
    return {"id": f"msg_{call_id}", "type": "message", "role": "assistant", "model": model}


def _stop_reason(finish_reason: str | None, *, tools: bool) -> str:
    """Not every vendor says that it stopped for a tool's sake; Anthropic's clients go by it."""
    if tools and finish_reason in {None, "stop"}:
        return "tool_use"
    return _STOP_REASONS.get(finish_reason or "stop", "end_turn")


def _tool_use(call_id: str, place: int, call: ToolCall) -> dict[str, Any]:
    tool_id = call.id or _tool_id(call_id, place)
    return {"type": "tool_use", "id": tool_id, "name": call.name, "input": _input(call.arguments)}


def _tool_id(call_id: str, place: int) -> str:
    """A name for a tool call, for vendors that give none."""
    return f"toolu_{call_id}_{place}"


def _input(arguments: str) -> dict[str, Any]:
    """A tool's input, which must be an object. One that a model wrote wrongly is wrapped, as the vendor recommends:

    https://platform.claude.com/docs/en/agents-and-tools/tool-use/fine-grained-tool-streaming
    """
    try:
        value = orjson.loads(arguments or "{}")
    except orjson.JSONDecodeError:
        value = None
    return value if isinstance(value, dict) else {"INVALID_JSON": arguments}


def _event(kind: str, **said: Any) -> bytes:
    return b"event: " + kind.encode() + b"\ndata: " + orjson.dumps({"type": kind, **said}) + b"\n\n"
