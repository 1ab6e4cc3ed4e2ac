"""One streamed answer of Anthropic's, read event by event.

Source: https://platform.claude.com/docs/en/build-with-claude/streaming. An event may lean on those before it: blocks
are named by their index, and of the use the beginning tells one half and the end the other.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from providers.adapters.anthropic_usage import RunningUsage
from providers.adapters.json_values import an_object, count, document, mapping, text
from providers.errors import BrokenAnswer
from providers.sse import Event
from providers.types import Chunk, ToolCallPiece

_FINISH_REASONS = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


def finish_reason(stop_reason: Any) -> str | None:
    """Anthropic's stop_reason in our words; one that is not known is a stop."""
    return _FINISH_REASONS.get(stopped, "stop") if (stopped := text(stop_reason)) else None


def arguments(tool_input: Any) -> str:
    """A tool's input as JSON. Raises BrokenAnswer for one that cannot be written as JSON again."""
    try:
        return orjson.dumps(mapping(tool_input)).decode()
    except orjson.JSONEncodeError as error:
        raise BrokenAnswer("a tool's input that is nested too deeply") from error


class StreamedMessage:
    """The reader of one stream. The last chunk comes with `message_stop`, without which an answer is not whole."""

    def __init__(self) -> None:
        self._used = RunningUsage()
        self._finish_reason: str | None = None
        self._tools: dict[int, int] = {}  # which of the tool calls is in a block
        self._inputs: dict[int, Any] = {}  # what a block began with, as long as nothing was added to it

    def read(self, event: Event) -> Iterator[Chunk]:
        """What an event says. Raises BrokenAnswer, also for an error inside the stream."""
        if event.name == "ping":
            return
        said = document(event.data)
        kind = said.get("type") or event.name
        if kind == "error" or said.get("error"):
            raise BrokenAnswer("an error inside the stream")
        chunk = self._chunk(kind, said)
        if chunk is not None:
            yield chunk

    def _chunk(self, kind: Any, said: Mapping[str, Any]) -> Chunk | None:
        match kind:
            case "message_start":
                message = an_object(said.get("message"))
                return Chunk(model=text(message.get("model")), usage=self._used.begin(message.get("usage")))
            case "content_block_start":
                return self._begin(_place(said), an_object(said.get("content_block")))
            case "content_block_delta":
                return self._grow(_place(said), an_object(said.get("delta")))
            case "content_block_stop":
                return self._close(_place(said))
            case "message_delta":
                self._finish_reason = finish_reason(an_object(said.get("delta")).get("stop_reason"))
                return Chunk(usage=self._used.complete(said.get("usage")))
            case "message_stop":
                return Chunk(finish_reason=self._finish_reason, usage=self._used.so_far(), end=True)
        return None  # the vendor may add kinds of events

    def _begin(self, place: int, block: Mapping[str, Any]) -> Chunk | None:
        match block.get("type"):
            case "text":
                return self._words(text(block.get("text")))
            case "thinking":
                return self._thoughts(text(block.get("thinking")))
            case "tool_use":
                index = self._tools[place] = len(self._tools)
                self._inputs[place] = block.get("input")
                return Chunk(tool_calls=(ToolCallPiece(index, text(block.get("id")), text(block.get("name"))),))
        return None

    def _grow(self, place: int, delta: Mapping[str, Any]) -> Chunk | None:
        match delta.get("type"):
            case "text_delta":
                return self._words(text(delta.get("text")))
            case "thinking_delta":
                return self._thoughts(text(delta.get("thinking")))
            case "input_json_delta" if place in self._tools:
                return self._input(place, text(delta.get("partial_json")))
        return None

    def _close(self, place: int) -> Chunk | None:
        """A tool that takes nothing gets no delta of its input, or an empty one; callers expect an object."""
        return self._input(place, arguments(self._inputs[place])) if place in self._inputs else None

    def _words(self, piece: str) -> Chunk | None:
        return Chunk(text=piece, usage=self._used.say(piece)) if piece else None

    def _thoughts(self, piece: str) -> Chunk | None:
        return Chunk(reasoning=piece, usage=self._used.say(piece)) if piece else None

    def _input(self, place: int, piece: str) -> Chunk | None:
        if not piece:
            return None
        self._inputs.pop(place, None)
        called = ToolCallPiece(self._tools[place], arguments=piece)
        return Chunk(tool_calls=(called,), usage=self._used.say(piece))


def _place(said: Mapping[str, Any]) -> int:
    place = count(said, "index")
    if place is None:
        raise BrokenAnswer("a block without its index")
    return place
