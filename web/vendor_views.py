"""Async views of the vendor-shaped paths: plain Django, since DRF adds nothing there and costs most of the time."""

import functools
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Concatenate, ParamSpec, cast

from django.core.handlers.asgi import ASGIRequest
from django.http.response import HttpResponseBase

from accounts.principal import Principal
from web import vendor_errors
from web.as_sent import sent_headers
from web.authentication import as_known, caller_of
from web.problems import MethodNotAllowed, NoCredential

P = ParamSpec("P")
VendorView = Callable[Concatenate[ASGIRequest, Principal, P], Coroutine[Any, Any, HttpResponseBase]]
View = Callable[Concatenate[ASGIRequest, P], Coroutine[Any, Any, HttpResponseBase]]

# Not TRACE, whose answer repeats the request and with it the provider's key (RFC 9110 section 9.3.8).
_ANY_METHOD = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

# What only one vendor's clients send, in the order in which it is looked for.
_TELLING_HEADERS = {
    "anthropic-version": "anthropic",
    "x-goog-api-key": "gemini",
    "x-goog-api-client": "gemini",
    "xi-api-key": "elevenlabs",
    "x-fal-target-url": "fal",
}


def vendor_view(
    wire: str | Callable[[ASGIRequest, Mapping[str, Any]], Awaitable[str]], *methods: str, fresh: bool = False
) -> Callable[[VendorView[P]], View[P]]:
    """Makes a view that knows who calls and whose errors have a vendor's shape.

    Parameters: wire, the name of that shape, or what finds it for a request and the view's arguments, which is asked
    once the caller is known; methods, those that are allowed; where none is given, all that are relayed; fresh, for
    views that open no call, whose admission would have the last word on the credential.
    """

    allowed = methods or _ANY_METHOD

    def decorate(view: VendorView[P]) -> View[P]:
        @functools.wraps(view)
        async def answer(request: ASGIRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            shape = wire if isinstance(wire, str) else ""
            headers = sent_headers(request)
            try:
                principal = await _caller(request, fresh=fresh)
                if not isinstance(wire, str):
                    shape = await wire(request, kwargs)
                if request.method not in allowed:
                    raise MethodNotAllowed(allowed)
                return await as_known(
                    principal, lambda known: view(request, known, *args, **kwargs), lambda: _caller(request, fresh=True)
                )
            except Exception as error:
                return vendor_errors.response_for(error, shape or _telling(headers))

        cast(Any, answer).vendor_methods = allowed  # for the schema
        return answer

    return decorate


async def _caller(request: ASGIRequest, *, fresh: bool) -> Principal:
    principal = await caller_of(request, fresh=fresh)
    if principal is None:
        raise NoCredential
    return principal


def _telling(headers: Mapping[str, str]) -> str:
    """Whose client this seems to be, for callers who are nobody yet and are told nothing of what there is."""
    for name, wire in _TELLING_HEADERS.items():
        if name in headers:
            return wire
    return "fal" if headers.get("authorization", "").lower().startswith("key ") else "openai"
