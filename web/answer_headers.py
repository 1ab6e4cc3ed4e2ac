"""Headers that a request's answer gets from elsewhere than its view: added by whoever knows something to be told.

proxyproject/request_log.py sends them with the head of the answer, whichever that is: whole, streamed, or an error.
"""

from collections.abc import Iterable
from contextvars import ContextVar

_LIMITS = b"x-ratelimit-"

Headers = list[tuple[bytes, bytes]]
current: ContextVar[Headers | None] = ContextVar("answer_headers", default=None)


def add(told: Iterable[tuple[str, str]]) -> None:
    """Adds headers to the answer of the request that is being served; past the answer's head they come too late.

    Parameters: told, each header with its name in lower case, such as no view has, and its value in ASCII.
    """
    headers = current.get()
    if headers is not None:  # else it is no request that is served: a command, a test
        headers += [(name.encode("ascii"), value.encode("ascii")) for name, value in told]


def merged(headers: Iterable[tuple[bytes, bytes]], added: Headers) -> Headers:
    """The headers of an answer with those that were added.

    Where the caller's own limits are told, the vendor's, which are the whole gateway's, are not.
    """
    if [name for name, _ in added if name.startswith(_LIMITS)]:
        headers = [pair for pair in headers if not pair[0].lower().startswith(_LIMITS)]
    return [*headers, *added]
