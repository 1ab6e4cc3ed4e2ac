"""Which model a request names for sure, whatever it is written like: one table of what is known, one of what is not."""

import json
from dataclasses import replace

import pytest

from providers.adapters.elevenlabs import ElevenLabsAdapter
from providers.adapters.gemini import GeminiAdapter
from providers.adapters.sure_models import check_sent, sure_model
from providers.errors import RequestNotPossible
from providers.types import NativeRequest

JSON = "application/json"
FORM = "multipart/form-data; boundary=b"
IN_DOUBT = [
    b'{"model":"cheap","model":"dear"}',
    b'{"model":"cheap","Model":"dear"}',
    b'{"model":"cheap","mod\\u0065l":"dear"}',
    b'{"Model":"cheap"}',
    b'{"model":["cheap"]}',
    b'{"model":{"name":"cheap"}}',
    b'{"model":null}',
    b'{"model":"cheap\\u0000"}',
    b'{"model":"cheap\\ud800"}',
    b'{"model":"cheap","models":["dear"]}',
    b'{"model":"cheap","models":[{"id":"dear"}]}',
    '{"model":"cheap","model\u017f":["dear"]}'.encode(),
    b'{"model":"cheap","fallbacks":["dear"]}',
    b'{"model":"cheap","fallbacks":[{"model":"dear"}]}',
    b'{"model":"cheap","fallbacks":[{"model":"dear","model":"cheap"}]}',
    b'{"model":"cheap","fallbacks":[{"cheap":["dear"]}]}',
    b'{"model":"cheap","fallback_model":"dear"}',
    b'{"model":"cheap","requests":[{"params":{"model":"dear"}}]}',
    b'{"requests":[{"params":{"model":"cheap"}}]}',
    b'{"model":"cheap","tools":[{"type":"image_generation","model":"dear"}]}',
    b'{"model":"cheap","session":{"model":"dear"}}',
    b'{"model":"cheap","model_id":"dear"}',
    b'{"model":"cheap","a":[[[{"model":"dear"}]]]}',
]
UNREADABLE = [
    b'\xef\xbb\xbf{"model":"cheap"}',
    b'[{"model":"cheap"},{"model":"dear"}]',
    b'"model":"cheap"',
    b'{"model":"cheap"',
    b'{"model":"cheap"}{"model":"dear"}',
    b'{"model":"cheap",}',
    b'{"model":"cheap","x":"\xff"}',
    '{"model":"cheap"}'.encode("utf-16"),
    b"[" * 100_000,
]
KINDS_IN_DOUBT = [
    "application/x-www-form-urlencoded",
    "application/json, application/x-www-form-urlencoded",
    "application/json; charset=utf-7",
    "application/json; boundary=b; multipart/form-data",
    "application/octet-stream",
    "multipart/form-data",
]


def posted(body: bytes, kind: str = JSON, path: str = "/chat/completions", query: str = "") -> NativeRequest:
    return NativeRequest("", "POST", path, query, {"content-type": kind}, body)


def field(name: str, value: str, more: str = "") -> str:
    return f'--b\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n{value}\r\n'


def form(*fields: str) -> bytes:
    return "".join([*fields, "--b--\r\n"]).encode()


@pytest.mark.parametrize("kind", [JSON, "", "text/plain", "application/vnd.x+json", "application/json; charset=UTF-8"])
def test_a_plain_body(kind: str) -> None:
    assert sure_model(posted(b' {"model": "cheap", "n": 1}\n', kind)) == "cheap"


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [{"role": "user", "content": "x", "model": "dear"}]},
        {"tools": [{"function": {"name": "car", "parameters": {"properties": {"model": {"type": "string"}}}}}]},
        {"tools": [{"name": "car", "input_schema": {"properties": {"model": {"enum": ["dear"]}}}}]},
        {"response_format": {"json_schema": {"schema": {"required": ["model"], "model": {"type": "string"}}}}},
        {"metadata": {"model": "dear"}},
        {"models": ["cheap"], "fallbacks": [], "requests": [{"model": "cheap"}]},
        {"modalities": ["audio"]},
    ],
    ids=json.dumps,
)
def test_what_is_said_to_a_model_names_none(body: dict[str, object]) -> None:
    assert sure_model(posted(json.dumps({"model": "cheap", **body}).encode())) == "cheap"


