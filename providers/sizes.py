"""How much text there is in a request of any wire format, for limits and estimates."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

# Files in base64 or as a data URL, and what stands beside them where the same name means words:
# https://platform.claude.com/docs/en/api/messages has documents of type text, with their words under `data`.
_FILES = frozenset(("data", "b64_json", "file_data", "url", "image_url", "file_url"))
_ONLY_AS_DATA_URL = frozenset(("url", "image_url", "file_url"))
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/_-]{60,}+\r?\n)*+[A-Za-z0-9+/_-]*+={0,2}\s?")
_DATA_URL = re.compile(r"data:[^,\s]{0,200};base64,", re.IGNORECASE)
# What a model wrote and what it reads as a schema: words to it, whatever they are called in there.
_WORDS_THROUGHOUT = frozenset(("input", "parameters", "input_schema", "schema"))
# They name things and say nothing. What is longer than a name counts.
_LABELS = frozenset(
    (
        *("type", "role", "model", "id", "call_id", "tool_call_id", "tool_use_id", "media_type", "format", "detail"),
        *("encoding_format", "response_format", "reasoning_effort", "tool_choice", "service_tier", "voice", "size"),
    )
)
_LONGEST_LABEL = 64
_LONGEST_ADDRESS = 2048
_OF_WORDS = (str, list, dict)
_APART = _FILES | _LABELS | _WORDS_THROUGHOUT


def text_size(value: Any) -> tuple[int, int]:
    """Characters and UTF-8 bytes of every string in a body, or in a part of one.

    Names of fields do not count, nor what is no text: pictures, sound and files in base64 or as data URLs, and what
    only names things, such as a role.
    """
    chars = size = 0
    for said in _strings(value):
        chars += len(said)
        size += len(said) if said.isascii() else len(said.encode("utf-8", "replace"))
    return chars, size


def _strings(value: Any) -> Iterator[str]:
    waiting = [(value, False)]
    while waiting:
        item, throughout = waiting.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, list):
            waiting += [(inner, throughout) for inner in item if isinstance(inner, _OF_WORDS)]
        elif isinstance(item, dict) and (throughout or item.keys().isdisjoint(_APART)):
            waiting += [(inner, throughout) for inner in item.values()]
        elif isinstance(item, dict):
            waiting += [
                (inner, name in _WORDS_THROUGHOUT and isinstance(inner, dict))
                for name, inner in item.items()
                if not (isinstance(inner, str) and _is_no_text(name, inner, item))
            ]


def _is_no_text(name: str, value: str, beside: Mapping[str, Any]) -> bool:
    if name in _LABELS:
        return len(value) <= _LONGEST_LABEL
    if name not in _FILES or beside.get("type") == "text":
        return False
    begun = _DATA_URL.match(value)
    if begun is None and name in _ONLY_AS_DATA_URL:
        return len(value) <= _LONGEST_ADDRESS
    return _BASE64.fullmatch(value, begun.end() if begun else 0) is not None
