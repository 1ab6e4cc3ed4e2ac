"""The model of a request where it is to be judged: known for sure, or not at all.

What a caller may use hangs on it, and readers differ: on fields that come twice, on what is JSON, on what a form is. So
only that counts which all of them read alike, and nothing else in the request may name another model: the ones to fall
back to, those of a batch, a tool's own.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from providers.adapters.sure_forms import is_form, parts_for_sure
from providers.errors import RequestNotPossible
from providers.paths import is_batch
from providers.types import NativeRequest

Names = tuple[tuple[str, str], ...]  # where a model is named, and which

_JSON = re.compile(
    r'((application|text)/([\w.+-]+\+)?json|text/plain)?\s*(;\s*charset\s*=\s*"?(utf-?8|us-ascii)"?\s*)?', re.IGNORECASE
)
_ASIDE = {"address", "query"}
_IN_QUERIES = {"model", "modelid", "models"}
_IN_PATHS = re.compile(r"/(deployments|engines)/([^/:]+)")  # of Azure, and of OpenAI's first API
# What is said to a model, or given to it to fill in. A name in there is a word like any other.
_WORDS = {
    "messages",
    "input",
    "contents",
    "content",
    "system",
    "systeminstruction",
    "instructions",
    "prompt",
    "documents",
    "metadata",
    "parameters",
    "properties",
    "$defs",
}
_LONGEST = 200  # characters
# Of JSON, those inside texts included: what may begin an object or a list, and what may begin any value. Objects take
# long to read, some 0.3 s for so many.
_MOST_BRACKETS = 200_000
_MOST_MARKS = 1_000_000


@dataclass(frozen=True, slots=True)
class Named:
    """What a request says of models.

    model: what stands in the one place that decides. others: all else that names one. is_sound: whether its body, if it
    has one, can be read in one way only; if not, nothing of it is here.
    """

    model: str = ""
    others: Names = ()
    is_sound: bool = True


def sure_model(request: NativeRequest, field: str = "model") -> str:
    """The model in that field of a request's body, of JSON or of a form; empty where it is not known for sure.

    An address may name it in place of the body. Raises what `read` raises, and RequestNotPossible for a request that
    names others beside it.
    """
    named = read(request, field)
    model = named.model or next((name for place, name in named.others if place in _ASIDE), "")
    refuse_others(model, named.others)
    return model if named.is_sound else ""


def check_sent(request: NativeRequest, model: str) -> None:
    """Holds a request whose model the gateway puts into it, which is `model`, against what else it says of models.

    Raises RequestNotPossible.
    """
    named = read(request)
    if not named.is_sound or named.model != request.model:
        raise RequestNotPossible("Models are limited here. Send the body as plain JSON or as a plain form, in UTF-8.")
    refuse_others(model, named.others)


def refuse_others(model: str, others: Names) -> None:
    """Raises RequestNotPossible where something names another model."""
    for place, name in others:
        if name != model:
            raise RequestNotPossible(
                f"Models are limited here, and `{place[:50]}` names one beside the one asked for. Leave it out."
            )


def read(request: NativeRequest, field: str = "model") -> Named:
    """What a request says of models.

    Raises RequestNotPossible for a body that is encoded, one that names the model twice or not by a name, and a batch.
    """
    if request.headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
        raise RequestNotPossible("Models are limited here. Send the body without a content-encoding.")
    if request.method == "POST" and is_batch(request.plain_path):
        raise RequestNotPossible("Models are limited here, and a batch names its own. Send its requests one by one.")
    aside = (*_in_query(request.query), *_in_path(request.plain_path))
    if not request.body:
        return Named(others=aside)
    kind = request.headers.get("content-type", "").strip()
    found = _form(request.body, kind, field) if is_form(kind) else None
    if _JSON.fullmatch(kind):
        found = _json(request.body, field)
    return Named(others=aside, is_sound=False) if found is None else Named(found.model, (*found.others, *aside))


def _in_query(query: str) -> Iterator[tuple[str, str]]:
    for pair in re.split("[&;]", query):
        name, _, value = pair.partition("=")
        if _plain(unquote_plus(name)) in _IN_QUERIES:
            yield "query", unquote_plus(value)


def _in_path(path: str) -> Iterator[tuple[str, str]]:
    return (("address", found[2]) for found in _IN_PATHS.finditer(path))


class _Fields(list[tuple[str, Any]]):
    """An object's fields in their order, with those that come twice."""


def _json(body: bytes, field: str) -> Named | None:
    """What a JSON object says of models; None for what is none to every reader."""
    _refuse_excess(body)
    top = _parsed(body)
    if not isinstance(top, _Fields):
        return None
    deciding = [(name, value) for name, value in top if name.casefold() == field]
    others = tuple(_names(name_and_value for name_and_value in top if name_and_value[0].casefold() != field))
    return Named(_only(deciding, field), others)


def _refuse_excess(written: bytes) -> None:
    """Raises RequestNotPossible for what would take long to read: this is done in the one loop that serves all."""
    brackets = len(written) - len(written.translate(None, b"[{"))
    if brackets > _MOST_BRACKETS or brackets + written.count(b",") > _MOST_MARKS:
        raise RequestNotPossible("Models are limited here, and the body has too many values to look at. Send less.")


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body.decode("utf-8"), object_pairs_hook=_Fields)
    except (ValueError, RecursionError):
        return None


def _form(body: bytes, content_type: str, field: str) -> Named | None:
    """What a multipart form says of models; None for what is none to every reader."""
    parts = parts_for_sure(body, content_type)
    if parts is None:
        return None
    _refuse_excess(b"".join(body[part.start : part.end] for _, part in parts if not part.file_name))
    deciding, others = [], []
    for name, part in parts:
        content = body[part.start : part.end]
        if name.casefold() == field:
            deciding.append((name, content.decode("utf-8", "replace") if part.is_plain else None))
        elif not part.file_name:
            written = _parsed(content) if content.lstrip()[:1] in {b"{", b"["} else None
            others.append((name, content.decode("utf-8", "replace") if written is None else written))
    return Named(_only(deciding, field), tuple(_names(others)))


def _only(deciding: list[tuple[str, Any]], field: str) -> str:
    """The model in the field that decides; empty without one. Raises RequestNotPossible where it is in doubt."""
    if not deciding:
        return ""
    (name, value), *more = deciding
    if more or name != field or not isinstance(value, str) or not value.isprintable() or len(value) > _LONGEST:
        raise RequestNotPossible(f"Models are limited here. Name one in `{field}`, once, in up to {_LONGEST} letters.")
    return value


def _names(fields: Any) -> Iterator[tuple[str, str]]:
    """Whatever names a model in some fields and below them."""
    waiting = list(fields)
    while waiting:
        name, value = waiting.pop()
        plain = _plain(name)
        if "model" in plain or "fallback" in plain:
            yield from ((name, text) for text in _texts(value))
        elif plain not in _WORDS and "schema" not in plain:
            waiting += _below(name, value)


def _texts(value: Any) -> Iterator[str]:
    """The texts in a value, at any depth."""
    waiting = [("", value)]
    while waiting:
        _, one = waiting.pop()
        if isinstance(one, str):
            yield one
        waiting += _below("", one)


def _below(name: str, value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, _Fields):
        return list(value)
    return [(name, one) for one in value] if isinstance(value, list) else []


def _plain(name: str) -> str:
    """A field's name as those readers have it that tell neither letters nor ways to part words from one another."""
    return name.casefold().replace("_", "").replace("-", "")