@pytest.mark.parametrize("body", IN_DOUBT)
def test_a_body_that_names_more(body: bytes) -> None:
    with pytest.raises(RequestNotPossible, match="Models are limited"):
        sure_model(posted(body))


@pytest.mark.parametrize("body", UNREADABLE)
def test_a_body_that_readers_differ_on(body: bytes) -> None:
    assert sure_model(posted(body)) == ""


@pytest.mark.parametrize("kind", KINDS_IN_DOUBT)
def test_a_type_that_readers_differ_on(kind: str) -> None:
    assert sure_model(posted(b'{"model":"cheap"}', kind)) == ""


def test_what_cannot_be_read_here() -> None:
    for coding in ("gzip", "br", "identity, gzip", "x"):
        request = posted(b'{"model":"cheap"}')
        with pytest.raises(RequestNotPossible, match="content-encoding"):
            sure_model(replace(request, headers={**request.headers, "content-encoding": coding}))
    with pytest.raises(RequestNotPossible, match="batch"):
        sure_model(posted(b'{"model":"cheap","input_file_id":"f"}', path="/batches/"))


def test_what_takes_long_is_not_read() -> None:
    objects = b"[" + b"{}," * 200_000 + b"{}]"
    for body in (b'{"model":"cheap","x":%b}' % objects, b'{"model":"cheap","x":[%b1]}' % (b"1," * 1_000_000)):
        with pytest.raises(RequestNotPossible, match="too many"):
            sure_model(posted(body))
    with pytest.raises(RequestNotPossible, match="too many"):
        sure_model(posted(form(field("model", "cheap"), field("x", objects.decode())), FORM))
    assert sure_model(posted(form(field("model", "cheap"), *[field("x", "1")] * 1000), FORM)) == ""


def test_addresses() -> None:
    assert sure_model(posted(b"{}", path="/openai/deployments/cheap/chat/completions")) == "cheap"
    assert sure_model(posted(b"RIFF", "audio/wav", query="model=cheap")) == "", "of what cannot be read, nothing counts"
    assert sure_model(NativeRequest("", "GET", "/x", "model=cheap")) == "cheap"
    assert sure_model(NativeRequest("", "GET", "/models")) == ""
    for path, query in (("/openai/deployments/dear/x", ""), ("/x", "mod%65l=dear"), ("/x", "a=1;Model=dear")):
        with pytest.raises(RequestNotPossible):
            sure_model(posted(b'{"model":"cheap"}', path=path, query=query))


def test_a_plain_form() -> None:
    file = field("file", "--model", '; filename="model.wav"')
    assert sure_model(posted(form(field("model", "cheap"), file), FORM)) == "cheap"
    assert sure_model(posted(form(file, field("model", "cheap")), 'multipart/form-data; boundary="b"')) == "cheap"
    assert sure_model(posted(form(file), FORM)) == ""


@pytest.mark.parametrize(
    "fields",
    [
        (field("model", "cheap"), field("model", "dear")),
        (field("model", "cheap"), field("Model", "dear")),
        (field("model", "cheap"), field("models[]", "dear")),
        (field("model", "cheap"), field("session", '{"model": "dear"}')),
        (field("model", "cheap", "\r\nContent-Transfer-Encoding: base64"),),
        (field("model", "cheap", '; filename="x"'),),
    ],
)
def test_a_form_that_names_more(fields: tuple[str, ...]) -> None:
    with pytest.raises(RequestNotPossible):
        sure_model(posted(form(*fields), FORM))


