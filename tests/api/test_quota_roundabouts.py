"""Ways round a quota of tokens: what a vendor makes and bills, and a request does not seem to ask for."""

import gzip
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.gateway import Gateway
from tests.racing import made_users
from tests.recorder import JSON, Caller, Got, Recorder, Says, provider

LEFT = 5000  # tokens
MUCH = 10**7
_TESTS = 80  # that have somebody of their own
_DEFAULT = 500  # tokens of output, where a request does not say
_SAID = [{"role": "user", "content": "x"}]
_LONG = [{"role": "user", "content": "word " * 20_000}]
_PICTURE = {"type": "image_url", "image_url": {"url": "https://e.example/a.png"}}
_PICTURES = [{"role": "user", "content": [_PICTURE] * 50}]
_USED = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
_CHAT = {"model": "m", "choices": [{"index": 0, "message": {"content": "said"}, "finish_reason": "stop"}]}
_QUEUED: dict[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "status": "queued",
    "model": "m",
    "output": [],
    "usage": None,
}
_EVENTS = (("Content-Type", "text/event-stream"),)
CHAT, PROXY = "/v1/chat/completions", "/proxy/way-openai/chat/completions"


@dataclass(frozen=True)
class People:
    """Callers: without a quota, with one of LEFT, and with one of MUCH."""

    free: Caller
    limited: Caller
    rich: Caller


@pytest.fixture(scope="module")
def recorder(gateway: Gateway, staff_token: str) -> Iterator[Recorder]:
    server = Recorder().start()
    few = {"default_max_tokens": _DEFAULT}
    with (
        provider(gateway, staff_token, "way-openai", "openai", server.url, **few),
        provider(gateway, staff_token, "way-anthropic", "anthropic", server.url, **few),
        provider(gateway, staff_token, "way-gemini", "gemini", server.url, **few),
    ):
        yield server
    server.stop()


@pytest.fixture(scope="module")
def callers(gateway: Gateway) -> Iterator[Caller]:
    """Callers who have never called: one without a quota, one with MUCH, and then some with LEFT."""
    limits = [[], [MUCH], *[[LEFT]] * _TESTS]
    quotas = [[{"unit": "tokens", "window": "month", "limit": limit} for limit in one] for one in limits]
    return iter([Caller(gateway, token) for _, token in made_users(gateway, quotas)])


@pytest.fixture(scope="module")
def unlimited(callers: Iterator[Caller]) -> tuple[Caller, Caller]:
    return next(callers), next(callers)


@pytest.fixture
def people(unlimited: tuple[Caller, Caller], callers: Iterator[Caller]) -> People:
    free, rich = unlimited
    return People(free, next(callers), rich)


def post(caller: Caller, path: str, body: Any) -> Got:
    return caller.ask("POST", path, JSON, body if isinstance(body, bytes) else json.dumps(body).encode())


def answers(recorder: Recorder, body: Any, **more: Any) -> None:
    recorder.says(Says((body if isinstance(body, bytes) else json.dumps(body).encode(),), **more))


def charged(caller: Caller, got: Got) -> tuple[int, int, int]:
    row = caller.row(got)
    return row["input_tokens"], row["output_tokens"], row["estimated"]


@pytest.mark.parametrize("status", ["queued", "in_progress"])
@pytest.mark.parametrize("background", [True, False])
@pytest.mark.parametrize("path", ["/v1/responses", "/proxy/way-openai/responses"])
def test_an_answer_that_is_made_later_is_charged_as_reserved(
    people: People, recorder: Recorder, path: str, background: bool, status: str
) -> None:
    answers(recorder, {**_QUEUED, "status": status})
    asked = {"model": "way-openai/m", "input": "think hard", "max_output_tokens": 4000}
    got = post(people.limited, path, {**asked, "background": background})
    assert got.status == 200
    input_tokens, output_tokens, estimated = charged(people.limited, got)
    assert (output_tokens, estimated) == (4000, 1)
    assert input_tokens >= len("think hard") + 16
    assert post(people.limited, path, asked).status == (200 if path.startswith("/v1") else 429)
    assert people.limited.ask("GET", "/proxy/way-openai/responses/resp_1").status == 200, "as often as one likes"


