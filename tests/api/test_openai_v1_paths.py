"""/v1 beside chat: the other paths of OpenAI's API, the list of models, and what the gateway itself refuses."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.gateway import Gateway
from tests.recorder import JSON, Caller, Got, Recorder, Says, provider

CHAT = "/v1/chat/completions"
SSE = [("Content-Type", "text/event-stream")]
HELLO = b'"messages":[{"role":"user","content":"Hello"}]'


@pytest.fixture(scope="module")
def caller(gateway: Gateway, user_token: str, staff_token: str, recorder: Recorder) -> Iterator[Caller]:
    kinds: list[tuple[str, str, dict[str, Any]]] = [
        ("paths", "openai", {"models": ["paths-one", "paths-org/two"], "default_model": "paths-three"}),
        ("paths-any", "openai", {"default_model": ""}),
        ("paths-off", "openai", {"enabled": False}),
        ("paths-echo", "echo", {"default_model": ""}),
    ]
    with ExitStack() as stack:
        for name, kind, fields in kinds:
            url = recorder.url if kind == "openai" else ""
            stack.enter_context(provider(gateway, staff_token, name, kind, url, **fields))
        yield Caller(gateway, user_token)


# What is sent to which path, what comes back, and what the ledger has of that. @ stands for the model.
TOKENS = b'"usage":{"input_tokens":12,"input_tokens_details":{"cached_tokens":2},"output_tokens":27,"total_tokens":39}'
LAST = (
    b'event: response.completed\ndata: {"type":"response.completed","response":{"model":"m","error":null,%b}}\n\n'
    % TOKENS
)
RELAYED: dict[str, tuple[str, bytes, Says, dict[str, Any]]] = {
    "responses": (
        "responses",
        b'{"model":@,"input":"Hello","temperature":0.70}',
        Says((b'{"id":"r", "object":"response","model":"m",%b}' % TOKENS,)),
        {"input_tokens": 12, "cached_tokens": 2, "output_tokens": 27, "estimated": 0, "surface": "responses"},
    ),
    "responses-streamed": (
        "responses",
        b'{"input":[{"role":"user","content":"Hello"}],"stream":true, "model":@}',
        Says((b'event: response.created\ndata: {"type":"response.created"}\n\n', LAST), headers=SSE, framing="chunked"),
        {"input_tokens": 12, "cached_tokens": 2, "output_tokens": 27, "estimated": 0, "streamed": 1},
    ),
    "responses-cut": (
        "responses",
        b'{"model":@,"input":"Hello there","stream":true}',
        Says((b'data: {"type":"response.output_text.delta","delta":"Hi there"}\n\n',), headers=SSE, framing="chunked"),
        {"state": "truncated", "input_tokens": 3, "output_tokens": 1, "estimated": 1},
    ),
    "embeddings": (
        "embeddings",
        b'{"model":@,"input":["a","b"],"encoding_format":"base64"}',
        Says((b'{"object":"list","data":[{"embedding":"AAAA"}],"usage":{"prompt_tokens":6,"total_tokens":6}}',)),
        {"input_tokens": 6, "output_tokens": 0, "estimated": 0, "surface": "embeddings"},
    ),
    "embeddings-without-usage": (
        "embeddings",
        b'{"model":@,"input":["abcd","efghi"]}',
        Says((b'{"object":"list","data":[]}',)),
        {"input_tokens": 3, "output_tokens": 0, "estimated": 1},
    ),
    "images": (
        "images/generations",
        b'{"prompt":"a cat","model" : @,"n":2}',
        Says((b'{"created":1,"data":[{"b64_json":"AA=="},{"b64_json":"AA=="}],%b}' % TOKENS,)),
        {"input_tokens": 12, "output_tokens": 27, "measures": '{"images": 2.0}', "surface": "images"},
    ),
    "speech": (
        "audio/speech",
        b'{"model":@,"voice":"alloy","input":"\xe1\x88\xb0\xe1\x88\x8b\xe1\x88\x9d!"}',
        Says(
            (b"ID3\x04\x00\xff\xfb", bytes(range(256)) * 9), headers=[("Content-Type", "audio/mpeg")], framing="chunked"
        ),
        {"input_tokens": 0, "output_tokens": 0, "measures": '{"characters": 4.0}', "estimated": 1, "surface": "speech"},
    ),
}


@pytest.mark.parametrize("name", RELAYED)
def test_paths_that_are_relayed(caller: Caller, recorder: Recorder, name: str) -> None:
    path, body, says, expected = RELAYED[name]
    recorder.says(says)
    answer = caller.ask("POST", f"/v1/{path}", JSON, body.replace(b"@", b'"paths-any/org/m"'))
    assert (answer.status, answer.body) == (200, says.body)
    assert answer.headers["content-type"] == says.headers[0][1]
    assert recorder.arrived.path == f"/base/{path}"
    assert recorder.arrived.body == body.replace(b"@", b'"org/m"'), "no usage is asked for, and no byte is another"
    row = caller.row(answer)
    assert {"state": "done", "provider": "paths-any", "model": "org/m", **expected}.items() <= row.items()


def form(model: bytes) -> bytes:
    sound = bytes(range(256)) + b'\r\nContent-Disposition: form-data; name="model"\r\n\r\nno\r\n--not-b\r\n'
    head = b"--b/1\r\nContent-Disposition: form-data; name="
    parts = [b'"file"; filename="a.mp3"\r\nContent-Type: audio/mpeg\r\n\r\n' + sound, b'"prompt"\r\n\r\nmodel']
    return b"".join(head + part + b"\r\n" for part in [*parts, b"model\r\n\r\n" + model]) + b"--b/1--\r\n"


@pytest.mark.parametrize(
    ("path", "says", "expected"),
    [
        (
            "audio/transcriptions",
            Says((b'{"text":"Hello","usage":{"type":"duration","seconds":3}}',)),
            {"input_tokens": 0, "measures": '{"audio_seconds": 3.0}', "estimated": 0, "surface": "transcription"},
        ),
        (
            "audio/transcriptions",
            Says((b"1\n00:00:00,000 --> 00:00:01,000\nHello\n",), headers=[("Content-Type", "text/plain")]),
            {"input_tokens": 0, "output_tokens": 0},
        ),
        ("images/edits", Says((b'{"created":1,"data":[{}],%b}' % TOKENS,)), {"output_tokens": 27, "surface": "images"}),
    ],
)
@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=b/1", 'Multipart/Form-Data; boundary="b/1"; a=b'])
def test_forms_that_are_relayed(
    caller: Caller, recorder: Recorder, kind: str, path: str, says: Says, expected: dict[str, Any]
) -> None:
    recorder.says(says)
    answer = caller.ask("POST", f"/v1/{path}", [("Content-Type", kind)], form(b"paths-any/whisper-1"))
    assert (answer.status, answer.body) == (200, says.body)
    assert (recorder.arrived.path, recorder.arrived.body) == (f"/base/{path}", form(b"whisper-1"))
    assert recorder.arrived.headers["content-type"] == kind
    row = caller.row(answer)
    assert {"state": "done", "model": "whisper-1", **expected}.items() <= row.items()


def refusal(answer: Got, status: int, kind: str = "invalid_request_error") -> dict[str, Any]:
    """The error of an answer, in OpenAI's shape."""
    assert (answer.status, answer.headers["content-type"]) == (status, "application/json"), answer.body
    (error,) = json.loads(answer.body).values()
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["type"], error["message"][-1]) == (kind, ".")
    return dict(error)


