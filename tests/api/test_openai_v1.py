"""/v1 for providers that speak OpenAI's format: what arrives there, what comes back, and what the ledger has of it."""

import http.client
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.gateway import Gateway
from tests.recorder import JSON, Caller, Recorder, Says, provider
from tests.vendors.server import KEY, LEAK

CHAT = "/v1/chat/completions"
SSE = [("Content-Type", "text/event-stream; charset=utf-8")]
HELLO = b'"messages":[{"role":"user","content":"Hello"}]'
USAGE = b'{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,"prompt_tokens_details":{"cached_tokens":4}}'
ANSWER = b'{ "id":"x","choices" : [{"message":{"content":"\\u1230\xe1\x88\xb0"}, "n":1.50}],\n"usage":%b}\n' % USAGE


def said(words: bytes, finish: bytes = b"null") -> bytes:
    return b'data: {"model":"m-9","choices":[{"delta":{"content":"%b"},"finish_reason":%b}]}\r\n\r\n' % (words, finish)


ALONE = b'data: {"model":"m-9","choices" : [ ],"usage":%b}\r\n\r\n' % USAGE
STREAM = (said(b"One"), b": ping\r\n\r\n", said(b" two", b'"stop"'), ALONE, b"data: [DONE]\r\n\r\n")
WITHOUT = b"".join(STREAM).replace(ALONE, b"")


@pytest.fixture(scope="module")
def caller(gateway: Gateway, user_token: str, staff_token: str, recorder: Recorder) -> Iterator[Caller]:
    kinds: dict[str, dict[str, Any]] = {
        "v1": {"default_model": "v1-default"},
        "v1-listing": {"models": ["v1-one", "v1-org/two:7b", "v1-three"], "default_model": "v1-three"},
        "v1-off": {"models": ["v1-one", "v1-of-nobody"], "enabled": False},
        "v1-short": {"max_prompt_chars": 10},
        "v1-bare": {"default_model": ""},
    }
    with ExitStack() as stack:
        for name, fields in kinds.items():
            stack.enter_context(provider(gateway, staff_token, name, "openai", recorder.url, **fields))
        yield Caller(gateway, user_token)


MODELS = [
    ("v1/gpt-4.1", "v1", "gpt-4.1"),
    ("v1/org/model:7b", "v1", "org/model:7b"),
    ("v1/v1", "v1", "v1"),
    ('v1/ሞዴል \\"1\\"', "v1", 'ሞዴል "1"'),
    ("v1-default", "v1", "v1-default"),
    ("v1", "v1", "v1-default"),
    ("v1-one", "v1-listing", "v1-one"),
    ("v1-org/two:7b", "v1-listing", "v1-org/two:7b"),
    ("v1-listing/v1-org/two:7b", "v1-listing", "v1-org/two:7b"),
    ("v1-listing", "v1-listing", "v1-three"),
]


@pytest.mark.parametrize(("asked", "name", "model"), MODELS)
def test_who_serves_a_model(caller: Caller, recorder: Recorder, asked: str, name: str, model: str) -> None:
    recorder.says(Says((ANSWER,)))
    answer = caller.ask("POST", CHAT, JSON, b'{"model":"%b",%b}' % (asked.encode(), HELLO))
    assert (answer.status, answer.body) == (200, ANSWER)
    assert recorder.arrived.path == "/base/chat/completions"
    assert recorder.arrived.json["model"] == model
    row = caller.row(answer)
    assert (row["provider"], row["model"], row["surface"], row["state"]) == (name, model, "chat", "done")


@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        ("nobody/knows", 404, "model_not_found"),
        ("gpt-of-nobody", 404, "model_not_found"),
        ("v1-of-nobody", 404, "model_not_found"),
        ("v1/", 404, "model_not_found"),
        ("/v1", 404, "model_not_found"),
        ("v1-off/v1-one", 503, "provider_unavailable"),
        ("v1-off", 503, "provider_unavailable"),
        ("v1-listing/v1-four", 404, "model_not_found"),
        ("v1-bare", 400, None),
        ("x" * 5000, 404, "model_not_found"),
    ],
)
@pytest.mark.parametrize("path", [CHAT, "/v1/responses", "/v1/embeddings"])
def test_models_of_nobody(
    caller: Caller, recorder: Recorder, path: str, asked: str, status: int, code: str | None
) -> None:
    recorder.says(Says())
    answer = caller.ask("POST", path, JSON, b'{"model":"%b","stream":true,"input":"x",%b}' % (asked.encode(), HELLO))
    error = json.loads(answer.body)["error"]
    assert (answer.status, error["code"]) == (status, code)
    assert set(error) == {"message", "type", "param", "code"}
    assert len(error["message"]) < 300
    assert recorder.requests == []
    assert caller.rows(answer.request_id) == []