@pytest.mark.parametrize(
    "body",
    [
        form(field("model", "cheap"))[:-4],
        b"x" + form(field("model", "cheap")),
        form(field("model", "cheap")) + b"x",
        form(field("model", "cheap"), field("x", "--b")),
        form(field("model", "cheap"), field("x", "1", "; name*=utf-8''model")),
        form(field("model", "cheap"), field("x", "1", '; name="model"')),
        form(field("model", "cheap"), field("mo\\del", "dear")),
        form(field("model", "cheap"), field("x", "1", '\r\nContent-Disposition: form-data; name="model"')),
        b'--b\nContent-Disposition: form-data; name="model"\n\ndear\n' + form(field("model", "cheap")),
        b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n\n--b\nContent-Disposition: form-data; name="model"'
        b"\n\ndear\r\n" + form(field("model", "cheap")),
        b'model=dear&a="model":"cheap"',
    ],
)
def test_a_form_that_readers_differ_on(body: bytes) -> None:
    assert sure_model(posted(body, FORM)) == ""


def test_elevenlabs_has_another_name_for_it() -> None:
    adapter, path = ElevenLabsAdapter(), "/v1/text-to-speech/v"
    assert adapter.named_model(posted(b'{"model_id":"cheap","text":"x"}', path=path), surely=True) == "cheap"
    assert adapter.named_model(posted(form(field("model_id", "cheap")), FORM), surely=True) == "cheap"
    assert adapter.named_model(posted(b'{"text":"x"}', path=path), surely=True) == ""
    for body in (b'{"model_id":"cheap","model_id":"dear"}', b'{"x":{"model_id":"cheap"},"model_id":"dear"}'):
        with pytest.raises(RequestNotPossible):
            adapter.named_model(posted(body, path=path), surely=True)


@pytest.mark.parametrize(
    ("path", "body", "model"),
    [
        ("/v1beta/models/cheap:generateContent", b"{}", "cheap"),
        ("/v1beta/models/cheap:batchEmbedContents", b'{"requests":[{"model":"models/cheap"}]}', "cheap"),
        ("/v1beta/models/dear:batchEmbedContents", b'{"requests":[{"model":"models/cheap"}]}', None),
        ("/v1beta/models/cheap:generateContent", b'{"model":"models/dear"}', None),
        ("/v1beta/models/cheap:generateContent", b'{"model":"cheap","model":"dear"}', None),
        ("/v1beta/models/cheap:generateContent", b"[]", ""),
        ("/v1beta/models/cheap/models/dear:generateContent", b"{}", ""),
        ("/v1beta/models/cheap;x:generateContent", b"{}", ""),
        ("/v1beta/models/cheap/dear:generateContent", b"{}", ""),
        ("/v1beta/models%2Fdear/models/cheap:generateContent", b"{}", ""),
        ("/v1beta/openai/chat/completions", b'{"model":"cheap"}', "cheap"),
        ("/v1beta/models/cheap:batchGenerateContent", b"{}", None),
    ],
)
def test_geminis_stands_in_the_path(path: str, body: bytes, model: str | None) -> None:
    if model is not None:
        assert GeminiAdapter().named_model(posted(body, path=path), surely=True) == model
        return
    with pytest.raises(RequestNotPossible):
        GeminiAdapter().named_model(posted(body, path=path), surely=True)


def test_a_model_that_the_gateway_puts_in() -> None:
    sent = replace(posted(b'{"model":"p/cheap","models":["cheap"]}'), model="p/cheap")
    check_sent(sent, "cheap")
    for body in (
        b'{"model":"p/cheap","models":["dear"]}',
        b'{"model":"p/cheap","models":["p/cheap"]}',
        b'{"model":"x"}',
    ):
        with pytest.raises(RequestNotPossible):
            check_sent(replace(sent, body=body), "cheap")
    with pytest.raises(RequestNotPossible):
        check_sent(replace(sent, headers={"content-type": "application/x-www-form-urlencoded"}), "cheap")
