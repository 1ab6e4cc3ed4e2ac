"""Typed readers for the settings that come from the environment.

Every variable NAME may instead be given as NAME_FILE, the path of a file that holds the value, as container
platforms do with secrets. A variable that is blank is as one that is not set: compose files pass those. A value that
cannot be read is refused with a sentence that says what to set; nothing falls back in silence.
"""

import ipaddress
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from django.core.exceptions import ImproperlyConfigured

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Word = TypeVar("Word", bound=str)

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off"}


def text(name: str, default: str = "") -> str:
    """The value of NAME, else the content of the file that NAME_FILE names, else `default`. Blank is as not set.

    Raises ImproperlyConfigured when both are set, or the file cannot be read or is empty.
    """
    value, path = (os.environ.get(variable, "").strip() for variable in (name, f"{name}_FILE"))
    if value and path:
        raise ImproperlyConfigured(f"{name} and {name}_FILE are both set; keep one of them.")
    return _content(f"{name}_FILE", path) if path else value or default


def _content(variable: str, path: str) -> str:
    try:
        content = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ImproperlyConfigured(f"{variable} names {path!r}, which cannot be read: {error}.") from error
    if not content:
        raise ImproperlyConfigured(
            f"{variable} names {path!r}, which is empty; write the value into it, or unset {variable}."
        )
    return content


def flag(name: str, *, default: bool) -> bool:
    """A yes-or-no value: 1/0, true/false, yes/no, on/off."""
    value = text(name).lower()
    if not value:
        return default
    if value in _TRUE | _FALSE:
        return value in _TRUE
    raise ImproperlyConfigured(f"{name}={value!r} is neither yes nor no; set it to 1 or 0.")


def whole_number(name: str, default: int, *, at_least: int = 0, at_most: int = 2**53) -> int:
    """A whole number between the two."""
    value = text(name)
    if not value:
        return default
    if not value.isascii() or not value.isdigit() or len(value) > 20 or not at_least <= int(value) <= at_most:
        upper = "" if at_most == 2**53 else f" and at most {at_most}"
        raise ImproperlyConfigured(f"{name}={value!r} is not a whole number of at least {at_least}{upper}.")
    return int(value)


def seconds(name: str, default: float) -> float:
    """A duration in seconds, zero or more."""
    value = text(name)
    try:
        parsed = float(value) if value else default
    except ValueError:
        parsed = -1.0
    if not 0 <= parsed < float("inf"):
        raise ImproperlyConfigured(f"{name}={value!r} is not a number of seconds.")
    return parsed


def one_of(name: str, choices: Sequence[Word], default: Word) -> Word:
    """One of a few words."""
    value = text(name, default)
    for choice in choices:
        if value == choice:
            return choice
    raise ImproperlyConfigured(f"{name}={value!r} is not one of {', '.join(choices)}.")


def comma_list(name: str, default: Sequence[str] = ()) -> list[str]:
    """Words separated by commas; blanks around them and empty ones are dropped."""
    value = text(name)
    return [word.strip() for word in value.split(",") if word.strip()] if value else list(default)


def some_of(name: str, choices: Sequence[str], default: Sequence[str]) -> frozenset[str]:
    """Some of a few words, separated by commas."""
    chosen = comma_list(name, default)
    for one in chosen:
        if one not in choices:
            raise ImproperlyConfigured(f"{name} names {one!r}; it may name {', '.join(choices)}, and nothing else.")
    return frozenset(chosen)


def networks(name: str) -> list[Network]:
    """Addresses and networks separated by commas: `10.0.0.1, 192.168.0.0/16, ::1`."""
    try:
        return [ipaddress.ip_network(word, strict=False) for word in comma_list(name)]
    except ValueError as error:
        raise ImproperlyConfigured(
            f"{name}: {error}. Give addresses or networks, such as 10.0.0.1,192.168.0.0/16."
        ) from error


def bind_address_from_arguments(arguments: Sequence[str]) -> None:
    """Turns `serve --host H --port P` into HOST and PORT before the settings are read.

    Some defaults depend on whether the server is bound to loopback, so the settings must know.
    """
    if "serve" not in arguments[1:2]:
        return
    for option, name in (("--host", "HOST"), ("--port", "PORT")):
        for position, argument in enumerate(arguments):
            if argument.startswith(f"{option}="):
                os.environ[name] = argument.partition("=")[2]
            elif argument == option and position + 1 < len(arguments):
                os.environ[name] = arguments[position + 1]