def test_what_nobody_knows_is_charged_by_what_passed(people: People, recorder: Recorder) -> None:
    """And a zero that was reported stays one, as does the use of what is known to be free."""
    answers(recorder, {"response": "word " * 2000})
    got = post(people.rich, "/proxy/way-openai/generate", {"model": "m", "prompt": "hello " * 1000})
    assert charged(people.rich, got) >= (1500, 2500, 1)
    assert charged(people.rich, got)[1] >= 2500
    answers(recorder, {"response": "said", "usage": {**_USED, "prompt_tokens": 0, "completion_tokens": 0}})
    assert charged(people.rich, post(people.rich, "/proxy/way-openai/generate", {"prompt": "hello"})) == (0, 0, 0)
    for name, path in (
        ("openai", "files"),
        ("openai", "v1/moderations"),
        ("openai", "responses/input_tokens"),
        ("anthropic", "v1/messages/count_tokens"),
        ("gemini", "v1beta/models/m:countTokens"),
        ("gemini", "upload/v1beta/files"),
    ):
        answers(recorder, {"id": "x" * 1000})
        got = post(people.limited, f"/proxy/way-{name}/{path}", {"model": "m", "messages": _LONG})
        assert (got.status, charged(people.limited, got)) == (200, (0, 0, 0)), path


@pytest.mark.parametrize(
    "path",
    [
        "way-anthropic/v1/messages/batches",
        "way-openai/batches",
        "way-openai/v1/batches/",
        "way-gemini/v1beta/models/m:batchGenerateContent",
    ],
)
def test_a_batch_is_refused_where_a_quota_counts(people: People, recorder: Recorder, path: str) -> None:
    answers(recorder, {"id": "batch_1"})
    body = {"model": "m", "input_file_id": "file-1", "requests": [{"params": {"max_tokens": 4000}}] * 20}
    refused = post(people.limited, f"/proxy/{path}", body)
    assert refused.status == 400
    assert b"A quota of tokens or cost does not allow this request" in refused.body
    assert recorder.requests == []
    assert people.limited.row(refused)["state"] == "refused"
    assert post(people.free, f"/proxy/{path}", body).status == 200


# What has more in it than its text: where it goes, and the body.
LARGE = {
    "a limit that the path does not have": (PROXY, {"messages": _SAID, "max_output_tokens": 1, "n": 20}),
    "a limit with a point": (PROXY, {"messages": _SAID, "max_tokens": 50_000.0}),
    "a limit in quotes": (PROXY, {"messages": _SAID, "max_tokens": "50000"}),
    "a limit in capitals": (PROXY, {"messages": _SAID, "max_tokens": 1, "MAX_TOKENS": 50_000}),
    "many choices with a point": (PROXY, {"messages": _SAID, "max_tokens": 500, "n": 50.0}),
    "many choices in capitals": (CHAT, {"messages": _SAID, "max_tokens": 500, "N": 500}),
    "two limits for Gemini": (
        "/proxy/way-gemini/v1beta/models/m:generateContent",
        {
            "contents": [],
            "generationConfig": {"maxOutputTokens": 1},
            "generation_config": {"max_output_tokens": 50_000},
        },
    ),
    "a number that is none": (PROXY, b'{"max_tokens":1,"x":NaN,"messages":' + json.dumps(_LONG).encode() + b"}"),
    "another encoding": (PROXY, json.dumps({"messages": _LONG, "max_tokens": 1}).encode("utf-16")),
    "no JSON at all": (PROXY, b"{'messages': '" + b"word " * 20_000 + b"'}"),
    "a field that comes twice": (PROXY, b'{"messages":' + json.dumps(_LONG).encode() + b',"messages":[]}'),
    "tokens by their numbers": ("/v1/embeddings", {"input": [[1] * 8000] * 20}),
    "numbers in a message": (CHAT, {"messages": [{"role": "user", "content": [{"input": {"x": [1234567] * 900}}]}]}),
    "long names": (CHAT, {"messages": [{"role": "user", "content": [{"input": {"word " * 1200: 1}}]}]}),
    "pictures": (CHAT, {"messages": _PICTURES}),
    "pictures with escapes": (CHAT, json.dumps({"messages": _PICTURES}).replace("_url", "_ur\\u006c").encode()),
    "a document": (
        CHAT,
        {
            "messages": [
                {"content": [{"type": "file", "file": {"file_data": f"data:application/pdf;base64,{'A' * 8000}"}}]}
            ]
        },
    ),
}


def _with_model(path: str, body: Any) -> Any:
    name = "way-openai/m" if path.startswith("/v1") else "m"
    if isinstance(body, bytes):
        return body.replace(b"{", b'{"model": "%s", ' % name.encode(), 1) if body.startswith(b'{"') else body
    return {"model": name, **body}


@pytest.mark.parametrize("name", LARGE)
def test_what_is_larger_than_it_looks_is_refused(people: People, recorder: Recorder, name: str) -> None:
    path, body = LARGE[name]
    answers(recorder, {**_CHAT, "usage": _USED})
    refused = post(people.limited, path, _with_model(path, body))
    assert refused.status == 429, refused.body
    assert recorder.requests == []


