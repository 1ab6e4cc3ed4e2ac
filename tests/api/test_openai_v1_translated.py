"""/v1/chat/completions for providers of other formats: one inside the gateway, and one that speaks Anthropic's."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from providers.sse import EventReader
from tests.gateway import Gateway
from tests.recorder import JSON, Caller, Got, Recorder, Says, provider
from tests.vendors.server import KEY, LEAK

CHAT = "/v1/chat/completions"
SSE = [("Content-Type", "text/event-stream")]
HELLO = [{"role": "user", "content": "Hello there, you"}]
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
NOW = {"type": "function", "function": {"name": "now"}}
ARGUMENTS = {"text": "Hello there, you"}


@pytest.fixture(scope="module")
def caller(gateway: Gateway, user_token: str, staff_token: str, recorder: Recorder) -> Iterator[Caller]:
    with ExitStack() as stack:
        for name, kind, url, fields in (
            ("say", "echo", "", {"default_model": "", "max_prompt_chars": 1000}),
            ("say-slowly", "echo", "", {"default_model": "parrot", "config": {"delay_ms": 200}}),
            ("claude", "anthropic", recorder.url, {"default_model": "claude-9"}),
        ):
            stack.enter_context(provider(gateway, staff_token, name, kind, url, **fields))
        yield Caller(gateway, user_token)


def ask(caller: Caller, model: str = "say", **fields: Any) -> Got:
    return caller.ask("POST", CHAT, JSON, json.dumps({"model": model, "messages": HELLO, **fields}).encode())


def events(answer: Got | bytes) -> list[Any]:
    """The data of each event, decoded; the end mark as it is."""
    body = answer if isinstance(answer, bytes) else answer.body
    found = [event.data for event in EventReader().feed(body)]
    return [data.decode() if data == b"[DONE]" else json.loads(data) for data in found]


def text_of(chunks: list[Any]) -> str:
    return "".join(choice["delta"].get("content", "") for chunk in chunks[:-1] for choice in chunk["choices"])


def test_a_whole_answer(caller: Caller) -> None:
    answer = ask(caller, "say/parrot")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    said = json.loads(answer.body)
    row = caller.row(answer)
    assert said.pop("created") > 1_700_000_000
    assert said.pop("id").startswith("chatcmpl-")
    message = {"role": "assistant", "content": "Hello there, you"}
    assert said == {
        "object": "chat.completion",
        "model": "parrot",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 3, "total_tokens": 6},
    }
    assert (row["state"], row["input_tokens"], row["output_tokens"], row["surface"]) == ("done", 3, 3, "chat")
    assert (row["provider"], row["model"], row["streamed"], row["estimated"]) == ("say", "parrot", 0, 0)


def test_the_limit_of_the_newer_name_counts(caller: Caller) -> None:
    said = json.loads(ask(caller, max_tokens=3, max_completion_tokens=2).body)
    choice = said["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("Hello there,", "length")


@pytest.mark.parametrize("usage", [False, True])
def test_a_streamed_answer(caller: Caller, usage: bool) -> None:
    answer = ask(caller, stream=True, stream_options={"include_usage": usage})
    assert (answer.status, answer.headers["content-type"]) == (200, "text/event-stream")
    assert answer.headers["cache-control"] == "no-cache"
    chunks = events(answer)
    assert (text_of(chunks), chunks[-1]) == ("Hello there, you", "[DONE]")
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    alone = [chunk for chunk in chunks[:-1] if not chunk["choices"]]
    assert [chunk["usage"]["total_tokens"] for chunk in alone] == ([6] if usage else [])
    row = caller.row(answer)
    assert (row["state"], row["input_tokens"], row["output_tokens"], row["streamed"]) == ("done", 3, 3, 1)


def test_the_first_piece_comes_before_the_last_was_said(caller: Caller) -> None:
    body = {"model": "say-slowly", "messages": HELLO, "stream": True}
    with caller.open("POST", CHAT, JSON, json.dumps(body).encode()) as answer:
        received = b""
        while b'"Hello"' not in received:
            received += answer.some()
        assert b"you" not in received
        received += answer.rest()
    assert text_of(events(received)) == "Hello there, you"


@pytest.mark.parametrize(
    ("choice", "name"), [("required", "weather"), ({"type": "function", "function": {"name": "now"}}, "now")]
)
def test_tools(caller: Caller, choice: Any, name: str) -> None:
    answer = json.loads(ask(caller, tools=[WEATHER, NOW], tool_choice=choice).body)["choices"][0]
    (call,) = answer["message"]["tool_calls"]
    assert (answer["finish_reason"], answer["message"]["content"]) == ("tool_calls", None)
    assert (call["type"], call["function"]["name"], json.loads(call["function"]["arguments"])) == (
        "function",
        name,
        ARGUMENTS,
    )
    assert call["id"]
    *chunks, mark = events(ask(caller, tools=[WEATHER, NOW], tool_choice=choice, stream=True))
    choices = [chunk["choices"][0] for chunk in chunks]
    pieces = [piece for one in choices for piece in one["delta"].get("tool_calls", [])]
    assert pieces == [{"index": 0, **call}]
    assert (choices[-1]["finish_reason"], mark) == ("tool_calls", "[DONE]")


def test_a_conversation_with_a_tool_that_was_used(caller: Caller) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    messages = [
        *HELLO,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "21°"}]},
    ]
    said = json.loads(ask(caller, messages=messages, tools=[WEATHER], tool_choice="auto").body)
    assert said["choices"][0]["message"] == {"role": "assistant", "content": "21°"}


@pytest.mark.parametrize(
    ("url", "told"),
    [("data:image/png;base64,iVBORw0KGgo=", "image/png"), ("https://a.example/b.png", "https://a.example/b.png")],
)
def test_a_picture(caller: Caller, url: str, told: str) -> None:
    parts = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": url}}]
    said = json.loads(ask(caller, messages=[{"role": "user", "content": parts}]).body)
    assert said["choices"][0]["message"]["content"] == f"What is it? [picture: {told}]"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"n": 2}, "`n`: this provider gives one answer"),
        ({"logit_bias": {"1": 1}}, "`logit_bias` cannot be translated"),
        ({"messages": "Hello"}, "`messages` must be a list."),
        ({"messages": [5]}, "`messages[0]` must be an object."),
        ({"temperature": "hot"}, "`temperature` must be a number"),
        ({"stream": "yes"}, "`stream` must be true or false."),
        ({"tools": [{"type": "web_search"}]}, "`tools[0]`: only tools of type `function`"),
        ({"messages": [{"role": "user", "content": "x" * 1001}]}, "The prompt has 1001 characters"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_what_cannot_be_translated(caller: Caller, fields: dict[str, Any], sentence: str, stream: bool) -> None:
    answer = ask(caller, **{"stream": stream, **fields})
    assert (answer.status, answer.headers["content-type"]) == (400, "application/json")
    error = json.loads(answer.body)["error"]
    assert sentence in error["message"]
    assert (error["type"], error["code"], error["param"]) == ("invalid_request_error", None, None)
    if "prompt" in sentence:
        assert caller.rows(answer.request_id) == []
    else:
        row = caller.row(answer)
        assert (row["state"], row["input_tokens"], row["output_tokens"]) == ("refused", 0, 0)


def test_a_client_that_leaves(caller: Caller) -> None:
    body = {"model": "say-slowly", "messages": [{"role": "user", "content": "a " * 50}], "stream": True}
    with caller.open("POST", CHAT, JSON, json.dumps(body).encode()) as answer:
        assert answer.some()
    row = caller.row(answer, within=2)
    assert (row["state"], row["estimated"]) == ("client_gone", 1)


def anthropic(*events: dict[str, Any]) -> tuple[bytes, ...]:
    return tuple(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events)


BEGUN = anthropic(
    {"type": "message_start", "message": {"model": "claude-9", "usage": {"input_tokens": 5, "output_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}},
)
ENDED = anthropic(
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
    {"type": "message_stop"},
)
FAILED = anthropic({"type": "error", "error": {"type": "overloaded_error", "message": LEAK}})


def test_a_stream_of_another_format(caller: Caller, recorder: Recorder) -> None:
    recorder.says(Says(BEGUN + ENDED, headers=SSE, framing="chunked"))
    answer = ask(caller, "claude/claude-9", stream=True, stream_options={"include_usage": True}, max_tokens=9)
    chunks = events(answer)
    assert (text_of(chunks), chunks[-2]["usage"]["total_tokens"], chunks[-1]) == ("Hello", 7, "[DONE]")
    sent = recorder.arrived
    assert (sent.path, sent.headers["x-api-key"]) == ("/base/v1/messages", KEY)
    assert (sent.json["model"], sent.json["max_tokens"], sent.json["stream"]) == ("claude-9", 9, True)
    assert not {"stream_options", "max_completion_tokens"} & sent.json.keys()


@pytest.mark.parametrize(
    ("pieces", "cut", "state"),
    [(BEGUN + FAILED, False, "upstream_error"), (BEGUN, True, ""), (BEGUN, False, "truncated")],
    ids=["an-error-event", "cut", "no-end-mark"],
)
def test_what_goes_wrong_past_the_first_byte_is_told_inside(
    caller: Caller, recorder: Recorder, pieces: tuple[bytes, ...], cut: bool, state: str
) -> None:
    recorder.says(Says(pieces, headers=SSE, framing="chunked", cut=cut))
    answer = ask(caller, "claude", stream=True)
    *chunks, last = events(answer)
    assert chunks[1]["choices"][0]["delta"] == {"content": "Hello"}
    assert set(last) == {"error"}, "and no end mark, which clients take for success"
    assert (last["error"]["type"], last["error"]["code"]) == ("server_error", "generation_error")
    assert LEAK not in repr(answer)
    assert caller.row(answer)["state"] in ({state} if state else {"upstream_error", "truncated"})


def test_a_client_that_leaves_ends_the_upstream(caller: Caller, recorder: Recorder) -> None:
    recorder.says(Says(BEGUN + ENDED, headers=SSE, framing="chunked", pause=len(BEGUN)))
    body = json.dumps({"model": "claude", "messages": HELLO, "stream": True}).encode()
    with caller.open("POST", CHAT, JSON, body) as answer:
        received = b""
        while b"Hello" not in received:
            received += answer.some()
    left = time.monotonic()
    while not recorder.hung_up:
        assert time.monotonic() < left + 2
        time.sleep(0.01)
    assert caller.row(answer, within=2)["state"] == "client_gone"


@pytest.mark.parametrize(
    ("status", "told", "code"),
    [
        (400, 400, None),
        (401, 502, "generation_error"),
        (404, 502, "generation_error"),
        (307, 502, "generation_error"),
        (429, 429, "rate_limit_exceeded"),
        (529, 502, "generation_error"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_errors_of_another_format(
    caller: Caller, recorder: Recorder, status: int, told: int, code: str | None, stream: bool
) -> None:
    """Its words are for clients of another kind, so they are told in ours."""
    recorder.says(Says((b'{"error":{"message":"%b"}}' % LEAK.encode(),), status, [*JSON, ("Retry-After", "7")]))
    answer = ask(caller, "claude", stream=stream)
    assert (answer.status, json.loads(answer.body)["error"]["code"]) == (told, code)
    assert LEAK not in repr(answer)
    assert told != 429 or answer.headers["retry-after"] == "7"
    assert caller.row(answer)["statuses"] == str(status)
