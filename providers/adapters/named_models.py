"""The model that a body names: what stands in its own field, not in one that is nested."""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from providers.adapters.forms import parts_of

_MODEL = re.compile(rb'"model"\s*:\s*"([^"\\]{1,200})"')
_FIELD = re.compile(rb'"[mM][oO][dD][eE][lL]"\s*:')
_ESCAPED_LETTER = re.compile(rb"\\u00[4-7]")
_LONGEST = 200  # characters


def named_model(content_type: str, body: bytes) -> str:
    """The model in a JSON object or a form, empty where there is none.

    Where readers may differ on which it is (doubled fields, a name in other letters), all of them, so that it is none
    that a provider lists. In what is no JSON object, the first that looks like it.
    """
    if content_type.lower().startswith("multipart/"):
        parts = [body[part.start : part.end] for part in parts_of(body, content_type) if b"model" in part.names]
        return _joined(part.decode("utf-8", "replace") for part in parts)
    fields = _fields(body)
    if fields is None:
        found = _MODEL.search(body)
        return found[1].decode("utf-8", "replace") if found else ""
    values = [value for name, value in fields if name.lower() == "model"]
    return _joined(value for value in values if isinstance(value, str))


def _fields(body: bytes) -> Sequence[tuple[str, Any]] | None:
    """The fields of a JSON object, doubled ones too; None for what is no such thing."""
    if not body.lstrip().startswith(b"{"):
        return None
    try:
        if len(_FIELD.findall(body)) <= 1 and not _ESCAPED_LETTER.search(body):
            return list(orjson.loads(body).items())
    except orjson.JSONDecodeError:
        pass  # some vendors read what orjson does not: numbers out of range, halves of surrogates
    try:
        return _Pairs.of(json.loads(body, object_pairs_hook=_Pairs))
    except (ValueError, RecursionError):
        return None


class _Pairs(list[tuple[str, Any]]):
    """An object's fields in order."""

    @staticmethod
    def of(value: Any) -> "Sequence[tuple[str, Any]] | None":
        return value if isinstance(value, _Pairs) else None


def _joined(names: Iterable[str]) -> str:
    return " | ".join(dict.fromkeys(name[:_LONGEST].encode("utf-8", "replace").decode() for name in names if name))