PATHS = ["responses", "embeddings", "images/generations", "images/edits", "audio/speech", "audio/transcriptions"]


@pytest.mark.parametrize("path", PATHS)
def test_a_provider_of_another_format_has_chat_only(caller: Caller, path: str) -> None:
    if path in {"images/edits", "audio/transcriptions"}:
        kind = [("Content-Type", "multipart/form-data; boundary=b/1")]
        answer = caller.ask("POST", f"/v1/{path}", kind, form(b"paths-echo"))
    else:
        answer = caller.ask("POST", f"/v1/{path}", JSON, b'{"model":"paths-echo/m","input":"x"}')
    assert refusal(answer, 404)["message"] == "Provider 'paths-echo' has nothing that answers this path."
    assert caller.row(answer)["state"] == "refused"


@pytest.mark.parametrize("path", [*PATHS, "chat/completions"])
@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "The body is not valid JSON"),
        (b'{"model":', "The body is not valid JSON"),
        (b"\xff", "The body is not valid JSON"),
        (b'["model"]', "The body must be a JSON object."),
        (b'{"a":' + b"[" * 200 + b"]" * 200 + b"}", "nested more than 100 levels"),
        (b'{"input":"x",%b}' % HELLO, "`model` must be a string"),
        (b'{"model":"",%b}' % HELLO, "`model` must be a string"),
        (b'{"model":["paths-any/m"],%b}' % HELLO, "`model` must be a string"),
        (b'{"model":null,%b}' % HELLO, "`model` must be a string"),
    ],
)
def test_bodies_that_are_refused(caller: Caller, recorder: Recorder, path: str, body: bytes, sentence: str) -> None:
    recorder.says(Says())
    answer = caller.ask("POST", f"/v1/{path}", JSON, body)
    assert sentence in refusal(answer, 400)["message"]
    assert recorder.requests == []
    assert caller.rows(answer.request_id) == []


