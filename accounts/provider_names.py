"""The names that a quota may be for. Accounts know no vendors, so the project says where the names are."""

from collections.abc import Callable, Iterable

_sources: list[Callable[[], Iterable[str]]] = []


def come_from(source: Callable[[], Iterable[str]]) -> None:
    """Names a function that reads the names out of the database; once, when the apps are ready."""
    _sources.append(source)


def known() -> list[str]:
    """The names of all providers, in order. Uses the ORM."""
    return sorted({name for source in _sources for name in source()})