ODD = (
    b' {"temperature":0.70, "seed" : 1180591620717411303424,"top_p":1e0,"tools":[{"function":{"parameters":'
    b'{"properties":{"model":{"default":"v1/x"}}}}}],\r\n\t"model"\n:\t@ , "messages":[{"content":'
    b'"\\u1230\\ud83d\\ude00 \xe1\x88\xb0 \\"model\\":\\"v1/x\\"","role":"user"}],"new":{},"z":1,"z":2 @stream@} '
)


@pytest.mark.parametrize(
    ("sent", "arrives"),
    [
        (b"", b""),
        (b',"stream":false', b',"stream":false'),
        (b',"stream":true,"stream_options":{"include_usage":true}', None),
        (
            b',"stream":true,"stream_options":{ "a":1e1}',
            b',"stream":true,"stream_options":{"include_usage":true, "a":1e1}',
        ),
        (b',"stream" : true,"stream_options":null', b',"stream" : true,"stream_options":{"include_usage":true}'),
    ],
)
def test_a_body_arrives_to_the_byte_but_for_the_splices(
    caller: Caller, recorder: Recorder, sent: bytes, arrives: bytes | None
) -> None:
    recorder.says(Says((ANSWER,)))
    kind = [("Content-Type", "application/json; charset=utf-8"), ("Idempotency-Key", "i-1"), ("OpenAI-Beta", "b")]
    answer = caller.ask("POST", CHAT, kind, ODD.replace(b"@stream@", sent).replace(b"@", b'"v1/gpt"'))
    assert answer.status == 200
    arrived = recorder.arrived
    assert arrived.body == ODD.replace(b"@stream@", sent if arrives is None else arrives).replace(b"@", b'"gpt"')
    assert arrived.headers["authorization"] == f"Bearer {KEY}"
    assert {name: arrived.headers[name.lower()] for name, _ in kind} == dict(kind)
    assert caller.token not in repr(arrived)


def test_a_stream_without_options_gets_them_first(caller: Caller, recorder: Recorder) -> None:
    recorder.says(Says(STREAM, headers=SSE, framing="chunked"))
    caller.ask("POST", CHAT, JSON, b'{"stream":true,"model":"v1/gpt","top_p":1.0,%b}' % HELLO)
    options = b'"stream_options":{"include_usage":true},'
    assert recorder.arrived.body == b'{%b"stream":true,"model":"gpt","top_p":1.0,%b}' % (options, HELLO)


def ask_for_stream(model: str = "v1/gpt", *, usage: bool = False) -> bytes:
    options = b'"stream_options":{"include_usage":true},' if usage else b""
    return b'{"stream":true,%b"model":"%b",%b}' % (options, model.encode(), HELLO)


@pytest.mark.parametrize("usage", [False, True])
@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
def test_usage_reaches_the_ledger_and_who_asked_for_it(
    caller: Caller, recorder: Recorder, framing: str, usage: bool
) -> None:
    recorder.says(Says(STREAM, headers=SSE, framing=framing))
    answer = caller.ask("POST", CHAT, JSON, ask_for_stream(usage=usage))
    assert answer.body == (b"".join(STREAM) if usage else WITHOUT)
    assert answer.headers["content-type"] == SSE[0][1]
    row = caller.row(answer)
    assert (row["state"], row["input_tokens"], row["output_tokens"], row["cached_tokens"]) == ("done", 19, 10, 4)
    assert (row["estimated"], row["streamed"], row["model"]) == (0, 1, "gpt")


@pytest.mark.parametrize("usage", [False, True])
def test_a_stream_that_comes_in_one_piece(caller: Caller, recorder: Recorder, usage: bool) -> None:
    """Then its vendor says how long it is, and it is not as long for who did not ask for usage."""
    recorder.says(Says((b"".join(STREAM),), headers=SSE))
    answer = caller.ask("POST", CHAT, JSON, ask_for_stream(usage=usage))
    assert answer.body == (b"".join(STREAM) if usage else WITHOUT)
    assert answer.headers["content-length"] == str(len(answer.body))
    assert caller.row(answer)["output_tokens"] == 10


def test_a_server_that_knows_no_stream_options(caller: Caller, recorder: Recorder) -> None:
    recorder.says(Says((*STREAM[:3], STREAM[4]), headers=SSE, framing="chunked"))
    answer = caller.ask("POST", CHAT, JSON, ask_for_stream())
    assert answer.body == WITHOUT
    row = caller.row(answer)
    assert (row["state"], row["input_tokens"], row["output_tokens"], row["estimated"]) == ("done", 2, 2, 1)


