"""From a request's headers to a Principal: the one way in, for both lanes, DRF and the socket alike.

A token that was found valid is remembered for a few seconds, so that the gateway lane need not ask the database. What
that could let through is stopped at the admission of the call, which looks at the token again in its own transaction.
"""

import time
from collections.abc import Mapping

from accounts import tokens
from accounts.errors import NotAuthenticated
from accounts.models import ApiToken
from accounts.principal import Principal
from storage import reads

_REMEMBERED_SECONDS = 10.0
_REMEMBERED_MOST = 10_000  # principals
_SCHEMES = frozenset({"token", "bearer", "key"})  # the last is what fal.ai's clients write
_VENDOR_HEADERS = ("x-api-key", "x-goog-api-key", "xi-api-key")
_HOW = "Send `Authorization: Bearer <token>`. `manage.py issue_token USER` makes a token."

_remembered: dict[str, tuple[float, Principal]] = {}


def presented_token(headers: Mapping[str, str]) -> str | None:
    """The credential that the caller sent; the first header present decides, whatever is in it.

    Parameters: headers, with names looked up case-insensitively. Raises NotAuthenticated for an Authorization header
    of another scheme than Token, Bearer or Key.
    """
    authorization = headers.get("authorization")
    if authorization is not None:
        scheme, _, token = authorization.strip().partition(" ")
        if scheme.lower() not in _SCHEMES or not token.strip():
            raise NotAuthenticated(f"The Authorization header must read `Token <t>` or `Bearer <t>`. {_HOW}")
        return token.strip()
    for name in _VENDOR_HEADERS:
        value = headers.get(name)
        if value is not None:
            return value.strip()
    return None


async def authenticate(headers: Mapping[str, str], *, fresh: bool = False) -> Principal | None:
    """Who sent these headers; None when they carry no credential at all.

    `fresh` asks the database even for a token that is remembered: where no admission has the last word.
    Raises NotAuthenticated when they carry one that is not valid.
    """
    token = presented_token(headers)
    if token is None:
        return None
    digest = tokens.digest(token)
    now = time.monotonic()
    remembered = _remembered.get(digest)
    if remembered is not None and remembered[0] > now and not fresh:
        return remembered[1]
    if not tokens.is_well_formed(token):
        raise NotAuthenticated(f"This is not a token of this gateway. {_HOW}")
    principal = await reads.read(_look_up, digest)
    if len(_remembered) >= _REMEMBERED_MOST:
        _remembered.clear()
    _remembered[digest] = (now + _REMEMBERED_SECONDS, principal)
    return principal


def forget(digest: str) -> None:
    """Makes this process ask the database for that token again."""
    _remembered.pop(digest, None)


def forget_all() -> None:
    """Makes this process ask the database for every token again."""
    _remembered.clear()


def _look_up(digest: str) -> Principal:
    row = ApiToken.objects.usable().select_related("user").filter(digest=digest).first()
    if row is None:
        forget(digest)
        raise NotAuthenticated(f"This token is unknown or was revoked. {_HOW}")
    return Principal(user_id=row.user.pk, username=row.user.get_username(), is_staff=row.user.is_staff, token_id=row.pk)
