"""Anthropic's streams, whole, cut and wrong, and answers that are relayed and read along."""

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.adapters.anthropic import AnthropicAdapter
from providers.adapters.meters import summary
from providers.errors import BrokenAnswer, Truncated
from providers.sse import Event
from providers.types import Chunk, Endpoint, NativeRequest, ToolCallPiece, Usage
from tests.unit.test_anthropic_answers import NO_ANSWERS, STOP_REASONS, USAGE, USED, answer

ADAPTER = AnthropicAdapter()


def start(**usage: Any) -> dict[str, Any]:
    message = {"id": "msg_1", "type": "message", "role": "assistant", "content": [], "model": "claude-opus-4-6"}
    return {"type": "message_start", "message": {**message, "stop_reason": None, "usage": usage}}


def block(index: int, content_block: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": index, "content_block": content_block},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def message_delta(stop_reason: str | None, usage: Any) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": stop_reason, "stop_sequence": None}, "usage": usage}


def words(*texts: str) -> list[dict[str, Any]]:
    return [{"type": "text_delta", "text": text} for text in texts]


def pieces_of_json(*texts: str) -> list[dict[str, Any]]:
    return [{"type": "input_json_delta", "partial_json": text} for text in texts]


def tool(call_id: str, name: str, **more: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": call_id, "name": name, "input": {}} | more


TEXT_STREAM = [
    start(input_tokens=25, cache_read_input_tokens=5, output_tokens=1),
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "ping"},
    *block(0, {"type": "text", "text": ""}, *words("Hello", "!"))[1:],
    message_delta("end_turn", {"output_tokens": 15}),
    {"type": "message_stop"},
]
TOOL_STREAM = [
    start(input_tokens=472, output_tokens=2),
    *block(
        0,
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "thinking_delta", "thinking": "Hm"},
        {"type": "thinking_delta", "thinking": "m"},
        {"type": "signature_delta", "signature": "EqQB"},
    ),
    *block(1, {"type": "text", "text": ""}, *words("Okay")),
    *block(2, {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}, *pieces_of_json('{"q":1}')),
    *block(3, tool("toolu_1", "get_weather"), *pieces_of_json("", '{"city":', ' "Addis"}')),
    *block(4, tool("toolu_2", "now"), *pieces_of_json("")),
    *block(5, tool("toolu_3", "now", input={"zone": "EAT"})),
    {"type": "kind_of_tomorrow", "index": 9},
    message_delta("tool_use", USAGE | {"input_tokens": 470}),
    {"type": "message_stop"},
]


def encoded(events: Iterable[dict[str, Any]]) -> list[bytes]:
    return [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events]


def read(events: Iterable[dict[str, Any]]) -> list[Chunk]:
    reader = ADAPTER.event_reader()
    return [chunk for event in events for chunk in reader(Event(json.dumps(event).encode(), str(event["type"])))]


def test_a_streamed_answer() -> None:
    chunks = read(TEXT_STREAM)
    assert [chunk.text for chunk in chunks if chunk.text] == ["Hello", "!"]
    assert [chunk.end for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert summary(chunks) == Chunk("Hello!", "stop", Usage(30, 15, cached=5), "claude-opus-4-6", end=True, pieces=2)


def test_a_streamed_answer_with_thoughts_and_tools() -> None:
    whole = summary(read(TOOL_STREAM))
    assert (whole.text, whole.reasoning, whole.finish_reason) == ("Okay", "Hmm", "tool_calls")
    assert whole.tool_calls == (
        ToolCallPiece(0, "toolu_1", "get_weather"),
        ToolCallPiece(0, arguments='{"city":'),
        ToolCallPiece(0, arguments=' "Addis"}'),
        ToolCallPiece(1, "toolu_2", "now"),
        ToolCallPiece(1, arguments="{}"),
        ToolCallPiece(2, "toolu_3", "now"),
        ToolCallPiece(2, arguments='{"zone":"EAT"}'),
    )
    assert whole.usage == replace(USED, input=493)


def test_two_streams_at_once_do_not_mix() -> None:
    one, other = ADAPTER.event_reader(), ADAPTER.event_reader()
    read_so_far: list[Chunk] = []
    for event in TEXT_STREAM:
        data = Event(json.dumps(event).encode())
        list(other(Event(json.dumps(start(input_tokens=9, output_tokens=9)).encode())))
        read_so_far += one(data)
    assert summary(read_so_far).usage == Usage(30, 15, cached=5)


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        pytest.param({"output_tokens": 15}, Usage(30, 15, cached=5), id="the-output-alone"),
        pytest.param({"output_tokens": 0}, Usage(30, 0, cached=5), id="overwritten-not-added"),
        pytest.param({"output_tokens": 15, "input_tokens": 7}, Usage(12, 15, cached=5), id="the-input-again"),
        pytest.param(
            {"output_tokens": 15, "cache_read_input_tokens": None}, Usage(30, 15, cached=5), id="null-says-nothing"
        ),
        pytest.param(None, Usage(30, 2, cached=5, estimated=True), id="nothing"),
        pytest.param({"output_tokens": "15"}, Usage(30, 2, cached=5, estimated=True), id="nonsense"),
    ],
)
def test_the_end_of_a_stream_overwrites_what_it_names(usage: Any, expected: Usage) -> None:
    assert summary(read([*TEXT_STREAM[:-2], message_delta("end_turn", usage), TEXT_STREAM[-1]])).usage == expected


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param(TEXT_STREAM[:1], Usage(30, 1, cached=5, estimated=True), id="after-its-beginning"),
        pytest.param(TEXT_STREAM[:-2], Usage(30, 2, cached=5, estimated=True), id="in-the-middle"),
        pytest.param(TEXT_STREAM[:-1], Usage(30, 15, cached=5), id="before-its-end-mark"),
        pytest.param(TOOL_STREAM[:-2], Usage(472, 10, estimated=True), id="thoughts-and-tools-count"),
        pytest.param([start(), *TEXT_STREAM[1:-2]], None, id="nothing-known"),
        pytest.param([start(input_tokens=0, output_tokens=0), *TEXT_STREAM[1:-2]], None, id="told-at-the-end-only"),
    ],
)
def test_a_cut_stream_has_the_input_that_was_reported_and_an_estimate_of_the_rest(
    events: list[dict[str, Any]], expected: Usage | None
) -> None:
    cut = summary(read(events))
    assert cut.usage == expected
    assert not cut.end
    assert cut.finish_reason is None


