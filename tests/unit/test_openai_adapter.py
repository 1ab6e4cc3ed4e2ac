"""OpenAI's wire format: what is sent, and what is made of the answers of those who speak it, well or badly."""

import json
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.adapters.openai import OpenAIAdapter
from providers.conversation import GenerateRequest, Message
from providers.errors import BrokenAnswer
from providers.sse import Event
from providers.types import Chunk, Endpoint, Usage

ADAPTER = OpenAIAdapter()
ENDPOINT = Endpoint(name="vendor", type="openai", base_url="https://api.example.com/v1", key="sk-canary")
REQUEST = GenerateRequest((Message("system", "Be brief"), Message("user", "ሰላም")), model="gpt", max_tokens=12)


def body(endpoint: Endpoint = ENDPOINT, request: GenerateRequest = REQUEST) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(ADAPTER.build(endpoint, request).content)
    return content


def whole(answer: Any) -> Chunk:
    return ADAPTER.read_whole(json.dumps(answer).encode())


def event(data: Any) -> list[Chunk]:
    return list(ADAPTER.read_event(Event(json.dumps(data).encode())))


def test_a_whole_request() -> None:
    request = ADAPTER.build(ENDPOINT, REQUEST)
    assert (request.method, str(request.url)) == ("POST", "https://api.example.com/v1/chat/completions")
    assert dict(request.headers) == {
        "host": "api.example.com",
        "accept-encoding": "identity",
        "authorization": "Bearer sk-canary",
        "content-type": "application/json",
        "content-length": str(len(request.content)),
    }
    assert json.loads(request.content) == {
        "model": "gpt",
        "messages": [{"role": "system", "content": "Be brief"}, {"role": "user", "content": "ሰላም"}],
        "max_tokens": 12,
    }


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"stream": True}, {"stream": True, "stream_options": {"include_usage": True}}, id="stream"),
        pytest.param({"temperature": 0.5}, {"temperature": 0.5}, id="temperature"),
        pytest.param({"temperature": 0.0}, {"temperature": 0.0}, id="temperature-zero-is-one"),
        pytest.param({"temperature": None}, {}, id="temperature-is-the-vendor's"),
        pytest.param({"max_tokens": None}, {"max_tokens": 4096}, id="limit-is-the-provider's"),
    ],
)
def test_fields_of_the_body(changes: dict[str, Any], expected: dict[str, Any]) -> None:
    plain = {"model": "gpt", "messages": body()["messages"], "max_tokens": 12}
    assert body(request=replace(REQUEST, **changes)) == plain | expected


def test_the_limit_has_the_name_that_the_provider_wants() -> None:
    endpoint = replace(ENDPOINT, config={"max_tokens_field": "max_completion_tokens"}, default_max_tokens=99)
    assert body(endpoint)["max_completion_tokens"] == 12
    sent = body(endpoint, replace(REQUEST, max_tokens=None))
    assert sent["max_completion_tokens"] == 99
    assert "max_tokens" not in sent


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        ("https://h/v1", "https://h/v1/chat/completions"),
        ("https://h/v1/", "https://h/v1/chat/completions"),
        ("https://h/v1//", "https://h/v1/chat/completions"),
        ("https://h", "https://h/chat/completions"),
        ("http://127.0.0.1:8000/a%2Fb", "http://127.0.0.1:8000/a%2Fb/chat/completions"),
    ],
)
def test_address(base_url: str, url: str) -> None:
    assert str(ADAPTER.build(replace(ENDPOINT, base_url=base_url), REQUEST).url) == url


def test_no_key_no_header() -> None:
    keyless = replace(ENDPOINT, key="")
    assert "authorization" not in ADAPTER.build(keyless, REQUEST).headers
    assert "authorization" not in ADAPTER.build_probe(keyless).headers


def test_the_probe_is_free_and_needs_the_key() -> None:
    probe = ADAPTER.build_probe(replace(ENDPOINT, base_url="https://h/v1/"))
    assert (probe.method, str(probe.url), probe.content) == ("GET", "https://h/v1/models", b"")
    assert probe.headers["authorization"] == "Bearer sk-canary"


