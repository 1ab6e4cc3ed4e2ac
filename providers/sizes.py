"""How much text there is in a request of any wire format, and what else, for limits, bounds and estimates."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

# Files in base64 or as a data URL, and what stands beside them where the same name means words:
# https://platform.claude.com/docs/en/api/messages has documents of type text, with their words under `data`.
_FILES = frozenset(("data", "b64_json", "file_data", "url", "image_url", "file_url"))
_ONLY_AS_DATA_URL = frozenset(("url", "image_url", "file_url"))
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/_-]{60,}+\r?\n)*+[A-Za-z0-9+/_-]*+={0,2}\s?")
_DATA_URL = re.compile(r"data:[^,\s]{0,200};base64,", re.IGNORECASE)
# What a model wrote and what it reads as a schema: words to it, whatever they are called in there.
_WORDS_THROUGHOUT = frozenset(
    ("input", "parameters", "input_schema", "schema", "arguments", "args", "response", "variables")
)
# They name things and say nothing. What is longer than a name counts.
_LABELS = frozenset(
    (
        *("type", "role", "model", "id", "call_id", "tool_call_id", "tool_use_id", "media_type", "format", "detail"),
        *("encoding_format", "response_format", "reasoning_effort", "tool_choice", "service_tier", "voice", "size"),
    )
)
_LONGEST_LABEL = 64
_LONGEST_ADDRESS = 2048
# A picture, a sound or a file as a part of a message: OpenAI's and Anthropic's by their type, Gemini's by their name.
_FILE_TYPES = frozenset(("image_url", "input_image", "image", "input_audio", "document", "file", "input_file"))
_FILE_NAMES = frozenset(("image_url", "inlineData", "inline_data", "fileData", "file_data"))
_MEDIA_TYPES = ("media_type", "mimeType", "mime_type")
_APART = _FILES | _LABELS | _WORDS_THROUGHOUT | _FILE_NAMES
# The longest name that vendors give what is round the words, or nearly so; a longer one may be a caller's own.
_LONGEST_NAME = 24
# Schemas and arguments reach the model as JSON: round a name and its value are four quotes or brackets, a colon and a
# comma, round an item of a list two and a comma.
_ROUND_A_FIELD, _ROUND_AN_ITEM = 6, 3
_LONGEST_CONSTANT = 5  # `false`
_NUMBERS = frozenset((int, float))
_MAY_BE_TOKENS = ("input", "prompt")
_PLAIN, _THROUGHOUT, _IN_FILE, _SETTINGS = range(4)

# Tokens of a file by its bytes in base64, of which there are four for three of the file's own.
# A document: a page is 1,500 to 3,000 tokens of text and a picture of up to 4,800
# (https://platform.claude.com/docs/en/build-with-claude/pdf-support), and seldom less than 20 KB.
_BASE64_PER_TOKEN_OF_DOCUMENT = 4
# A sound: 32 tokens a second at most (https://ai.google.dev/gemini-api/docs/tokens; OpenAI's models take 10), and at
# least 750 bytes a second, the lowest rate of the codecs for speech (https://www.rfc-editor.org/rfc/rfc6716).
_BASE64_PER_TOKEN_OF_SOUND = 30


@dataclass(slots=True)
class Extent:
    """How much is in a request, or in a part of one.

    chars, size: of its text, in characters and in UTF-8 bytes. beside: bytes of what may reach a model and is no text:
    numbers, and names of a caller's own; or tokens that are given by their numbers. files: how many pictures, sounds
    and documents. file_bytes: of those that stand in it, in base64. file_tokens: what sounds and documents are at most
    by their size, in tokens.
    """

    chars: int = 0
    size: int = 0
    beside: int = 0
    files: int = 0
    file_bytes: int = 0
    file_tokens: int = 0


def text_size(value: Any) -> tuple[int, int]:
    """Characters and UTF-8 bytes of every string in a body, or in a part of one.

    Names of fields do not count, nor what is no text: pictures, sound and files in base64 or as data URLs, and what
    only names things, such as a role.
    """
    found = extent(value)
    return found.chars, found.size


def extent(value: Any) -> Extent:
    """How much is in a body, or in a part of one. The settings at the top of a body are no words to a model."""
    found = Extent()
    waiting = _at_the_top(value, found) if isinstance(value, dict) else [(value, _PLAIN)]
    while waiting:
        item, place = waiting.pop()
        if isinstance(item, str):
            found.chars += len(item)
            found.size += len(item) if item.isascii() else len(item.encode("utf-8", "replace"))
        elif isinstance(item, dict):
            waiting += _inside(item, place, found)
        elif place == _SETTINGS and not isinstance(item, list):
            continue
        elif isinstance(item, list) and not _are_numbers(item):
            found.beside += _ROUND_AN_ITEM * len(item) if place == _THROUGHOUT else 0
            waiting += [(inner, place) for inner in item]
        elif isinstance(item, list) or type(item) in _NUMBERS:
            found.beside += len(repr(item))
        elif place == _THROUGHOUT:
            found.beside += _LONGEST_CONSTANT
    return found


def _are_numbers(items: list[Any]) -> bool:
    return bool(items) and all(type(item) in _NUMBERS for item in items)


def _at_the_top(body: dict[str, Any], found: Extent) -> list[tuple[Any, int]]:
    waiting = [one for one in _inside(body, _PLAIN, found) if not isinstance(one[0], int | float)]
    for name in _MAY_BE_TOKENS:
        if tokens := _tokens(body.get(name)):
            found.beside += tokens
            waiting = [one for one in waiting if one[0] is not body[name]]
    if (metadata := body.get("metadata")) is not None:
        waiting = [(one, _SETTINGS if one is metadata else place) for one, place in waiting]
    return waiting


def _inside(item: dict[str, Any], place: int, found: Extent) -> list[tuple[Any, int]]:
    """What is in an object and is to be looked at, and how; what is not is counted here."""
    if place == _THROUGHOUT:
        found.beside += sum(map(len, item)) + _ROUND_A_FIELD * len(item)
        return [(inner, place) for inner in item.values()]
    if max(map(len, item), default=0) > _LONGEST_NAME:
        found.beside += sum(len(name) for name in item if len(name) > _LONGEST_NAME)
    if item.keys().isdisjoint(_APART):
        return [(inner, place) for inner in item.values()]
    if _is_file(item, place):
        found.files += 1
        place = _IN_FILE
    inside: list[tuple[Any, int]] = []
    for name, inner in item.items():
        if isinstance(inner, str) and _is_no_text(name, inner, item):
            if name in _FILES and inner:
                _count_file(name, inner, item, place, found)
        else:
            inside.append((inner, _THROUGHOUT if name in _WORDS_THROUGHOUT and isinstance(inner, dict) else place))
    return inside


def _is_file(item: Mapping[str, Any], place: int) -> bool:
    kind = item.get("type")
    if place != _PLAIN:  # in a file, its `source` may be of type `file`
        return place == _IN_FILE and kind == "image"
    return (isinstance(kind, str) and kind in _FILE_TYPES) or not item.keys().isdisjoint(_FILE_NAMES)


def _count_file(name: str, content: str, beside: Mapping[str, Any], place: int, found: Extent) -> None:
    """Counts a file that stands here in base64; of one at an address there is nothing more to know."""
    begun = _DATA_URL.match(content)
    if begun is None and name in _ONLY_AS_DATA_URL:
        return
    if begun is None and place != _IN_FILE:  # what it is nobody knows, so it may be words
        found.beside += len(content)
        return
    found.files += place != _IN_FILE
    found.file_bytes += len(content)
    kind = begun[0][5:] if begun else next((str(beside[name]) for name in _MEDIA_TYPES if name in beside), "")
    if kind.lower().startswith("image/"):
        return
    is_sound = kind.lower().startswith("audio/") or (not kind and "format" in beside)
    found.file_tokens += len(content) // (_BASE64_PER_TOKEN_OF_SOUND if is_sound else _BASE64_PER_TOKEN_OF_DOCUMENT)


def _tokens(given: Any) -> int:
    """How many tokens are given by their numbers: in a list, or in several."""
    lists: Iterable[Any] = given if isinstance(given, list) and given and isinstance(given[0], list) else (given,)
    count = 0
    for one in lists:
        if not isinstance(one, list) or not all(type(number) is int for number in one):
            return 0
        count += len(one)
    return count


def _is_no_text(name: str, value: str, beside: Mapping[str, Any]) -> bool:
    if name in _LABELS:
        return len(value) <= _LONGEST_LABEL
    if name not in _FILES or beside.get("type") == "text":
        return False
    begun = _DATA_URL.match(value)
    if begun is None and name in _ONLY_AS_DATA_URL:
        return len(value) <= _LONGEST_ADDRESS
    return _BASE64.fullmatch(value, begun.end() if begun else 0) is not None
