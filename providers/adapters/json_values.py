"""Reading what a vendor's JSON says, believing none of it: each reader takes what has the right type, or says so."""

from collections.abc import Mapping
from typing import Any

import orjson

from providers.errors import BrokenAnswer

_MOST = 2**53  # more than any vendor can mean, and what a database column takes


def document(data: bytes) -> Mapping[str, Any]:
    """A JSON object. Raises BrokenAnswer for anything else."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise BrokenAnswer("not JSON") from error
    if not isinstance(value, dict):
        raise BrokenAnswer("no JSON object")
    return value


def text(value: Any) -> str:
    """A piece of text, or none. Raises BrokenAnswer for anything else."""
    if value is not None and not isinstance(value, str):
        raise BrokenAnswer("text that is no string")
    return value or ""


def pieces_of_text(value: Any) -> str:
    """Text, or the text of a list of objects that have it. Raises BrokenAnswer for anything else."""
    if isinstance(value, list):
        return "".join(text(an_object(piece).get("text")) for piece in value)
    return text(value)


def an_object(value: Any) -> Mapping[str, Any]:
    """An object. Raises BrokenAnswer for anything else."""
    if not isinstance(value, dict):
        raise BrokenAnswer("a value that is no object")
    return value


def mapping(value: Any) -> Mapping[str, Any]:
    """An object, or an empty one for null. Raises BrokenAnswer for anything else."""
    return {} if value is None else an_object(value)


def sequence(value: Any) -> list[Any]:
    """A list, or an empty one for null. Raises BrokenAnswer for anything else."""
    if value is not None and not isinstance(value, list):
        raise BrokenAnswer("a value that is no list")
    return value or []


def count(values: Any, *names: str) -> int | None:
    """The first of these names that holds a sound number of things; None where none does."""
    if isinstance(values, dict):
        for name in names:
            value = values.get(name)
            if type(value) is int and 0 <= value <= _MOST:  # a bool is an int too
                return value
    return None


def measure(value: Any) -> float | None:
    """A sound amount, given as a number or, as headers do, in digits; None for anything else."""
    try:
        amount = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else -1.0
    except (ValueError, OverflowError):
        return None
    return amount if 0 <= amount <= _MOST else None
