"""Changing one field of a body that is relayed, and leaving every other byte of it as it came."""

import re
from collections.abc import Iterator
from functools import lru_cache

import orjson


def with_model(body: bytes, model: str) -> bytes:
    """A JSON object with another value in its `model`, which it has.

    In place, where the body names a model exactly once; one that does so more often, nested or doubled, is written
    anew, so that no reader can take another name for it than we did.
    """
    names = _names(b"model").findall(body)
    if len(names) == 1 and body.count(b'"model"') == 1:
        return _names(b"model").sub(lambda _: b'"model":' + orjson.dumps(model), body)
    return orjson.dumps({**orjson.loads(body), "model": model})


def with_usage_asked_for(body: bytes) -> bytes:
    """A chat completion's body that asks for the usage at the end of a stream, whatever else it asks for."""
    if b'"stream_options"' not in body:
        start = body.index(b"{") + 1
        return body[:start] + b'"stream_options":{"include_usage":true},' + body[start:]
    content = orjson.loads(body)
    options = content.get("stream_options")
    wanted = {**(options if isinstance(options, dict) else {}), "include_usage": True}
    return orjson.dumps({**content, "stream_options": wanted})


@lru_cache(maxsize=8)
def _names(field: bytes) -> re.Pattern[bytes]:
    return re.compile(rb'"' + field + rb'"\s*:\s*"(?:[^"\\]|\\.)*"')


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
    boundary = re.search(r'boundary="?([^";,\s]+)', content_type)
    if boundary is None:
        return
    mark = b"--" + boundary[1].encode("latin-1", "replace")
    start = body.find(mark)
    while start >= 0:
        end = body.find(b"\r\n" + mark, start)
        blank = body.find(b"\r\n\r\n", start, end)
        if end >= 0 and blank >= 0 and _MODEL_PART.search(body, start, blank + 2):
            yield blank + 4, end
        start = end + 2 if end >= 0 else -1


_MODEL_PART = re.compile(rb'content-disposition:[^\r]*[;\s]name="?model"?\s*[;\r]', re.IGNORECASE)
