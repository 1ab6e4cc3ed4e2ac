"""Anthropic's whole answers, and what is made of them."""

import json
from dataclasses import replace
from typing import Any

import pytest

from providers.adapters.anthropic import AnthropicAdapter
from providers.errors import BrokenAnswer
from providers.types import Chunk, ToolCallPiece, Usage

ADAPTER = AnthropicAdapter()
USAGE = {
    "input_tokens": 100,
    "cache_creation_input_tokens": 20,
    "cache_read_input_tokens": 3,
    "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 0},
    "output_tokens": 50,
    "output_tokens_details": {"thinking_tokens": 30},
    "service_tier": "standard",
}
USED = Usage(123, 50, cached=3, cache_write=20, reasoning=30)


def answer(*content: Any, **more: Any) -> bytes:
    said = {"id": "msg_013Zva2CMHLNnjNjs8QBzdPC", "type": "message", "role": "assistant", "model": "claude-opus-4-6"}
    ended = {"stop_reason": "end_turn", "stop_sequence": None, "usage": {"input_tokens": 12, "output_tokens": 6}}
    return json.dumps({**said, "content": content, **ended, **more}).encode()


HI = {"type": "text", "text": "Hi!", "citations": None}


def test_a_whole_answer() -> None:
    assert ADAPTER.read_whole(answer(HI)) == Chunk("Hi!", "stop", Usage(12, 6), "claude-opus-4-6", end=True)


def test_a_whole_answer_with_thoughts_and_tools() -> None:
    read = ADAPTER.read_whole(
        answer(
            {"type": "thinking", "thinking": "Where am I?", "signature": "EqQB"},
            {"type": "redacted_thinking", "data": "Emwk"},
            {"type": "text", "text": "Let me "},
            {"type": "server_tool_use", "id": "srv", "name": "web_search", "input": {"query": "x"}},
            {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Addis"}},
            {"type": "text", "text": "see."},
            {"type": "tool_use", "id": "toolu_2", "name": "now", "input": {}},
            stop_reason="tool_use",
            usage=USAGE | {"server_tool_use": {"web_search_requests": 2}},
        )
    )
    assert (read.text, read.reasoning, read.finish_reason) == ("Let me see.", "Where am I?", "tool_calls")
    assert read.tool_calls == (
        ToolCallPiece(0, "toolu_1", "get_weather", '{"city":"Addis"}'),
        ToolCallPiece(1, "toolu_2", "now", "{}"),
    )
    assert read.usage == replace(USED, measures={"web_search_requests": 2.0})


STOP_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
    "something_new": "stop",
    None: None,
}


@pytest.mark.parametrize(("stop_reason", "finish_reason"), STOP_REASONS.items())
def test_why_it_stopped(stop_reason: str | None, finish_reason: str | None) -> None:
    assert ADAPTER.read_whole(answer(stop_reason=stop_reason)).finish_reason == finish_reason


@pytest.mark.parametrize(
    ("reported", "expected"),
    [
        (USAGE, USED),
        ({"input_tokens": 0, "output_tokens": 0, "cache_read_input_tokens": None}, Usage()),
        (USAGE | {"cache_read_input_tokens": "3", "output_tokens_details": None}, Usage(120, 50, cache_write=20)),
        (None, None),
        ([1], None),
        ({"input_tokens": 5}, None),
        ({"output_tokens": 5}, None),
        ({"input_tokens": -1, "output_tokens": 5}, None),
        ({"input_tokens": True, "output_tokens": 5}, None),
    ],
)
def test_usage(reported: Any, expected: Usage | None) -> None:
    assert ADAPTER.read_whole(answer(HI, usage=reported)).usage == expected


NO_ANSWERS = {
    "empty": b"",
    "html": b"<html><body>Bad gateway</body></html>",
    "array": b"[]",
    "error": b'{"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}',
    "error-without-words": b'{"type": "error"}',
}
NO_CONTENT = {
    "no-content": b'{"type": "message"}',
    "content-null": answer().replace(b'"content": []', b'"content": null'),
    "content-string": b'{"content": "Hi"}',
    "block-string": b'{"content": ["Hi"]}',
    "text-number": b'{"content": [{"type": "text", "text": 5}]}',
    "thinking-object": b'{"content": [{"type": "thinking", "thinking": {}}]}',
    "input-string": b'{"content": [{"type": "tool_use", "id": "t", "name": "n", "input": "x"}]}',
    "input-too-deep": b'{"content": [{"type": "tool_use", "input": ' + b'{"a":' * 300 + b"1" + b"}" * 300 + b"}]}",
    "stop-reason-number": b'{"content": [], "stop_reason": 5}',
}


@pytest.mark.parametrize("data", (NO_ANSWERS | NO_CONTENT).values(), ids=NO_ANSWERS | NO_CONTENT)
def test_what_is_no_whole_answer(data: bytes) -> None:
    with pytest.raises(BrokenAnswer):
        ADAPTER.read_whole(data)
