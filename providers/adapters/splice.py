"""Changing one field of a body that is relayed, and leaving every other byte of it as it came."""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

import orjson

from providers.adapters.forms import parts_of
from providers.json_fields import top_fields

_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_MODEL_AND_VALUE = re.compile(rb'"model"\s*:\s*(' + _STRING + rb")")
_ESCAPED_LETTER = re.compile(rb"\\u00[4-7]")
_BLANKS = b" \t\r\n"


def with_model(body: bytes, model: str) -> bytes:
    """A JSON object with another value in its `model`, which it has.

    That is each field which some reader may take for it, so that none takes another name than we did: doubled ones,
    names with escapes in them, and names in other letters, which readers in Go do not tell apart
    (https://pkg.go.dev/encoding/json#Unmarshal). What is nested is no such field. Raises RequestNotPossible where the
    body names the model in more than one place and has more fields than are looked through.
    """
    value = orjson.dumps(model)
    if place := _only_model(body):
        return body[: place[0]] + value + body[place[1] :]
    return _with_field(body, "model", lambda _: value)


def with_usage_asked_for(body: bytes) -> bytes:
    """A chat completion's body that asks for the usage at the end of a stream, whatever else it asks for.

    Stream options that are neither an object nor null stay as they are, for the vendor to refuse.
    """
    return _with_field(body, "stream_options", _with_include_usage)


def with_output_limit(body: bytes, limit: int, fields: Sequence[str], own: str) -> bytes:
    """A JSON object in which that limit of the answer stands, in tokens, whichever field its reader looks for.

    Parameters: fields, those of the object that set some limit, as they are spelled there; own, the one that is read
    for sure, which is added where the object does not have it.
    """
    value = str(limit).encode()
    for name in dict.fromkeys(field.lower() for field in fields):
        place = _only_number(body, name)
        body = (
            _with_field(body, name, lambda _: value) if place is None else body[: place[0]] + value + body[place[1] :]
        )
    return body if own in fields else _with_field(body, own, lambda _: value, letters=True)


def _with_include_usage(options: bytes) -> bytes:
    if options.startswith(b"{"):
        return _with_field(options, "include_usage", lambda _: b"true")
    return b'{"include_usage":true}' if options in {b"", b"null"} else options


def _only_model(body: bytes) -> tuple[int, int] | None:
    """Where the value of `model` is in a body with one place that can be it: nearly all are so, and this is fast."""
    if len(_spelled("model").findall(body)) != 1 or _ESCAPED_LETTER.search(body):
        return None
    found = _MODEL_AND_VALUE.search(body)
    return found.span(1) if found else None


def _only_number(body: bytes, name: str) -> tuple[int, int] | None:
    """Where the number of a field is that the body has, if there is only one place that can be it."""
    found = list(_numbered(name).finditer(body))
    if len(found) != 1 or len(_spelled(name).findall(body)) != 1 or _ESCAPED_LETTER.search(body):
        return None
    return found[0].span(1)


@lru_cache(maxsize=8)
def _numbered(name: str) -> re.Pattern[bytes]:
    return re.compile(rb'"' + name.encode() + rb'"\s*:\s*([0-9]+)(?=[\s,}])')


@lru_cache(maxsize=8)
def _spelled(name: str) -> re.Pattern[bytes]:
    """A name in quotes, in whatever letters. It begins with a plain quote, since that is what is found fast."""
    return re.compile(('"' + "".join(f"[{sign}{sign.upper()}]" for sign in name) + '"').encode())


def _with_field(body: bytes, name: str, changed: Callable[[bytes], bytes], *, letters: bool = False) -> bytes:
    """A JSON object with other values for a field, wherever it has it; with the field first where it has none.

    `changed` gets a value as it stands there, or nothing. letters: a name in other letters is another's.
    """
    pieces: list[bytes] = []
    end = 0
    for field, start, stop in top_fields(body) if _spelled(name).search(body) or _ESCAPED_LETTER.search(body) else ():
        if (field if letters else field.lower()) == name:
            pieces += [body[end:start], changed(body[start:stop])]
            end = stop
    if pieces:
        return b"".join([*pieces, body[end:]])
    start = body.index(b"{") + 1
    comma = b"" if body[start:].lstrip(_BLANKS).startswith(b"}") else b","
    return body[:start] + orjson.dumps(name) + b":" + changed(b"") + comma + body[start:]


def form_model(body: bytes, content_type: str) -> str:
    """The value of the `model` part of a multipart form; empty where there is none, or more than one."""
    found = [body[start:end] for start, end in _model_parts(body, content_type)]
    return found[0].decode("utf-8", "replace") if len(found) == 1 else ""


def with_form_model(body: bytes, content_type: str, model: str) -> bytes:
    """A multipart form with another value in its `model` part, of which it has one."""
    (start, end), *_ = _model_parts(body, content_type)
    return body[:start] + model.encode() + body[end:]


def _model_parts(body: bytes, content_type: str) -> Iterator[tuple[int, int]]:
    """Where in a multipart form the values of parts named `model` begin and end."""
    for part in parts_of(body, content_type):
        if b"model" in part.names:
            yield part.start, part.end
