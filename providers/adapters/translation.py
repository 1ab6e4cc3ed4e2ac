"""A native request in another vendor's wire format: how an adapter says it in its own vendor's, and the answer back.

This is for what is no conversation: speech, transcriptions, pictures, embeddings. Most vendors have one or two of them,
each with fields of its own, so there is no middle form; what an adapter has is a table of functions.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import orjson

from providers.adapters.bodies import read_body
from providers.adapters.meters import Meter, summary
from providers.types import Chunk, Endpoint, NativeRequest

Said = tuple[bytes, str]  # a body and its content type


@dataclass(frozen=True, slots=True)
class Translated:
    """request: the same in the vendor's words, to be sent and metered like any that came so.

    answer: what the caller gets for the vendor's whole answer; raises BrokenAnswer. None where the vendor's answer is
    the caller's as it arrives, as audio is.
    """

    request: NativeRequest
    answer: Callable[[bytes], Said] | None = field(default=None, repr=False)


# Pure. The request's `model` is final, and may be empty. Raises RequestNotPossible for what has no word there.
Translation = Callable[[Endpoint, NativeRequest], Translated]


def in_json(wire: str, path: str, content: Mapping[str, Any], query: str = "") -> NativeRequest:
    """A request of the vendor's own with a JSON body."""
    headers = {"content-type": "application/json"}
    return NativeRequest(wire, "POST", path, query, headers, orjson.dumps(content))


def in_form(
    wire: str, path: str, fields: Mapping[str, str], files: Mapping[str, tuple[str, bytes, str]]
) -> NativeRequest:
    """A request of the vendor's own with a form; a file is its name, its content and its media type."""
    form = httpx.Request("POST", "http://form.invalid", data=fields, files=files)
    return NativeRequest(wire, "POST", path, "", {"content-type": form.headers["content-type"]}, form.read())


async def translated_answer(
    answer: Callable[[bytes], Said], meter: Meter, response: httpx.Response
) -> tuple[Chunk, str]:
    """A whole answer for the caller, metered as the vendor's own, and its content type. Raises BrokenAnswer."""
    body = await read_body(response)
    used = summary((meter.feed(body), meter.finish()))
    if used.flaw is not None:
        raise used.flaw
    said, kind = answer(body)
    return replace(used, raw=said), kind
