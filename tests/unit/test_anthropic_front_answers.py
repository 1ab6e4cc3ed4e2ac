"""Answers in Anthropic's words, of providers that speak others: whole and streamed."""

import json
from collections.abc import Iterable
from typing import Any

import pytest

from accounts.consumption import Consumption
from providers.adapters.anthropic import AnthropicAdapter
from providers.adapters.meters import summary
from providers.completion import Completion
from providers.conversation import ToolCall
from providers.fronts.anthropic import MessagesStream, message
from providers.sse import EventReader
from providers.types import Chunk, ToolCallPiece, Usage
from web.problems import Problem

USED = Consumption(123, 50, cached=3, cache_write=20, reasoning=30)
USAGE = {
    "input_tokens": 100,
    "cache_creation_input_tokens": 20,
    "cache_read_input_tokens": 3,
    "output_tokens": 50,
    "output_tokens_details": {"thinking_tokens": 30},
}


def test_a_whole_answer() -> None:
    completion = Completion(
        "Let me see.",
        "llama",
        "local",
        "tool_calls",
        (ToolCall("call_1", "get_weather", '{"city": "Addis"}'), ToolCall("", "now", "")),
        "Hmm",
    )
    assert message("c1", completion, USED) == {
        "id": "msg_c1",
        "type": "message",
        "role": "assistant",
        "model": "llama",
        "content": [
            {"type": "thinking", "thinking": "Hmm", "signature": ""},
            {"type": "text", "text": "Let me see."},
            {"type": "tool_use", "id": "call_1", "name": "get_weather", "input": {"city": "Addis"}},
            {"type": "tool_use", "id": "toolu_c1_1", "name": "now", "input": {}},
        ],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": USAGE,
    }


STOP_REASONS = [
    ("stop", False, "end_turn"),
    ("length", False, "max_tokens"),
    ("content_filter", False, "refusal"),
    (None, False, "end_turn"),
    ("tool_calls", True, "tool_use"),
    ("stop", True, "tool_use"),
    (None, True, "tool_use"),
    ("length", True, "max_tokens"),
]


@pytest.mark.parametrize(("finish_reason", "tools", "stop_reason"), STOP_REASONS)
def test_why_it_stopped(finish_reason: str | None, tools: bool, stop_reason: str) -> None:
    calls = (ToolCall("t", "n", "{}"),) if tools else ()
    assert message("c", Completion("", "m", "p", finish_reason, calls), USED)["stop_reason"] == stop_reason
    pieces = tuple(ToolCallPiece(0, call.id, call.name, call.arguments) for call in calls)
    events = streamed([Chunk(tool_calls=pieces)], finish_reason)
    assert events[-2]["delta"] == {"stop_reason": stop_reason, "stop_sequence": None}


@pytest.mark.parametrize("arguments", ['{"city": "Ad', "[1]", "5"])
def test_an_input_that_is_no_object_is_wrapped(arguments: str) -> None:
    said = message("c", Completion("", "m", "p", "length", (ToolCall("t", "n", arguments),)), USED)
    assert said["content"][0]["input"] == {"INVALID_JSON": arguments}