def test_the_first_event_comes_before_the_last_is_sent(caller: Caller, recorder: Recorder) -> None:
    recorder.says(Says(STREAM, headers=SSE, framing="chunked", pause=1))
    with caller.open("POST", CHAT, JSON, ask_for_stream()) as answer:
        assert answer.some() == STREAM[0]
        recorder.go_on.set()
        assert answer.rest() == WITHOUT.removeprefix(STREAM[0])


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", [400, 404, 422, 429, 500, 529])
def test_errors_of_the_vendor_come_as_they_are(caller: Caller, recorder: Recorder, status: int, stream: bool) -> None:
    body = b'{"error": {"message" : "\xe1\x88\xb0", "code":null} }\n'
    recorder.says(Says((body[:9], body[9:]), status, [*JSON, ("Retry-After", "7"), ("x-should-retry", "true")]))
    answer = caller.ask("POST", CHAT, JSON, ask_for_stream() if stream else b'{"model":"v1/gpt",%b}' % HELLO)
    assert (answer.status, answer.body) == (status, body)
    assert (answer.headers["retry-after"], answer.headers["x-should-retry"]) == ("7", "true")
    row = caller.row(answer)
    assert (row["state"], row["statuses"], row["output_tokens"]) == ("upstream_error", str(status), 0)


@pytest.mark.parametrize("status", [302, 307, 401, 403])
def test_what_is_between_gateway_and_vendor_is_told_as_502(caller: Caller, recorder: Recorder, status: int) -> None:
    told = b'{"error":{"message":"%b: %b is wrong"}}' % (LEAK.encode(), KEY.encode())
    recorder.says(Says((told,), status, [*JSON, ("Location", f"https://{LEAK}")]))
    answer = caller.ask("POST", CHAT, JSON, ask_for_stream())
    assert answer.status == 502
    error = json.loads(answer.body)["error"]
    assert (error["type"], error["code"], error["param"]) == ("server_error", "generation_error", None)
    assert LEAK not in repr(answer)
    assert KEY not in repr(answer)
    assert caller.row(answer)["statuses"] == str(status)


@pytest.mark.parametrize("framing", ["chunked", "length"])
@pytest.mark.parametrize("usage", [False, True])
def test_a_stream_that_breaks_off_looks_broken(caller: Caller, recorder: Recorder, framing: str, usage: bool) -> None:
    recorder.says(Says(STREAM[:2], headers=SSE, framing=framing, length=9999, cut=True))
    with caller.open("POST", CHAT, JSON, ask_for_stream(usage=usage)) as answer:
        assert answer.status == 200
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            answer.rest()
        row = caller.row(answer)
    assert row["state"] in {"upstream_error", "truncated"}
    assert (row["estimated"], row["output_tokens"]) == (1, 1)


def test_an_error_inside_a_stream_passes_and_is_noted(caller: Caller, recorder: Recorder) -> None:
    error = b'data: {"error":{"message":"overloaded","type":"server_error"}}\n\n'
    recorder.says(Says((STREAM[0], error), headers=SSE, framing="chunked"))
    answer = caller.ask("POST", CHAT, JSON, ask_for_stream())
    assert answer.body == STREAM[0] + error
    assert caller.row(answer)["state"] == "upstream_error"


def test_a_client_that_leaves_ends_the_upstream(caller: Caller, recorder: Recorder) -> None:
    recorder.says(Says(STREAM, headers=SSE, framing="chunked", pause=1))
    with caller.open("POST", CHAT, JSON, ask_for_stream()) as answer:
        assert answer.some() == STREAM[0]
    left = time.monotonic()
    while not recorder.hung_up:
        assert time.monotonic() < left + 2
        time.sleep(0.01)
    row = caller.row(answer, within=2)
    assert (row["state"], row["estimated"], row["output_tokens"]) == ("client_gone", 1, 1)


@pytest.mark.parametrize(("asked", "status"), [(b"0123456789", 200), (b"0123456789+", 400), ("ሰ".encode() * 10, 200)])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CHAT, b'"messages":[{"role":"user","content":"@"}]'),
        (CHAT, b'"messages":[{"role":"user","content":[{"type":"text","text":"@"}]}]'),
        ("/v1/responses", b'"input":"@"'),
        ("/v1/responses", b'"input":[{"role":"user","content":[{"type":"input_text","text":"@"}]}]'),
    ],
)
def test_a_prompt_that_is_too_long(
    caller: Caller, recorder: Recorder, path: str, body: bytes, asked: bytes, status: int
) -> None:
    recorder.says(Says((ANSWER,)))
    answer = caller.ask("POST", path, JSON, b'{"model":"v1-short/m",%b}' % body.replace(b"@", asked))
    assert answer.status == status
    if status == 400:
        assert "The prompt has 11 characters; provider 'v1-short' takes 10." in answer.body.decode()
        assert recorder.requests == []
