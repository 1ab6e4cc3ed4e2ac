"""Bodies of JSON: what is read, and what would take too long to read."""

import gc
import time

import orjson
import pytest

from providers.adapters.splice import with_model, with_usage_asked_for
from providers.api.bodies import vendor_object
from providers.errors import RequestNotPossible
from providers.sizes import text_size
from web.parsers import json_object
from web.problems import InvalidRequest


def nested(levels: int) -> bytes:
    return b'{"a":' * levels + b"1" + b"}" * levels


def listing(values: int) -> bytes:
    return b'{"x":[' + b",".join([b"1"] * values) + b"]}"


@pytest.mark.parametrize("body", [nested(100), listing(349_999), b"{}", b'{"a":"' + b"[{," * 300_000 + b'"}'])
def test_what_is_read(body: bytes) -> None:
    assert json_object(body) == orjson.loads(body)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (nested(101), "The body is nested more than 100 levels deep."),
        (b'{"a":' + b"[" * 100 + b"]" * 100 + b"}", "The body is nested more than 100 levels deep."),
        (listing(350_000), "The body has more than 350000 values."),
        (listing(1_000_001), "The body has more than 1000000 commas and brackets."),
        (b'{"x":[' + b",".join([b"[" * 90 + b"1" + b"]" * 90] * 4000) + b"]}", "The body has more than 350000 values."),
        (b"[1]", "The body must be a JSON object."),
        (b'{"a":1', "The body is not valid JSON"),
    ],
)
def test_what_is_not(body: bytes, sentence: str) -> None:
    with pytest.raises(InvalidRequest, match=sentence):
        json_object(body)


@pytest.mark.parametrize("name", ["model", "messages", "input", "max_tokens", "stream", "tools", "system"])
@pytest.mark.parametrize("other", ["plain", "escaped", "in other letters"])
def test_a_field_that_comes_twice(name: str, other: str) -> None:
    again = {"plain": name, "escaped": f"\\u00{ord(name[0]):x}{name[1:]}", "in other letters": name.upper()}[other]
    body = f'{{"{name}": [1, {{"a": "}}"}}], "b" : -1.5e3 ,"ሰ":null,"{again}" : "x"}}'.encode()
    with pytest.raises(InvalidRequest, match=f"The body has `{name}` more than once. Send it once."):
        vendor_object(body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"m","tools":[{"model":{"model":1}}],"messages":[{"input":{"model":"x"}},{"input":1}]}',
        b'{"model":"m","x":"\\"model\\":1,","y":"{\\"model\\":","z":"\\u0041"}',
        b'{"model":"m","z":1,"z":2}',
    ],
)
def test_fields_of_one_name_that_are_none_of_those(body: bytes) -> None:
    assert vendor_object(body) == orjson.loads(body)


def test_more_fields_than_are_looked_through() -> None:
    body = b'{"model":"m","model":"n"' + b',"a":1' * 100_000 + b"}"
    with pytest.raises(RequestNotPossible, match="An object of the body has more than 1000 fields"):
        vendor_object(body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"m","model":"n","x":[' + b"1," * 15_000_000 + b"1]}",
        b'{"model":"m","x":[{"model":1},' + b"1," * 349_000 + b"1]}",
        b'{"model":"m","x":{"model":1},"y":[' + b",".join([b'{"role":"user","content":"x"}'] * 110_000) + b"]}",
        b'{"model":"m","messages":[{"url":"data:image/png;base64,' + b"aBcD" * 7_500_000 + b'"}]}',
        b'{"model":"m","messages":"' + b"a word, " * 4_000_000 + b'"}',
    ],
    ids=["doubled", "nested", "messages", "picture", "text"],
)
def test_no_body_takes_long(body: bytes) -> None:
    gc.freeze()  # as the server does it: what thousands of tests have left lying is not looked through
    began = time.thread_time()
    try:
        text_size(vendor_object(body))
        with_usage_asked_for(with_model(body, "n"))
    except InvalidRequest as refused:
        assert str(refused).endswith(".")
    finally:
        took = time.thread_time() - began
        gc.unfreeze()
    assert took < 1.0, "0.3 to 0.5 s where nothing else runs"