def test_a_recording_is_reserved_by_its_length(people: People, recorder: Recorder) -> None:
    answers(recorder, {"text": "hello", "usage": _USED})
    parts = {b'name="model"': b"way-openai/m", b'name="file"; filename="a.mp3"': b"x" * 500_000}
    head = b"--b\r\nContent-Disposition: form-data; %b\r\n\r\n%b\r\n"
    body = b"".join(head % pair for pair in parts.items()) + b"--b--\r\n"
    form = (("Content-Type", "multipart/form-data; boundary=b"),)
    assert people.limited.ask("POST", "/v1/audio/transcriptions", form, body).status == 429
    got = people.rich.ask("POST", "/v1/audio/transcriptions", form, body)
    assert (got.status, charged(people.rich, got)) == (200, (1, 1, 0))


def test_a_coded_body_is_refused_where_a_quota_counts(people: People, recorder: Recorder) -> None:
    answers(recorder, {**_CHAT, "usage": _USED})
    body = gzip.compress(json.dumps({"model": "m", "max_tokens": 1, "messages": _LONG}).encode())
    refused = people.limited.ask("POST", PROXY, (*JSON, ("Content-Encoding", "gzip")), body)
    assert refused.status == 400
    assert b"without a content-encoding" in refused.body
    assert recorder.requests == []


@pytest.mark.parametrize("value", [50.0, "50", 0, -1, True, [5]])
@pytest.mark.parametrize("field", ["n", "max_tokens", "max_completion_tokens", "MAX_TOKENS"])
def test_a_limit_is_a_whole_number(people: People, recorder: Recorder, field: str, value: Any) -> None:
    answers(recorder, {**_CHAT, "usage": _USED})
    asked = {"model": "way-openai/m", "messages": _SAID}
    refused = post(people.free, CHAT, {**asked, field: value})
    assert refused.status == 400
    assert f"`{field}` must be a whole number" in refused.body.decode()
    assert recorder.requests == []
    assert post(people.free, CHAT, {**asked, field: None}).status == 200, "which says nothing"


@pytest.mark.parametrize(
    ("path", "more", "own", "output"),
    [
        (CHAT, {"max_output_tokens": 10}, "max_tokens", _DEFAULT),
        (CHAT, {"MAX_TOKENS": 20}, "max_tokens", 20),
        (CHAT, {"max_completion_tokens": None, "max_output_tokens": 10}, "max_tokens", _DEFAULT),
        ("/v1/responses", {"max_tokens": 10}, "max_output_tokens", _DEFAULT),
        ("/v1/messages", {"max_completion_tokens": 10}, "max_tokens", _DEFAULT),
    ],
)
def test_the_limit_stands_where_the_vendor_looks(
    people: People, recorder: Recorder, path: str, more: dict[str, Any], own: str, output: int
) -> None:
    answers(recorder, {**_CHAT, "type": "message", "content": [], "usage": _USED})
    kind = "anthropic" if path == "/v1/messages" else "openai"
    said = {"input": "x"} if path == "/v1/responses" else {"messages": _SAID}
    got = post(people.limited, path, {"model": f"way-{kind}/m", **said, **more})
    assert got.status == 200, got.body
    limits = {name: value for name, value in recorder.arrived.json.items() if "tokens" in name.lower() and value}
    assert limits == dict.fromkeys({own, *(name for name in more if more[name])}, output)


def _stream(words: int) -> bytes:
    one = {"model": "m", "choices": [{"index": 0, "delta": {"content": "word " * 100}}]}
    last = {"model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    return (
        b"".join(b"data: %b\n\n" % json.dumps(event).encode() for event in (*[one] * words, last)) + b"data: [DONE]\n\n"
    )


def test_pictures_are_charged_where_a_stream_reports_nothing(people: People, recorder: Recorder) -> None:
    for caller, least in ((people.rich, 200_016), (people.free, 200_000)):
        answers(recorder, _stream(1), headers=_EVENTS)
        got = post(caller, PROXY, {"model": "m", "stream": True, "max_tokens": 300, "messages": _PICTURES})
        input_tokens, output_tokens, estimated = charged(caller, got)
        assert input_tokens >= least
        assert (0 < output_tokens <= 500, estimated) == (True, 1)


@pytest.mark.parametrize("path", [CHAT, PROXY])
def test_a_vendor_that_ignores_the_limit_is_cut(people: People, recorder: Recorder, path: str) -> None:
    pieces = [_stream(10).removesuffix(b"data: [DONE]\n\n")] * 40
    recorder.says(Says(pieces, headers=_EVENTS, framing="chunked", pause=39))
    named = "way-openai/m" if path == CHAT else "m"
    began = time.monotonic()
    got = post(people.limited, path, {"model": named, "stream": True, "max_tokens": 100, "messages": _SAID})
    assert b"insufficient_quota" in got.body
    assert time.monotonic() - began < 5, "at once, and not when the vendor is done"
    row = people.limited.row(got)
    assert row["state"] == "quota"
    assert row["input_tokens"] + row["output_tokens"] <= LEFT + 3000
