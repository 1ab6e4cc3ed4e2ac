"""Fields put into a body that is relayed: each byte that is not theirs stays as it came."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.adapters.openai_usage import asks_for_usage, is_streamed
from providers.adapters.splice import (
    form_model,
    with_form_model,
    with_model,
    with_output_limit,
    with_usage_asked_for,
)

# In each, @ is a place where the value of `model` stands; all else must stay.
BODIES = {
    "plain": b'{"model":@,"messages":[]}',
    "blanks": b'\r\n {\t"model"  :\n @ , "messages" : [ ] }\n',
    "last": b'{"messages":[],"model":@}',
    "alone": b'{"model":@}',
    "numbers": b'{"temperature":0.70,"model":@,"seed":1180591620717411303424,"top_p":1e0,"n":1E+0,"x":-0.0}',
    "escapes": b'{"messages":[{"content":"\\u1230\\u00e9\\/ \xe1\x88\xb0 \\ud83d\\ude00"}],"model":@}',
    "order-and-doubles": b'{"z":1,"a":2,"z":3,"model":@,"b":{},"a":4}',
    "in-a-text": b'{"messages":[{"content":"say \\"model\\": \\"x\\", or {\\"model\\":\\"y\\"}"}],"model":@}',
    "in-a-text-after": b'{"model":@,"m":"\\\\\\"model\\":\\"x\\""}',
    "as-a-text": b'{"model":@,"kind":"model","kinds":["model"]}',
    "as-a-text-before": b'{"kind":"model","model":@}',
    "nested": b'{"tools":[{"parameters":{"properties":{"model":{"type":"string","default":1e2}}}}],"model":@}',
    "nested-string": b'{"metadata":{"model":"x"},"model":@,"more":[[{"model":"y"}]]}',
    "twice": b'{"model":@, "n":1.0,"model" : @}',
    "twice-with-other-kinds": b'{"model":@,"model":@,"model":@,"n":1}',
    "escaped-name": b'{"mod\\u0065l":@,"n":1.50}',
    "escaped-twin": b'{"\\u006dodel":@,"model":@}',
    "escaped-twin-of-a-nested-one": b'{"a":{"model":"x"},"mo\\u0064el":@}',
    "name-with-a-quote": b'{"a\\"model":"x","mod\\u0065l":@}',
    "name-that-ends-so": b'{"a\\"model":"x","model":@}',
    "other-letters": b'{"model":@,"MODEL":@,"Model" :@}',
    "escaped-capital": b'{"model":@,"\\u004dodel":@}',
    "longer-names": b'{"models":["x"],"a model":"x","model_":"x","model":@}',
    "deep": b'{"a":' + b"[" * 90 + b'{"model":"x"}' + b"]" * 90 + b',"model":@}',
    "brackets-in-texts": b'{"a":"}]","b":["{[",{"c":"\\\\"}],"model":@,"d":"{\\"model\\":"}',
}
MODELS = [(b'"m"', "gpt-4.1"), (b'"p/m"', "org/model:7b"), (b'"a\\"b\\\\"', 'a"\\'), (b'"}"', "\\1"), (b'","', "ሞዴል")]


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize(("value", "name"), MODELS)
def test_only_the_model_changes(body: bytes, value: bytes, name: str) -> None:
    changed = with_model(body.replace(b"@", value), name)
    assert changed == body.replace(b"@", orjson.dumps(name))
    assert orjson.loads(changed)["model"] == name


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"model":{"a":[1,{"model":"x"}]},"model":"m"}', b'{"model":"n","model":"n"}'),
        (b'{"model":null ,"model":"m"}', b'{"model":"n" ,"model":"n"}'),
        (b'{"model": [ ] ,"Model":12e1 , "model":"m"}', b'{"model": "n" ,"Model":"n" , "model":"n"}'),
    ],
)
def test_doubled_models_of_other_kinds(body: bytes, expected: bytes) -> None:
    assert with_model(body, "n") == expected


NAMES = st.text(max_size=8) | st.sampled_from(["model", "Model", "a", 'a"model', "stream_options", "include_usage"])
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
    | st.sampled_from(["model", '"model":"x"', "{", "}", "\\", '\\"']),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(NAMES, JSON, max_size=6)


@settings(max_examples=300, deadline=None)
@given(content=OBJECTS, model=st.text(max_size=10), named=st.text(min_size=1, max_size=10), indented=st.booleans())
def test_any_object_is_the_same_but_for_its_model(
    content: dict[str, Any], model: str, named: str, indented: bool
) -> None:
    content = {name: value for name, value in content.items() if name.lower() != "model"}
    content = dict([*content.items()][:2]) | {"model": named} | dict([*content.items()][2:])
    body = orjson.dumps(content, option=orjson.OPT_INDENT_2 if indented else 0)
    changed = with_model(body, model)
    assert orjson.loads(changed) == {**content, "model": model}
    assert list(orjson.loads(changed)) == list(content)
    assert with_model(changed, named) == body, "and there and back not a byte is another"


@settings(max_examples=200, deadline=None)
@given(content=OBJECTS)
def test_any_object_asks_for_usage_afterwards(content: dict[str, Any]) -> None:
    content = {name: value for name, value in content.items() if name.lower() != "stream_options"}
    body = orjson.dumps(content)
    changed = with_usage_asked_for(body)
    assert orjson.loads(changed) == {**content, "stream_options": {"include_usage": True}}
    assert changed.endswith(body.removeprefix(b"{"))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(b'{"a":1.0}', b'{"stream_options":{"include_usage":true},"a":1.0}', id="absent"),
        pytest.param(b' { "a":1}', b' {"stream_options":{"include_usage":true}, "a":1}', id="absent-with-blanks"),
        pytest.param(b"{ }", b'{"stream_options":{"include_usage":true} }', id="empty"),
        pytest.param(
            b'{"stream_options" : null ,"a":1E2}', b'{"stream_options" : {"include_usage":true} ,"a":1E2}', id="null"
        ),
        pytest.param(b'{"stream_options":{}}', b'{"stream_options":{"include_usage":true}}', id="no-keys"),
        pytest.param(
            b'{"stream_options":{"include_obfuscation": false,"x":1.50},"n":99999999999999999999}',
            b'{"stream_options":{"include_usage":true,"include_obfuscation": false,"x":1.50},"n":99999999999999999999}',
            id="other-keys",
        ),
        pytest.param(
            b'{"stream_options":{"include_usage": false, "x":1}}',
            b'{"stream_options":{"include_usage": true, "x":1}}',
            id="declined",
        ),
        pytest.param(
            b'{"stream_options":null,"a":1,"stream_options":{"include_usage":false}}',
            b'{"stream_options":{"include_usage":true},"a":1,"stream_options":{"include_usage":true}}',
            id="doubled",
        ),
        pytest.param(
            b'{"stream_options":{"include_usage":true,"include_usage":false}}',
            b'{"stream_options":{"include_usage":true,"include_usage":true}}',
            id="doubled-inside",
        ),
        pytest.param(
            b'{"stre\\u0061m_options":{"x":{"include_usage":1}}}',
            b'{"stre\\u0061m_options":{"include_usage":true,"x":{"include_usage":1}}}',
            id="escaped",
        ),
        pytest.param(
            b'{"m":"\\"stream_options\\":{}","n":{"stream_options":1}}',
            b'{"stream_options":{"include_usage":true},"m":"\\"stream_options\\":{}","n":{"stream_options":1}}',
            id="in-texts-and-nested",
        ),
        pytest.param(b'{"stream_options":"all"}', b'{"stream_options":"all"}', id="wrong-for-the-vendor-to-say"),
    ],
)
def test_usage_is_asked_for(body: bytes, expected: bytes) -> None:
    assert with_usage_asked_for(body) == expected


@pytest.mark.parametrize(
    ("body", "streamed", "asks"),
    [
        (b'{"stream":true}', True, False),
        (b'{"stream" :\n true,"stream_options" :{ "include_usage": true}}', True, True),
        (b'{"str\\u0065am":true,"stream_options":{"include\\u005fusage":true}}', True, True),
        (b'{"stream":true,"stream_options":{"include_usage":false}}', True, False),
        (b'{"stream":true,"include_usage":true}', True, False),
        (b'{"stream":true,"stream_options":null}', True, False),
        (b'{"stream":true,"stream":false}', False, False),
        (b'{"stream":1,"a":{"stream":true,"stream_options":{"include_usage":true}}}', False, False),
        (b'{"stream":"true"}', False, False),
        (b'{"m":"\\"stream\\":true"}', False, False),
        (b'["stream",true]', False, False),
        (b'"stream":true', False, False),
    ],
)
def test_what_a_body_asks_for(body: bytes, streamed: bool, asks: bool) -> None:
    assert (is_streamed(body), asks_for_usage(body)) == (streamed, asks)


FILE = b'\x00\xff\r\n\r\nContent-Disposition: form-data; name="model"\r\n\r\nnot-this\r\n--other\r\n\x01\r\n'


def form(*parts: tuple[bytes, bytes], boundary: bytes = b"xYz") -> bytes:
    body = b"".join(b"--" + boundary + b"\r\n" + head + b"\r\n\r\n" + value + b"\r\n" for head, value in parts)
    return body + b"--" + boundary + b"--\r\n"


def named(name: bytes) -> bytes:
    return b"Content-Disposition: form-data; name=" + name


AUDIO = (named(b'"file"; filename="a.mp3"') + b"\r\nContent-Type: audio/mpeg", FILE)
PROMPT = (named(b'"prompt"'), b'name="model"')
HEADS = {
    "quoted": named(b'"model"'),
    "unquoted": named(b"model"),
    "other-letters": b"content-disposition:form-data;NAME=model",
    "more-headers": b"Content-Type: text/plain; charset=utf-8\r\n" + named(b'"model"') + b"\r\nContent-Length: 9",
    "more-parameters": named(b'"model"; filename="model.txt"'),
    "last-parameter": b'Content-Disposition: form-data; filename="a;b"; name="model"',
    "folded": b'Content-Disposition: form-data;\r\n name="model"',
    "escaped": named(b'"mo\\del"'),
}
KINDS = [
    ("multipart/form-data; boundary=xYz", b"xYz"),
    ('multipart/form-data; boundary="xYz"; charset=utf-8', b"xYz"),
    ("Multipart/Form-Data;BOUNDARY=----WebKitFormBoundary7MA4YWxkTrZu0gW", b"----WebKitFormBoundary7MA4YWxkTrZu0gW"),
    ("multipart/form-data; charset=utf-8; boundary=a'()+_,-./:=?z", b"a'()+_,-./:=?z"),
    ('multipart/form-data; boundary="a b;c,d"', b"a b;c,d"),
    ('multipart/form-data; boundary="a\\.b"', b"a.b"),
]


@pytest.mark.parametrize(("kind", "boundary"), KINDS)
@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_only_the_model_part_of_a_form_changes(kind: str, boundary: bytes, head: bytes, place: int) -> None:
    others = [AUDIO, PROMPT]
    body, expected = (
        form(*others[:place], (head, value), *others[place:], boundary=boundary) for value in (b"p/whisper", b"wh-1")
    )
    assert form_model(body, kind) == "p/whisper"
    assert with_form_model(body, kind, "wh-1") == expected


MODEL = (named(b'"model"'), b"whisper")
PLAIN = "multipart/form-data; boundary=xYz"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        pytest.param(form(AUDIO, PROMPT), PLAIN, id="none"),
        pytest.param(form(MODEL, AUDIO, MODEL), PLAIN, id="two"),
        pytest.param(form(MODEL, (HEADS["folded"], b"x")), PLAIN, id="two-one-folded"),
        pytest.param(form((named(b'"model"'), b"")), PLAIN, id="empty"),
        pytest.param(form(MODEL), "multipart/form-data", id="no-boundary"),
        pytest.param(form(MODEL), f"{PLAIN}; boundary=abc", id="two-boundaries"),
        pytest.param(form(MODEL), "multipart/form-data; boundary=other", id="another-boundary"),
        pytest.param(form(MODEL).removesuffix(b"\r\n--xYz--\r\n"), PLAIN, id="broken-off"),
        pytest.param(b"--xYz\r\n" + named(b'"model"') + b"\r\n--xYz--", PLAIN, id="head-only"),
        pytest.param(form((named(b'"models"'), b"x"), (named(b'"a.model"'), b"x")), PLAIN, id="longer-names"),
        pytest.param(form((named(b'"file"; filename="x; name=model"'), b"x")), PLAIN, id="in-a-file-name"),
        pytest.param(form((named(b'"file"; filename="\\"; name=model"'), b"x")), PLAIN, id="in-an-escaped-file-name"),
        pytest.param(b"", PLAIN, id="nothing"),
    ],
)
def test_forms_without_one_model(body: bytes, kind: str) -> None:
    assert form_model(body, kind) == ""


def test_preamble_and_epilogue_stay() -> None:
    body = b"preamble\r\n" + form(MODEL, AUDIO) + b"epilogue"
    assert with_form_model(body, PLAIN, "n") == body.replace(b"\r\n\r\nwhisper\r\n", b"\r\n\r\nn\r\n", 1)


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=300), value=st.binary(min_size=1, max_size=20).filter(lambda value: b"\r" not in value))
def test_any_file_stays_as_it_is(data: bytes, value: bytes) -> None:
    audio = (AUDIO[0], data.replace(b"xYz", b""))
    assert with_form_model(form(audio, (HEADS["quoted"], value)), PLAIN, "n") == form(audio, (HEADS["quoted"], b"n"))


@pytest.mark.parametrize(
    ("body", "fields", "own", "expected"),
    [
        (b'{"a":1}', (), "max_tokens", b'{"max_tokens":7,"a":1}'),
        (b'{"max_tokens" : 50 }', ("max_tokens",), "max_tokens", b'{"max_tokens" : 7 }'),
        (b'{"max_output_tokens":50}', ("max_output_tokens",), "max_tokens", b'{"max_tokens":7,"max_output_tokens":7}'),
        (b'{"MAX_TOKENS":50}', ("MAX_TOKENS",), "max_tokens", b'{"max_tokens":7,"MAX_TOKENS":7}'),
        (b'{"max_tokens":null}', (), "max_tokens", b'{"max_tokens":7}'),
        (b'{"m\\u0061x_tokens":50}', ("max_tokens",), "max_tokens", b'{"m\\u0061x_tokens":7}'),
        (
            b'{"max_tokens":1,"Max_Tokens":"x"}',
            ("max_tokens", "Max_Tokens"),
            "max_tokens",
            b'{"max_tokens":7,"Max_Tokens":7}',
        ),
        (b'{"a":{"max_tokens":50}}', (), "max_tokens", b'{"max_tokens":7,"a":{"max_tokens":50}}'),
    ],
)
def test_the_limit_of_the_output(body: bytes, fields: tuple[str, ...], own: str, expected: bytes) -> None:
    assert with_output_limit(body, 7, fields, own) == expected