@pytest.mark.parametrize("messages", [b"", b',"messages":null', b',"messages":[]', b',"messages":""'])
def test_chat_without_messages(caller: Caller, messages: bytes) -> None:
    answer = caller.ask("POST", CHAT, JSON, b'{"model":"paths-any/m"%b}' % messages)
    assert refusal(answer, 400)["message"] == "`messages` is missing or empty."


@pytest.mark.parametrize("body", [b"", form(b""), form(b"x") + form(b"y"), form(b"x")[:-9], b'{"model":"paths-any/m"}'])
def test_forms_that_are_refused(caller: Caller, recorder: Recorder, body: bytes) -> None:
    recorder.says(Says())
    kind = [("Content-Type", "multipart/form-data; boundary=b/1")]
    answer = caller.ask("POST", "/v1/audio/transcriptions", kind, body)
    assert refusal(answer, 400)["message"] == "The form needs a part named `model`, and one only."
    assert recorder.requests == []


@pytest.mark.parametrize(
    "credential", ["", "Authorization: Bearer sk-nobody", "Authorization: Basic eDp5", "Cookie: a=b"]
)
@pytest.mark.parametrize("target", [CHAT, "/v1/embeddings", "/v1/models", "/v1/models/x", "/v1/nothing"])
def test_nobody_may_know_anything(caller: Caller, recorder: Recorder, target: str, credential: str) -> None:
    recorder.says(Says())
    method = "GET" if "models" in target else "POST"
    answer = caller.ask(method, target, JSON, b'{"model":"paths-any/m",%b}' % HELLO, credential=credential)
    assert refusal(answer, 401)["code"] == "invalid_api_key"
    assert answer.headers["www-authenticate"] == "Bearer"
    assert b"paths" not in answer.body
    assert recorder.requests == []


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", [*PATHS, "chat/completions"])
def test_other_methods(caller: Caller, path: str, method: str) -> None:
    answer = caller.ask(method, f"/v1/{path}")
    assert refusal(answer, 405)["message"] == "This path takes POST only."
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_models_are_only_read(caller: Caller, method: str) -> None:
    for target in ("/v1/models", "/v1/models/paths/paths-one"):
        assert caller.ask(method, target).headers["allow"] == "GET"


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize(
    "path", ["nothing", "chat/completions/", "chat", "completions", "responses/r-1", "files?a=b", "%ff"]
)
def test_paths_where_nothing_is(caller: Caller, method: str, path: str) -> None:
    answer = caller.ask(method, f"/v1/{path}", JSON, b"{}" if method == "POST" else b"")
    assert refusal(answer, 404)["code"] == "unknown_url"


@pytest.mark.parametrize("path", ["chat/completions", "embeddings"])
def test_a_body_over_the_limit(caller: Caller, recorder: Recorder, path: str) -> None:
    recorder.says(Says())
    body = b'{"model":"paths-any/m","input":"%b",%b}' % (b"x" * (32 * 1024 * 1024), HELLO)
    assert refusal(caller.ask("POST", f"/v1/{path}", JSON, body), 413)["code"] == "request_too_large"
    assert recorder.requests == []


def test_the_list_of_models(caller: Caller) -> None:
    listed = json.loads(caller.ask("GET", "/v1/models").body)
    assert (listed["object"], listed["has_more"]) == ("list", False)
    names = [model["id"] for model in listed["data"]]
    assert (listed["first_id"], listed["last_id"]) == (names[0], names[-1])
    ours = {"paths/paths-one", "paths/paths-org/two", "paths/paths-three", "paths-any", "paths-echo"}
    assert {name for name in names if name.startswith("paths")} == ours
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("target", ["paths/paths-org/two", "paths%2Fpaths-org%2ftwo"])
def test_one_model(caller: Caller, target: str) -> None:
    model = json.loads(caller.ask("GET", f"/v1/models/{target}").body)
    assert (model["id"], model["object"], model["owned_by"]) == ("paths/paths-org/two", "model", "paths")
    assert isinstance(model["created"], int)


@pytest.mark.parametrize("name", ["nobody", "paths/four", "paths", "paths-off", "paths-off/default-model", "paths-one"])
def test_a_model_that_is_not_listed(caller: Caller, name: str) -> None:
    assert refusal(caller.ask("GET", f"/v1/models/{name}"), 404)["code"] == "model_not_found"