@pytest.mark.parametrize(
    ("used", "usage"),
    [
        (Consumption(), {"input_tokens": 0, "output_tokens": 0}),
        (Consumption(5, 6), {"input_tokens": 5, "output_tokens": 6}),
        (Consumption(5, 6, estimated=True), {"input_tokens": 5, "output_tokens": 6, "estimated": True}),
        (Consumption(5, 6, cached=7), {"input_tokens": 0, "output_tokens": 6, "cache_read_input_tokens": 7}),
    ],
)
def test_what_was_used(used: Consumption, usage: dict[str, Any]) -> None:
    nought = {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
    assert message("c", Completion("Hi", "m", "p", "stop"), used)["usage"] == nought | usage


def parsed(data: bytes) -> list[dict[str, Any]]:
    """The events of a stream, each of which names itself twice."""
    events = []
    for event in EventReader().feed(data):
        said = json.loads(event.data)
        assert said["type"] == event.name
        events.append(said)
    return events


def rendered(chunks: Iterable[Chunk], finish_reason: str | None = "stop") -> bytes:
    told = MessagesStream("c1", "llama")
    return told.begin() + b"".join([told.chunk(chunk) for chunk in chunks]) + told.end(finish_reason, USED)


def streamed(chunks: Iterable[Chunk], finish_reason: str | None = "stop") -> list[dict[str, Any]]:
    return parsed(rendered(chunks, finish_reason))


def start(index: int, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(index: int, **said: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": said}


def stop(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def use(index: int, call_id: str, name: str) -> dict[str, Any]:
    return start(index, type="tool_use", id=call_id, name=name, input={})


def arguments(index: int, piece: str) -> dict[str, Any]:
    return delta(index, type="input_json_delta", partial_json=piece)


def test_a_streamed_answer() -> None:
    chunks = [Chunk(model="llama"), Chunk("Hel"), Chunk("lo"), Chunk(finish_reason="stop", end=True)]
    assert streamed(chunks) == [
        {
            "type": "message_start",
            "message": {
                "id": "msg_c1",
                "type": "message",
                "role": "assistant",
                "model": "llama",
                "content": [],
                "stop_reason": None,
                "stop_sequence": None,
                "usage": {
                    "input_tokens": 0,
                    "cache_creation_input_tokens": 0,
                    "cache_read_input_tokens": 0,
                    "output_tokens": 0,
                },
            },
        },
        start(0, type="text", text=""),
        delta(0, type="text_delta", text="Hel"),
        delta(0, type="text_delta", text="lo"),
        stop(0),
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": USAGE},
        {"type": "message_stop"},
    ]


TOOL_CHUNKS = [
    Chunk(reasoning="Hm"),
    Chunk("Let ", reasoning="m"),
    Chunk("me see"),
    Chunk(tool_calls=(ToolCallPiece(0, "call_1", "get_weather"),)),
    Chunk(tool_calls=(ToolCallPiece(0, arguments='{"city":'), ToolCallPiece(0, arguments='"Addis"}'))),
    Chunk(tool_calls=(ToolCallPiece(1, "", "now", "{}"),)),
    Chunk("."),
]


def test_a_streamed_answer_with_thoughts_and_tools() -> None:
    assert streamed(TOOL_CHUNKS)[1:-2] == [
        start(0, type="thinking", thinking="", signature=""),
        delta(0, type="thinking_delta", thinking="Hm"),
        delta(0, type="thinking_delta", thinking="m"),
        stop(0),
        start(1, type="text", text=""),
        delta(1, type="text_delta", text="Let "),
        delta(1, type="text_delta", text="me see"),
        stop(1),
        use(2, "call_1", "get_weather"),
        arguments(2, '{"city":'),
        arguments(2, '"Addis"}'),
        stop(2),
        use(3, "toolu_c1_1", "now"),
        arguments(3, "{}"),
        stop(3),
        start(4, type="text", text=""),
        delta(4, type="text_delta", text="."),
        stop(4),
    ]


def test_pieces_of_tools_that_come_mixed_go_to_their_own_blocks() -> None:
    first = (ToolCallPiece(0, "a", "one", "{"), ToolCallPiece(1, "b", "two", "{"))
    events = streamed([Chunk(tool_calls=first), Chunk(tool_calls=(ToolCallPiece(0, arguments="}"),))])
    assert arguments(0, "}") in events
    assert [event["index"] for event in events if event["type"] == "content_block_stop"] == [0, 1]


def test_an_empty_answer_has_no_block() -> None:
    assert [event["type"] for event in streamed([Chunk(end=True)])] == [
        "message_start",
        "message_delta",
        "message_stop",
    ]


def test_an_error_inside_a_stream() -> None:
    problem = Problem(503, "PROVIDER_UNAVAILABLE", "Not now.")
    error = {"type": "overloaded_error", "message": "Not now."}
    assert parsed(MessagesStream("c1", "m").error(problem)) == [{"type": "error", "error": error}]


def test_what_the_front_says_the_adapter_understands() -> None:
    reader = AnthropicAdapter().event_reader()
    read = summary(chunk for event in EventReader().feed(rendered(TOOL_CHUNKS)) for chunk in reader(event))
    assert (read.text, read.reasoning, read.finish_reason, read.end) == ("Let me see.", "Hmm", "tool_calls", True)
    assert read.usage == Usage(123, 50, cached=3, cache_write=20, reasoning=30)
