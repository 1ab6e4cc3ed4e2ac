"""What is made of Addis AI's answers, in all the shapes that it documents."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.adapters.addis import AddisAdapter
from providers.errors import BrokenAnswer
from providers.sse import Event
from providers.types import Chunk, ToolCallPiece, Usage

ADAPTER = AddisAdapter()
REPORTED = {"prompt_token_count": 12, "candidates_token_count": 45, "total_token_count": 57}
USED = Usage(12, 45)
CAMEL = {"promptTokenCount": 12, "candidatesTokenCount": 45, "totalTokenCount": 57}


def whole(answer: Any) -> Chunk:
    return ADAPTER.read_whole(json.dumps(answer).encode())


def events(data: Any, name: str = "") -> list[Chunk]:
    return list(ADAPTER.read_event(Event(json.dumps(data).encode(), name)))


ANSWER = {"response_text": "ሰላም", "finish_reason": "stop", "usage_metadata": REPORTED, "modelVersion": "Addis-፩-አሌፍ"}
CALL = {"id": "c", "type": "function", "function": {"name": "look", "arguments": '{"at": 1}'}, "addis_tool_state": "?"}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(ANSWER, Chunk("ሰላም", "stop", USED, "Addis-፩-አሌፍ", end=True), id="flat"),
        pytest.param(
            {"status": "success", "data": ANSWER}, Chunk("ሰላም", "stop", USED, "Addis-፩-አሌፍ", end=True), id="envelope"
        ),
        pytest.param(
            {"response_text": "x", "usage_metadata": CAMEL},
            Chunk("x", "stop", USED, end=True),
            id="usage-in-camel-case",
        ),
        pytest.param(
            {"response_text": "x", "usageMetadata": CAMEL}, Chunk("x", "stop", USED, end=True), id="all-camel"
        ),
        pytest.param({"response_text": "x"}, Chunk("x", "stop", end=True), id="no-usage"),
        pytest.param({"response_text": ""}, Chunk("", "stop", end=True), id="nothing-said"),
        pytest.param(
            {"response_text": "x", "usage_metadata": {"prompt_token_count": -1}}, Chunk("x", "stop", end=True), id="odd"
        ),
        pytest.param(
            {"response_text": None, "finish_reason": "SAFETY", "usage_metadata": {"prompt_token_count": 3}},
            Chunk("", "content_filter", Usage(3, 0), end=True),
            id="nothing-may-be-said",
        ),
        pytest.param(
            {"data": {"response_text": None, "finish_reason": "STOP", "tool_calls": [CALL]}},
            Chunk("", "tool_calls", end=True, tool_calls=(ToolCallPiece(0, "c", "look", '{"at": 1}'),)),
            id="tool-call",
        ),
        pytest.param(
            {"tool_calls": [{"function": {"name": "look", "arguments": {"at": 1}}}]},
            Chunk("", "tool_calls", end=True, tool_calls=(ToolCallPiece(0, "", "look", '{"at":1}'),)),
            id="arguments-as-an-object",
        ),
    ],
)
def test_whole_answers(answer: Any, expected: Chunk) -> None:
    assert whole(answer) == expected


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("stop", "stop"),
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        ("length", "length"),
        ("SAFETY", "content_filter"),
        ("RECITATION", "content_filter"),
        ("TOOL_CALLS", "tool_calls"),
        ("SOMETHING_NEW", "stop"),
        (None, "stop"),
    ],
)
def test_reasons_to_finish(said: str | None, told: str) -> None:
    assert whole({"response_text": "x", "finish_reason": said}).finish_reason == told


BROKEN: list[Any] = [
    [],
    "text",
    None,
    {},
    {"message": "an error without an envelope"},
    {"status": "error", "error": {"code": "BUSY", "message": "x"}},
    {"status": "error"},
    {"error": "x", "response_text": "x"},
    {"status": "success", "data": None},
    {"status": "success", "data": {}},
    {"response_text": 5},
    {"response_text": "x", "finish_reason": 5},
    {"response_text": "x", "tool_calls": {}},
    {"response_text": "x", "tool_calls": ["x"]},
    {"response_text": "x", "tool_calls": [{"id": "x"}]},
]


@pytest.mark.parametrize("answer", BROKEN)
def test_what_is_no_answer_is_broken(answer: Any) -> None:
    with pytest.raises(BrokenAnswer):
        whole(answer)


@pytest.mark.parametrize(
    ("event", "name", "expected"),
    [
        ({"type": "content", "text": "x", "finish_reason": None}, "", [Chunk("x")]),
        ({"response_text": "x"}, "", [Chunk("x")]),
        ({"delta": {"content": "x"}}, "", [Chunk("x")]),
        ({"data": {"text": "x"}}, "", [Chunk("x")]),
        ({"text": "", "finish_reason": "STOP", "usage_metadata": REPORTED}, "", [Chunk("", "stop", USED)]),
        ({"response_text": "x", "finish_reason": "stop", "is_last_chunk": True}, "", [Chunk("x", "stop", end=True)]),
        ({"response_text": "x", "is_last_chunk": True}, "", [Chunk("x", "stop", end=True)]),
        ({"type": "metadata", "transcription_raw": "x", "transcription_clean": "y"}, "", []),
        ({}, "done", [Chunk("", "stop", end=True)]),
        ({"type": "something new"}, "", [Chunk()]),
    ],
)  # fmt: skip
def test_events(event: Any, name: str, expected: list[Chunk]) -> None:
    assert events(event, name) == expected


def test_the_end_mark() -> None:
    assert list(ADAPTER.read_event(Event(b"[DONE]"))) == [Chunk(end=True)]
    assert list(ADAPTER.read_event(Event(b"[DONE]", "done"))) == [Chunk(end=True)]


@pytest.mark.parametrize(
    ("event", "name"),
    [
        ({"status": "error", "error": {"message": "x"}}, ""),
        ({"error": {"message": "x"}}, ""),
        ({"type": "error", "message": "x"}, ""),
        ({"message": "x"}, "error"),
        ({"text": 5}, ""),
        ({"delta": "x"}, ""),
    ],
)
def test_errors_inside_a_stream(event: Any, name: str) -> None:
    with pytest.raises(BrokenAnswer):
        events(event, name)


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*ANSWER, "data", "text", "tool_calls"]), inner),
)


@given(json_values)
def test_any_json_is_read_or_broken(value: Any) -> None:
    with suppress(BrokenAnswer):
        assert whole(value).end
    with suppress(BrokenAnswer):
        assert all(isinstance(chunk, Chunk) for chunk in events(value))
