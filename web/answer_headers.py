"""Headers that a request's answer gets from elsewhere than its view: added by whoever knows something to be told.

proxyproject/request_log.py sends them with the head of the answer, whichever that is: whole, streamed, or an error.
"""

from collections.abc import Iterable
from contextvars import ContextVar

_LIMITS = b"x-ratelimit-"

Headers = list[tuple[bytes, bytes]]
current: ContextVar[Headers | None] = ContextVar("answer_headers", default=None)


def add(name: str, value: str) -> None:
    """Adds a header to the answer of the request that is being served; past the answer's head it comes too late.

    Parameters: name, in lower case, of a header that no view has; value, in ASCII.
    """
    headers = current.get()
    if headers is not None:  # else it is no request that is served: a command, a test
        headers.append((name.encode("ascii"), value.encode("ascii")))


def merged(headers: Iterable[tuple[bytes, bytes]], added: Headers) -> Headers:
    """The headers of an answer with those that were added.

    Where the caller's own limits are told, the vendor's, which are the whole gateway's, are not.
    """
    if any(name.startswith(_LIMITS) for name, _ in added):
        headers = (pair for pair in headers if not pair[0].lower().startswith(_LIMITS))
    return [*headers, *added]
