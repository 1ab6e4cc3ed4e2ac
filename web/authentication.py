"""Who calls, and whether they may call just this: the one guard of both lanes, for plain views and DRF's alike.

It stands where a view learns who calls, so no view that knows its caller has gone round it; nor has a socket.
"""

import copy
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from asgiref.sync import async_to_sync
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, QueryDict
from rest_framework.authentication import BaseAuthentication, CSRFCheck
from rest_framework.request import Request

from accounts import last_use
from accounts.authentication import authenticate
from accounts.errors import CredentialChanged, NotPermitted
from accounts.principal import CredentialKind, Principal
from web.as_sent import sent_headers
from web.endpoints import endpoint_of

T = TypeVar("T")

_MOST_CHANGES = 5  # of a credential while one call is being let in
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_NO_CSRF = (
    "With a session's cookie this needs the header X-CSRFToken, with the token of a page of this server, and no foreign"
    " Origin. Programs use a token instead."
)


async def caller_of(request: HttpRequest, *, fresh: bool = False) -> Principal | None:
    """The caller of a request; None for one without a credential.

    Parameters: fresh, to ask the database even for a credential that is remembered. Raises NotAuthenticated for a
    credential that is not valid, NotPermitted for one that is not good for this.
    """
    # Django's own take longer to make; only its test client sends requests of another kind.
    headers = sent_headers(request) if isinstance(request, ASGIRequest) else request.headers
    address = request.META.get("REMOTE_ADDR") or ""
    principal = await _identified(headers, address, lambda: endpoint_of(request.resolver_match), fresh)
    if principal is not None and principal.kind is CredentialKind.SESSION and _needs_csrf(request):
        _check_csrf(request)
    return principal


def _needs_csrf(request: HttpRequest) -> bool:
    """What is passed on to a vendor has effects that only the vendor knows, be it a GET."""
    return request.method not in _SAFE_METHODS or endpoint_of(request.resolver_match) == "proxy"


async def caller_of_socket(
    headers: Mapping[str, str], address: str, endpoint: str, *, fresh: bool = False
) -> Principal | None:
    """The caller at a WebSocket; None for one without a credential. Raises as `caller_of` does.

    A session needs no CSRF token here: whose page it is that opened the socket was looked at before.

    Parameters: headers of its handshake, with names in lower case; address, where they came from; endpoint, as in
    accounts/scopes.py; fresh, to ask the database even for a credential that is remembered.
    """
    return await _identified(headers, address, lambda: endpoint, fresh)


async def _identified(
    headers: Mapping[str, str], address: str, endpoint: Callable[[], str | None], fresh: bool
) -> Principal | None:
    principal = await authenticate(headers, fresh=fresh)
    try:
        return None if principal is None else _let_in(principal, headers, address, endpoint)
    except NotPermitted:
        if fresh:
            raise
        # What is remembered may be narrower than what the credential is good for by now.
        return await _identified(headers, address, endpoint, True)


def _let_in(
    principal: Principal, headers: Mapping[str, str], address: str, endpoint: Callable[[], str | None]
) -> Principal:
    """The caller, if the credential is good for this. Raises NotPermitted."""
    if not principal.may_come_from(address):
        raise NotPermitted("This token may not be used from this address. Its owner can change that.")
    if principal.origin is not None and headers.get("origin") != principal.origin:
        raise NotPermitted("This pass is for pages of another origin. Ask for one that names this page's.")
    if principal.is_limited and not principal.may_call(endpoint()):
        raise NotPermitted("This credential is limited to other endpoints. Use one that is made for this.")
    last_use.note(principal, address)
    return principal


def _check_csrf(request: HttpRequest) -> None:
    """Raises NotPermitted unless the request comes from a page of ours. By the header only: forms are not parsed."""
    without_form = copy.copy(request)
    without_form.POST, without_form.method = QueryDict(), "POST"
    check = CSRFCheck(_nothing)
    check.process_request(without_form)
    if check.process_view(without_form, _nothing, (), {}):
        raise NotPermitted(_NO_CSRF)


def _nothing(*_: Any) -> Any:
    """The view that a CSRF check stands before, as far as it needs one."""


async def as_known(
    principal: Principal, ask: Callable[[Principal], Awaitable[T]], look_again: Callable[[], Awaitable[Principal]]
) -> T:
    """What `ask` makes of a caller; of the same one as it is now, where the credential has changed meanwhile.

    `ask` raises CredentialChanged or NotPermitted before it has begun anything; what was remembered of a credential
    may be narrower than what it is good for by now. Raises what it raises in the end.
    """
    for _ in range(_MOST_CHANGES):
        try:
            return await ask(principal)
        except CredentialChanged:
            principal = await look_again()
        except NotPermitted:
            before, principal = principal, await look_again()
            if principal == before:
                raise
    return await ask(principal)


class GatewayAuthentication(BaseAuthentication):
    """DRF's shell round `caller_of`. `request.user` becomes a Principal.

    An invalid token is refused even when a session would do: the first credential present decides.
    """

    async def aauthenticate(self, request: Request, *, fresh: bool = False) -> Principal | None:
        """For the gateway lane. Raises as `caller_of` does."""
        return await caller_of(request._request, fresh=fresh)

    def authenticate(self, request: Request) -> tuple[Principal, None] | None:
        """For the site lane, where no admission has the last word. Raises as `caller_of` does."""
        principal = async_to_sync(caller_of)(request._request, fresh=True)
        return None if principal is None else (principal, None)

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"
