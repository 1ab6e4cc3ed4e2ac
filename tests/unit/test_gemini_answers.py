"""Gemini's wire format: what is made of its answers, whole and streamed."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from providers.errors import BrokenAnswer, StatusError, Truncated, UpstreamError
from providers.types import Chunk, ToolCallPiece, Usage
from tests.unit.gemini_vendor import ADAPTER, ENDPOINT, OVERLOADED, REQUEST, answer, as_bytes, call, sse, vendor


def whole(content: Any) -> Chunk:
    return ADAPTER.read_whole(as_bytes(content))


def streamed(content: bytes, kind: str = "text/event-stream") -> tuple[list[Chunk], UpstreamError | None]:
    """The chunks of a streamed answer, and the error that ended it."""

    async def read() -> tuple[list[Chunk], UpstreamError | None]:
        async with ADAPTER.answer(ENDPOINT, replace(REQUEST, stream=True), vendor(content, kind)) as opened:
            chunks: list[Chunk] = []
            try:
                while (chunk := await anext(opened.chunks, None)) is not None:
                    chunks.append(chunk)
            except UpstreamError as error:
                return chunks, error
            return chunks, None

    return asyncio.run(read())


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        *((reason, "content_filter") for reason in ("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII")),
        ("OTHER", "stop"),
    ],
)
def test_why_an_answer_ended(reason: str, expected: str) -> None:
    assert whole(answer({"text": "Hi"}, reason=reason)) == Chunk("Hi", expected, end=True)


def test_a_whole_answer() -> None:
    reported = {
        "promptTokenCount": 100,
        "cachedContentTokenCount": 60,
        "toolUsePromptTokenCount": 7,
        "candidatesTokenCount": 20,
        "thoughtsTokenCount": 30,
        "totalTokenCount": 157,
    }
    parts = (
        {"text": "Hmm", "thought": True},
        {"text": "Hel"},
        {"text": "lo"},
        call("now"),
        call("now", id="b", args={}),
    )
    chunk = whole(answer(*parts, usageMetadata=reported, modelVersion="gemini-2.5-flash-001"))
    invented = chunk.tool_calls[0].id
    assert chunk == Chunk(
        "Hello",
        "tool_calls",
        Usage(107, 50, cached=60, reasoning=30),
        "gemini-2.5-flash-001",
        end=True,
        reasoning="Hmm",
        tool_calls=(ToolCallPiece(0, invented, "now", "{}"), ToolCallPiece(1, "b", "now", "{}")),
    )
    assert invented
    assert invented != whole(answer(call("now"))).tool_calls[0].id


def test_a_blocked_prompt_is_an_empty_answer() -> None:
    blocked = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 4}}
    expected = Chunk("", "content_filter", Usage(4, 0))
    assert whole(blocked) == replace(expected, end=True)
    assert streamed(sse(blocked)) == ([expected, Chunk(end=True)], None)


@pytest.mark.parametrize(
    "content",
    [
        OVERLOADED,
        [OVERLOADED],
        [answer({"text": "Hi"}), OVERLOADED],
        {},
        {"candidates": []},
        [],
        "Hello!",
        {"candidates": [7]},
        answer({"text": 7}),
        answer(call("now", args=[])),
        answer(reason="MALFORMED_FUNCTION_CALL"),
    ],
)
def test_what_is_no_answer(content: Any) -> None:
    with pytest.raises(BrokenAnswer):
        whole(content)


def test_a_stream() -> None:
    """Calls keep their places over all events; the last usage counts, and may come after the reason."""
    chunks, error = streamed(
        sse(
            answer({"text": "Hmm", "thought": True}, reason=None, usageMetadata={"promptTokenCount": 5}),
            answer({"text": "Hi"}, reason=None),
            answer(call("weather", id="a", args={"city": "X"}), reason=None),
            answer(call("now", id="b"), reason=None),
            answer({"text": ""}),
            {"usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 3, "thoughtsTokenCount": 2}},
        )
    )
    assert error is None
    assert ("".join(c.text for c in chunks), "".join(c.reasoning for c in chunks)) == ("Hi", "Hmm")
    assert [piece for chunk in chunks for piece in chunk.tool_calls] == [
        ToolCallPiece(0, "a", "weather", '{"city":"X"}'),
        ToolCallPiece(1, "b", "now", "{}"),
    ]
    assert [chunk.finish_reason for chunk in chunks if chunk.finish_reason] == ["tool_calls"]
    assert [chunk.usage for chunk in chunks if chunk.usage][-1] == Usage(5, 5, reasoning=2)
    assert [chunk.end for chunk in chunks] == [False] * 6 + [True]


BEGUN = answer({"text": "Hi"}, reason=None, usageMetadata={"promptTokenCount": 5})


@pytest.mark.parametrize(
    ("content", "kind", "expected"),
    [
        (sse(BEGUN), "text/event-stream", Truncated),
        (sse(BEGUN) + b'data: {"candidates": [{"finish', "text/event-stream", Truncated),
        (sse(BEGUN, OVERLOADED), "text/event-stream", BrokenAnswer),
        (sse(BEGUN, [OVERLOADED]), "text/event-stream", BrokenAnswer),
        (sse(BEGUN) + json.dumps(OVERLOADED, indent=2).encode(), "text/event-stream", BrokenAnswer),
        (sse(BEGUN) + json.dumps([OVERLOADED]).encode() + b"\r\n\r\n", "text/event-stream", BrokenAnswer),
        (sse(BEGUN, answer(reason="MALFORMED_FUNCTION_CALL")), "text/event-stream", BrokenAnswer),
        (json.dumps([OVERLOADED]).encode(), "application/json", BrokenAnswer),
    ],
)
def test_a_stream_that_breaks(content: bytes, kind: str, expected: type[UpstreamError]) -> None:
    chunks, error = streamed(content, kind)
    assert type(error) is expected
    assert not any(chunk.end or chunk.finish_reason for chunk in chunks)


def refusal(message: str) -> dict[str, Any]:
    return {"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}}


@pytest.mark.parametrize(
    ("message", "status"),
    [
        ("API key not valid. Please pass a valid API key.", 401),
        ("API key expired. Please renew the API key.", 401),
        ("Invalid JSON payload received.", 400),
    ],
)
def test_a_refusal_of_the_key_is_not_about_the_request(message: str, status: int) -> None:
    send = vendor(refusal(message), status=400)

    async def ask() -> None:
        async with ADAPTER.answer(ENDPOINT, REQUEST, send):
            pass

    for refused in (ask(), ADAPTER.probe(ENDPOINT, send)):
        with pytest.raises(StatusError) as raised:
            asyncio.run(refused)
        assert raised.value.status == status