NO_EVENTS = {
    **NO_ANSWERS,
    "message-missing": b'{"type": "message_start"}',
    "delta-missing": b'{"type": "content_block_delta", "index": 0}',
    "index-missing": b'{"type": "content_block_start", "content_block": {"type": "tool_use"}}',
    "index-string": b'{"type": "content_block_stop", "index": "0"}',
    "text-number": b'{"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": 5}}',
    "stop-reason-object": b'{"type": "message_delta", "delta": {"stop_reason": {}}}',
}


@pytest.mark.parametrize("data", NO_EVENTS.values(), ids=NO_EVENTS)
def test_what_is_no_event_of_an_answer(data: bytes) -> None:
    with pytest.raises(BrokenAnswer):
        list(ADAPTER.event_reader()(Event(data)))


def test_the_name_of_an_event_counts_where_its_data_has_none() -> None:
    reader = ADAPTER.event_reader()
    assert list(reader(Event(b"", "ping"))) == []
    assert list(reader(Event(b"{}", "message_stop"))) == [Chunk(end=True)]
    with pytest.raises(BrokenAnswer):
        list(reader(Event(b"{}", "error")))


@pytest.mark.parametrize(("stop_reason", "finish_reason"), STOP_REASONS.items())
def test_why_it_stopped(stop_reason: str | None, finish_reason: str | None) -> None:
    events = [*TEXT_STREAM[:-2], message_delta(stop_reason, {"output_tokens": 15}), {"type": "message_stop"}]
    assert read(events)[-1].finish_reason == finish_reason


WORDS = st.sampled_from(
    ["type", "index", "message", "content_block", "delta", "content", "usage", "text", "input", "stop_reason", "error"]
)
KINDS = st.sampled_from(
    [
        *("message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta"),
        *("message_stop", "text", "tool_use", "text_delta", "input_json_delta"),
    ]
)
LEAVES = st.none() | st.booleans() | st.integers(-5, 5) | KINDS
ANYTHING = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=4))


@given(said=st.lists(st.dictionaries(WORDS, ANYTHING, max_size=5), max_size=4))
@settings(max_examples=300, deadline=None, database=None)
def test_whatever_the_vendor_says_it_is_a_chunk_or_broken(said: list[dict[str, Any]]) -> None:
    chunks: list[Chunk] = []
    reader = ADAPTER.event_reader()
    for value in said:
        with suppress(BrokenAnswer):
            chunks.append(ADAPTER.read_whole(json.dumps(value).encode()))
        with suppress(BrokenAnswer):
            chunks += reader(Event(json.dumps(value).encode()))
    for chunk in chunks:
        assert isinstance(chunk.text, str)
        assert chunk.finish_reason in {None, *STOP_REASONS.values()}


def metered(pieces: list[bytes], kind: str, path: str = "/v1/messages", method: str = "POST") -> Chunk:
    head = httpx.Response(200, headers={"content-type": kind})
    meter = ADAPTER.meter(Endpoint("claude", "anthropic"), NativeRequest("anthropic", method, path), head)
    read = summary([*(meter.feed(piece) for piece in pieces), meter.finish()])
    assert read.raw == b"".join(pieces)
    return read


STREAM, JSON = "text/event-stream; charset=utf-8", "application/json"


def test_a_relayed_stream_is_read_along() -> None:
    read = metered(encoded(TOOL_STREAM), STREAM)
    assert (read.usage, read.model, read.flaw) == (replace(USED, input=493), "claude-opus-4-6", None)


@pytest.mark.parametrize("missing", [1, 2, 4])
def test_a_relayed_stream_without_its_end_mark_is_cut(missing: int) -> None:
    read = metered(encoded(TEXT_STREAM[:-missing]), STREAM)
    assert isinstance(read.flaw, Truncated)
    assert read.usage is not None
    assert read.usage.input == 30
    assert read.usage.estimated is (missing > 1)


def test_an_error_inside_a_relayed_stream_is_a_flaw_and_what_was_used_stays() -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    read = metered(encoded([*TEXT_STREAM[:4], error]), STREAM)
    assert isinstance(read.flaw, BrokenAnswer)
    assert read.usage == Usage(30, 2, cached=5, estimated=True)


def test_a_relayed_document_is_read_along() -> None:
    assert metered([answer(usage=USAGE)], JSON).usage == USED
    assert isinstance(metered([b"<html>"], JSON).flaw, BrokenAnswer)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/messages/count_tokens"),
        ("GET", "/v1/messages/batches/b1/results"),
        ("GET", "/v1/models"),
    ],
)
def test_what_is_free_has_used_nothing(method: str, path: str) -> None:
    assert metered([b'{"input_tokens": 2095}'], JSON, path, method).usage == Usage()