USAGE = {"prompt_tokens": 19, "completion_tokens": 10, "total_tokens": 29}
RECORDED = {
    "openai": {
        "id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
        "object": "chat.completion",
        "created": 1741569952,
        "model": "gpt-4.1-2025-04-14",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello!", "refusal": None, "annotations": []},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": USAGE | {"prompt_tokens_details": {"cached_tokens": 0}},
        "service_tier": "default",
    },
    "error-is-null": {
        "model": "gpt-4.1-2025-04-14",
        "error": None,
        "choices": [{"message": {"content": "Hello!"}, "finish_reason": "stop"}, {"message": {"content": "Two"}}],
        "usage": USAGE,
    },
}


@pytest.mark.parametrize("answer", RECORDED.values(), ids=RECORDED)
def test_a_whole_answer(answer: dict[str, Any]) -> None:
    assert whole(answer) == Chunk("Hello!", "stop", Usage(19, 10), "gpt-4.1-2025-04-14", end=True)


@pytest.mark.parametrize("message", [{"content": None, "tool_calls": []}, {"role": "assistant"}, {"content": ""}])
def test_an_answer_without_text(message: dict[str, Any]) -> None:
    assert whole({"choices": [{"message": message}]}) == Chunk("", None, None, "", end=True)


WRONG_USAGES = [
    None,
    5,
    "19",
    [19, 10],
    {},
    {"prompt_tokens": 19},
    {"completion_tokens": 10},
    {"prompt_tokens": "19", "completion_tokens": 10},
    {"prompt_tokens": 19, "completion_tokens": None},
    {"prompt_tokens": 19.0, "completion_tokens": 10},
    {"prompt_tokens": -1, "completion_tokens": 10},
    {"prompt_tokens": [19], "completion_tokens": {}},
    {"prompt_tokens": 2**63, "completion_tokens": 10},
    {"prompt_tokens": 19, "completion_tokens": 2**64 - 1},
]


@pytest.mark.parametrize("usage", WRONG_USAGES, ids=json.dumps)
def test_a_usage_that_is_none_is_taken_for_none(usage: Any) -> None:
    assert whole({"choices": [{"message": {"content": "x"}}], "usage": usage}).usage is None
    assert [chunk.usage for chunk in event({"choices": [], "usage": usage})] == [None]


NO_ANSWERS = {
    "empty": b"",
    "html": b"<html><body>Bad gateway</body></html>",
    "cut": b'{"choices": [{"message": {"content": "Hel',
    "not-utf8": b'{"choices": [{"message": {"content": "\xff"}}]}',
    "nested-too-deep": b'{"choices": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    "null": b"null",
    "array": b"[]",
    "string": b'"Hello!"',
    "error": b'{"error": {"message": "overloaded", "type": "server_error"}}',
    "error-beside-choices": b'{"error": "overloaded", "choices": [{"message": {"content": "x"}}]}',
    "error-is-a-number": b'{"error": 500, "choices": [{"message": {"content": "x"}}]}',
}
NO_CHOICES = {
    "no-choices": b'{"detail": "Not Found"}',
    "choices-null": b'{"choices": null}',
    "choices-empty": b'{"choices": []}',
    "choices-object": b'{"choices": {"0": {"message": {"content": "x"}}}}',
    "choices-string": b'{"choices": "xyz"}',
    "choices-number": b'{"choices": 5}',
    "choice-null": b'{"choices": [null]}',
    "choice-string": b'{"choices": ["x"]}',
    "choice-array": b'{"choices": [["message"]]}',
    "no-message": b'{"choices": [{"text": "x"}]}',
    "message-null": b'{"choices": [{"message": null}]}',
    "message-string": b'{"choices": [{"message": "x"}]}',
    "message-array": b'{"choices": [{"message": [{"content": "x"}]}]}',
    "content-number": b'{"choices": [{"message": {"content": 5}}]}',
    "content-parts": b'{"choices": [{"message": {"content": [{"type": "text", "text": 5}]}}]}',
    "finish-object": b'{"choices": [{"message": {"content": "x"}, "finish_reason": {"a": 1}}]}',
}


@pytest.mark.parametrize("data", (NO_ANSWERS | NO_CHOICES).values(), ids=NO_ANSWERS | NO_CHOICES)
def test_what_is_no_whole_answer(data: bytes) -> None:
    with pytest.raises(BrokenAnswer):
        ADAPTER.read_whole(data)


