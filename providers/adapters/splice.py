"""Changing one field of a body that is relayed, and leaving every other byte of it as it came."""

import re
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


def with_form_model(body: bytes, content_type: str, model: str) -> bytes:
    """A multipart form with another value in its `model` part. Unchanged where it has none."""
    boundary = re.search(r'boundary="?([^";,\s]+)', content_type)
    if boundary is None:
        return body
    mark = b"--" + boundary[1].encode("latin-1", "replace")
    pieces = body.split(mark)
    for position, piece in enumerate(pieces):
        head, blank, value = piece.partition(b"\r\n\r\n")
        if blank and re.search(rb'name="?model"?(\s*;|\s*\r|\s*$)', head, re.IGNORECASE) and value.endswith(b"\r\n"):
            pieces[position] = head + blank + model.encode() + b"\r\n"
    return mark.join(pieces)
