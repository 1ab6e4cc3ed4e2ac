"""Reading what a caller's JSON says: each reader takes what has the right type, or tells the caller what is wrong."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from providers.errors import RequestNotPossible

T = TypeVar("T")

_ABSENT: Collection[Any] = (None, "", [], {})


def an_object(where: str, value: Any) -> Mapping[str, Any]:
    """An object. `where` is what the caller calls it."""
    if not isinstance(value, dict):
        raise RequestNotPossible(f"`{where}` must be an object.")
    return value


def a_list(where: str, value: Any) -> list[Any]:
    """A list, or an empty one for null."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise RequestNotPossible(f"`{where}` must be a list.")
    return value


def each(where: str, value: Any, read: Callable[[str, Any], T]) -> tuple[T, ...]:
    """Every item of a list, read by itself under its own name."""
    return tuple(read(f"{where}[{place}]", item) for place, item in enumerate(a_list(where, value)))


def a_string(where: str, value: Any) -> str:
    """A string."""
    if not isinstance(value, str):
        raise RequestNotPossible(f"`{where}` must be a string.")
    return value


def a_number(where: str, value: Any, least: float, most: float) -> float | None:
    """A number between two others, or none for null."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise RequestNotPossible(f"`{where}` must be a number from {least:g} to {most:g}.")
    return value


def a_count(where: str, value: Any, least: int = 1) -> int | None:
    """A whole number, or none for null."""
    if value is None:
        return None
    if type(value) is not int or not least <= value <= 2**53:
        raise RequestNotPossible(f"`{where}` must be a whole number of at least {least} and at most {2**53}.")
    return value


def a_flag(where: str, value: Any) -> bool | None:
    """True or false, or none for null."""
    if value is not None and not isinstance(value, bool):
        raise RequestNotPossible(f"`{where}` must be true or false.")
    return value


def refuse_unknown(
    body: Mapping[str, Any], known: Collection[str], without_effect: Collection[str], where: str = ""
) -> None:
    """Raises RequestNotPossible for a field that says something and cannot be translated. `where`: of which object."""
    for name, value in body.items():
        if name not in known and name not in without_effect and value not in _ABSENT:
            full = f"{where}.{name}" if where else name
            raise RequestNotPossible(
                f"`{full}` cannot be translated for this provider. Leave it out, or use a provider that speaks your"
                " client's own API."
            )