def delta(text: str | None = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": {} if text is None else {"content": text}, **more}
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "m", "choices": [choice]}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(delta("Hel"), Chunk("Hel", model="m"), id="text"),
        pytest.param(delta("", finish_reason=None), Chunk(model="m"), id="role-only"),
        pytest.param(delta(finish_reason="stop"), Chunk("", "stop", model="m"), id="finish"),
        pytest.param(delta("x", finish_reason="length"), Chunk("x", "length", model="m"), id="text-and-finish"),
        pytest.param(delta("x") | {"usage": USAGE}, Chunk("x", None, Usage(19, 10), "m"), id="usage-on-every-chunk"),
        pytest.param(delta("x") | {"usage": None}, Chunk("x", model="m"), id="usage-null-until-the-end"),
        pytest.param({"model": "m", "choices": [], "usage": USAGE}, Chunk("", None, Usage(19, 10), "m"), id="usage"),
        pytest.param({"choices": None, "usage": USAGE}, Chunk(usage=Usage(19, 10)), id="usage-choices-null"),
        pytest.param({"usage": USAGE}, Chunk(usage=Usage(19, 10)), id="usage-choices-missing"),
        pytest.param({"choices": [], "prompt_filter_results": [{}]}, Chunk(), id="filter-results-first"),
        pytest.param({"choices": [{"delta": None, "finish_reason": "stop"}]}, Chunk("", "stop"), id="delta-null"),
        pytest.param(
            {"choices": [{"delta": {"content": None, "reasoning_content": "h"}}]}, Chunk(reasoning="h"), id="reasoning"
        ),
        pytest.param({"choices": [{"finish_reason": "stop"}]}, Chunk("", "stop"), id="delta-missing"),
    ],
)
def test_one_event(data: Any, expected: Chunk) -> None:
    assert event(data) == [expected]


def test_the_end_mark_ends_and_nothing_else_does() -> None:
    assert list(ADAPTER.read_event(Event(b"[DONE]"))) == [Chunk(end=True)]
    assert not any(chunk.end for chunk in event(delta(finish_reason="stop")))


NO_DELTAS = {
    "choices-string": b'{"choices": "xyz"}',
    "choices-number": b'{"choices": 5}',
    "choices-object": b'{"choices": {"0": {}}}',
    "choice-null": b'{"choices": [null]}',
    "choice-string": b'{"choices": ["x"]}',
    "choice-array": b'{"choices": [["delta"]]}',
    "delta-string": b'{"choices": [{"delta": "x"}]}',
    "delta-array": b'{"choices": [{"delta": [{"content": "x"}]}]}',
    "delta-number": b'{"choices": [{"delta": 5}]}',
    "content-number": b'{"choices": [{"delta": {"content": 5}}]}',
    "content-array": b'{"choices": [{"delta": {"content": ["x"]}}]}',
    "finish-number": b'{"choices": [{"delta": {}, "finish_reason": 5}]}',
    "done-in-other-words": b"DONE",
}


@pytest.mark.parametrize("data", (NO_ANSWERS | NO_DELTAS).values(), ids=NO_ANSWERS | NO_DELTAS)
def test_what_is_no_event_of_an_answer(data: bytes) -> None:
    with pytest.raises(BrokenAnswer):
        list(ADAPTER.read_event(Event(data)))


WORDS = st.sampled_from(
    ["choices", "message", "delta", "content", "usage", "prompt_tokens", "error", "model", "finish_reason"]
)
LEAVES = st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3)
ANYTHING = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=4))


@given(answer=st.dictionaries(WORDS, ANYTHING, max_size=5))
@settings(max_examples=300, deadline=None, database=None)
def test_whatever_a_vendor_says_it_is_a_chunk_or_broken(answer: dict[str, Any]) -> None:
    chunks: list[Chunk] = []
    with suppress(BrokenAnswer):
        chunks.append(whole(answer))
    with suppress(BrokenAnswer):
        chunks += event(answer)
    for chunk in chunks:
        assert isinstance(chunk.text, str)
        assert isinstance(chunk.model, str)
        assert chunk.finish_reason is None or isinstance(chunk.finish_reason, str)
