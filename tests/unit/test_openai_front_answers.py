"""Answers in OpenAI's words, of providers that speak others; and conversations there and back."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.consumption import Consumption
from providers.adapters.meters import summary
from providers.adapters.openai import OpenAIAdapter
from providers.adapters.openai_chat import chat_body
from providers.completion import Completion, tool_calls
from providers.conversation import GenerateRequest, Message, Text, Tool, ToolCall
from providers.fronts.openai_answers import ChatStream, chat_completion
from providers.fronts.openai_requests import read_chat
from providers.sse import EventReader
from providers.types import Chunk, Endpoint, ToolCallPiece, Usage
from tests.unit.test_openai_front import FIELDS, MESSAGES, PLAIN
from web.problems import Problem

ADAPTER = OpenAIAdapter()
ENDPOINT = Endpoint("vendor", "openai", "https://api.example.com/v1", wire="openai")
USED = Consumption(123, 50, cached=3, cache_write=20, reasoning=30)
USAGE = {
    "prompt_tokens": 123,
    "completion_tokens": 50,
    "total_tokens": 173,
    "prompt_tokens_details": {"cached_tokens": 3},
    "completion_tokens_details": {"reasoning_tokens": 30},
}


def joined(message: Message) -> Message:
    """A message with its words in one piece: their being in several says nothing."""
    words = "".join(part.text for part in message.parts if isinstance(part, Text))
    others = tuple(part for part in message.parts if not isinstance(part, Text))
    return Message(message.role, (*((Text(words),) if words else ()), *others))


def with_parameters(tool: Tool) -> Tool:
    """A tool with a schema: that of no parameters says the same as none."""
    return replace(tool, parameters=tool.parameters or {"type": "object", "properties": {}})


def alike(one: GenerateRequest, other: GenerateRequest) -> None:
    assert replace(one, messages=(), tools=()) == replace(other, messages=(), tools=())
    assert list(map(with_parameters, one.tools)) == list(map(with_parameters, other.tools))
    assert list(map(joined, one.messages)) == list(map(joined, other.messages))


def again(request: GenerateRequest) -> GenerateRequest:
    return read_chat(json.loads(json.dumps(chat_body(ENDPOINT, request))))


@pytest.mark.parametrize("sent", [sent for sent, read in MESSAGES if read[0].content != ()])
def test_a_conversation_is_the_same_there_and_back(sent: list[Any]) -> None:
    request = read_chat({**PLAIN, "messages": [*PLAIN["messages"], *sent]})
    alike(again(request), request)


@pytest.mark.parametrize("fields", [fields for fields, _ in FIELDS])
def test_fields_are_the_same_there_and_back(fields: dict[str, Any]) -> None:
    request = read_chat({**PLAIN, **fields})
    alike(again(request), request)


WORDS = st.text(min_size=1, max_size=9)
URLS = st.sampled_from(["https://a.example/b.png", "data:image/png;base64,iVBORw0KGgo="])
PARTS = st.builds(lambda words: {"type": "text", "text": words}, WORDS) | st.builds(
    lambda url: {"type": "image_url", "image_url": {"url": url}}, URLS
)
CALLS = st.builds(
    lambda call, name, arguments: {"id": call, "type": "function", "function": {"name": name, "arguments": arguments}},
    WORDS,
    WORDS,
    st.text(max_size=9),
)
TURNS = st.one_of(
    st.fixed_dictionaries({"role": st.sampled_from(["system", "developer"]), "content": WORDS}),
    st.fixed_dictionaries({"role": st.just("user"), "content": WORDS | st.lists(PARTS, min_size=1, max_size=3)}),
    st.fixed_dictionaries(
        {
            "role": st.just("assistant"),
            "content": st.none() | WORDS,
            "tool_calls": st.lists(CALLS, min_size=1, max_size=2),
        }
    ),
    st.fixed_dictionaries({"role": st.just("tool"), "tool_call_id": WORDS, "content": st.text(max_size=9)}),
)


@settings(max_examples=200, deadline=None)
@given(turns=st.lists(TURNS, min_size=1, max_size=5))
def test_any_conversation_is_the_same_there_and_back(turns: list[dict[str, Any]]) -> None:
    request = read_chat({**PLAIN, "messages": turns})
    alike(again(request), request)


def test_a_whole_answer() -> None:
    said = Completion("Hello", "llama", "local", "length", reasoning="Hmm")
    answer = chat_completion("c1", said, USED)
    assert answer.pop("created") > 1_700_000_000
    assert answer == {
        "id": "chatcmpl-c1",
        "object": "chat.completion",
        "model": "llama",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello", "reasoning_content": "Hmm"},
                "finish_reason": "length",
                "logprobs": None,
            }
        ],
        "usage": USAGE,
    }


def test_a_whole_answer_with_tools() -> None:
    calls = (ToolCall("call_1", "weather", '{"city": "Addis"}'), ToolCall("", "now", ""))
    answer = chat_completion("c1", Completion("", "llama", "local", None, calls), Consumption())
    (choice,) = answer["choices"]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"] == {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Addis"}'}},
            {"id": "call_c1_1", "type": "function", "function": {"name": "now", "arguments": ""}},
        ],
    }
    assert answer["usage"] == {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}


def test_an_empty_answer_and_an_estimate() -> None:
    answer = chat_completion("c1", Completion("", "m", "p", None), Consumption(1, 2, estimated=True))
    assert answer["choices"][0]["message"] == {"role": "assistant", "content": ""}
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert answer["usage"] == {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, "estimated": True}


def events(stream: bytes) -> list[Any]:
    """The data of each event, decoded; the end mark as it is."""
    found = [event.data for event in EventReader().feed(stream)]
    return [data.decode() if data == b"[DONE]" else json.loads(data) for data in found]


CHUNKS = [
    Chunk(reasoning="Hmm", model="llama"),
    Chunk("Let ", model="llama"),
    Chunk(model="llama"),
    Chunk("me see", usage=Usage(1, 1)),
    Chunk(tool_calls=(ToolCallPiece(0, "call_1", "weather"),)),
    Chunk(tool_calls=(ToolCallPiece(0, arguments='{"city":'), ToolCallPiece(1, "", "now", "{}"))),
    Chunk(tool_calls=(ToolCallPiece(0, arguments='"Addis"}'),)),
    Chunk(finish_reason="tool_calls", usage=Usage(123, 50), end=True),
]


def streamed(*, with_usage: bool, finish_reason: str | None = "tool_calls") -> bytes:
    stream = ChatStream("c1", "llama", with_usage=with_usage)
    parts = [stream.begin(), *map(stream.chunk, CHUNKS), stream.end(finish_reason, USED)]
    return b"".join(parts)


def test_a_streamed_answer() -> None:
    *chunks, mark = events(streamed(with_usage=False))
    assert mark == "[DONE]"
    assert {(chunk["id"], chunk["object"], chunk["model"]) for chunk in chunks} == {
        ("chatcmpl-c1", "chat.completion.chunk", "llama")
    }
    assert len({chunk["created"] for chunk in chunks}) == 1
    assert all("usage" not in chunk for chunk in chunks)
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    assert [choice["index"] for choice in choices] == [0] * len(chunks)
    assert [choice["finish_reason"] for choice in choices] == [None] * (len(chunks) - 1) + ["tool_calls"]
    assert [choice["delta"] for choice in choices] == [
        {"role": "assistant", "content": ""},
        {"reasoning_content": "Hmm"},
        {"content": "Let "},
        {"content": "me see"},
        {
            "tool_calls": [
                {"index": 0, "id": "call_1", "type": "function", "function": {"name": "weather", "arguments": ""}}
            ]
        },
        {
            "tool_calls": [
                {"index": 0, "function": {"arguments": '{"city":'}},
                {"index": 1, "id": "call_c1_1", "type": "function", "function": {"name": "now", "arguments": "{}"}},
            ]
        },
        {"tool_calls": [{"index": 0, "function": {"arguments": '"Addis"}'}}]},
        {},
    ]


def test_usage_ends_a_stream_for_who_asked_for_it() -> None:
    *chunks, last, mark = events(streamed(with_usage=True))
    assert all(chunk["choices"] and chunk["usage"] is None for chunk in chunks)
    assert (last["choices"], last["usage"], mark) == ([], USAGE, "[DONE]")


@pytest.mark.parametrize("with_usage", [False, True])
def test_what_a_stream_says_is_what_was_said(with_usage: bool) -> None:
    """As our own adapter reads it, for whom one gateway stands behind another."""
    read = [
        chunk for event in EventReader().feed(streamed(with_usage=with_usage)) for chunk in ADAPTER.read_event(event)
    ]
    whole = summary(read)
    assert (whole.text, whole.reasoning, whole.finish_reason, whole.end) == ("Let me see", "Hmm", "tool_calls", True)
    calls = (ToolCall("call_1", "weather", '{"city":"Addis"}'), ToolCall("call_c1_1", "now", "{}"))
    assert tool_calls(whole.tool_calls) == calls
    assert whole.usage == (Usage(123, 50, cached=3, reasoning=30) if with_usage else None)


def test_an_end_without_a_reason() -> None:
    assert events(streamed(with_usage=False, finish_reason=None))[-2]["choices"][0]["finish_reason"] == "tool_calls"
    plain = ChatStream("c1", "m", with_usage=False).end(None, USED)
    assert events(plain)[0]["choices"][0]["finish_reason"] == "stop"


def test_an_error_inside_a_stream_is_the_last_that_is_said() -> None:
    problem = Problem(502, "GENERATION_ERROR", "The provider's answer broke off before its end.")
    told = ChatStream("c1", "m", with_usage=True).error(problem)
    assert events(told) == [
        {"error": {"message": problem.message, "type": "server_error", "param": None, "code": "generation_error"}}
    ]
    assert b"[DONE]" not in told
