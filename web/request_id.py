"""The id that a request carries through logs, answers and the ledger."""

import re
from contextvars import ContextVar
from random import getrandbits  # no secret; and seeded anew in a process that was forked

HEADER = "X-Request-ID"
current: ContextVar[str] = ContextVar("request_id", default="-")

_SANE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")


def choose(offered: str | None) -> str:
    """The caller's own id where it is safe to print, else a new one: 16 random bytes in hexadecimal."""
    if offered is not None and _SANE.fullmatch(offered):
        return offered
    return f"{getrandbits(128):032x}"
