"""From a request's headers to a Principal: the one way in, for both lanes, DRF and the socket alike.

A credential that was found valid is remembered for a few seconds, so that the gateway lane need not ask the database.
What that could let through is stopped at the admission of the call, which looks at the credential again in its own
transaction.
"""

import time
from collections.abc import Mapping
from typing import Any

from django.contrib.auth import get_user
from django.http import HttpRequest

from accounts import json_web_tokens as jwts
from accounts import tokens
from accounts.credentials import HOW, presented_session, presented_token
from accounts.errors import NotAuthenticated
from accounts.models import ApiToken, SignIn, User
from accounts.principal import CredentialKind, Principal
from accounts.scopes import Scope, networks
from accounts.sessions import SIGN_IN, SessionStore
from storage import reads

_REMEMBERED_SECONDS = 10.0
_REMEMBERED_MOST = 10_000  # principals


class _Memory:
    """Principals that were found lately, by what was shown, and until when each may be believed (monotonic seconds)."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[float, Principal]] = {}
        self._swept_at = 0.0

    def find(self, key: str, now: float) -> Principal | None:
        until, principal = self._kept.get(key, (now, None))
        return principal if until > now else None

    def keep(self, key: str, principal: Principal, now: float) -> None:
        good_for = _REMEMBERED_SECONDS
        if principal.expires_at is not None:
            good_for = min(good_for, principal.expires_at - time.time())
        if now - self._swept_at > _REMEMBERED_SECONDS:
            self._swept_at = now
            self._kept = {one: kept for one, kept in self._kept.items() if kept[0] > now}
        if len(self._kept) >= _REMEMBERED_MOST:
            self._kept.clear()
        self._kept[key] = (now + good_for, principal)

    def forget(self, key: str) -> None:
        self._kept.pop(key, None)

    def clear(self) -> None:
        self._kept.clear()


_memory = _Memory()


async def authenticate(headers: Mapping[str, str], *, fresh: bool = False) -> Principal | None:
    """Who sent these headers; None when they carry no credential at all.

    `fresh` asks the database even for a credential that is remembered: where no admission has the last word.
    Raises NotAuthenticated when they carry one that is not valid. Whether it may call just this is for
    web/authentication.py to say.
    """
    token = presented_token(headers)
    session = presented_session(headers) if token is None else None
    if token is None and session is None:
        return None
    key = tokens.digest(token) if token is not None else f"session:{tokens.digest(session or '')}"
    now = time.monotonic()
    if not fresh and (remembered := _memory.find(key, now)) is not None:
        return remembered
    try:
        principal = await (_of_token(token, key) if token is not None else reads.read(_of_session, session or ""))
    except NotAuthenticated:
        forget(key)
        raise
    if principal is not None:
        _memory.keep(key, principal, now)
    return principal


def forget(digest: str) -> None:
    """Makes this process ask the database for the token with that digest again."""
    _memory.forget(digest)


def forget_all() -> None:
    """Makes this process ask the database for every credential again."""
    _memory.clear()


async def _of_token(token: str, digest: str) -> Principal:
    if jwts.looks_like_one(token):
        return await reads.read(_of_claims, jwts.verify(token))
    if not tokens.is_well_formed(token):
        raise NotAuthenticated(f"This is not a token of this gateway. {HOW}")
    return await reads.read(_of_api_token, digest)


def renewed(principal: Principal) -> Principal:
    """A caller by an API token as it is now that the token has changed. Uses the ORM.

    Raises NotAuthenticated when the token is not good any more, or the secret that was shown is not.
    """
    row = ApiToken.objects.usable().filter(pk=principal.token_id or 0).select_related("user").first()
    own = principal.scopes[-1:] if principal.kind is CredentialKind.BROWSER else ()
    return _of_row(row, principal.kind, principal.secret, principal.expires_at, scopes=own, origin=principal.origin)


def _of_api_token(digest: str) -> Principal:
    row = ApiToken.objects.usable().with_secret(digest).select_related("user").first()
    return _of_row(row, CredentialKind.API, row.number_of(digest) if row is not None else 0, None)


def _of_row(row: ApiToken | None, kind: CredentialKind, secret: int, end: float | None, **more: Any) -> Principal:
    """Whoever shows a token, or a pass that it has handed out. end: of the pass, in seconds since 1970."""
    if row is None or not row.is_good(secret):
        raise NotAuthenticated(f"This token is unknown, has expired or was revoked. {HOW}")
    until = row.good_until(secret)
    ends = [moment for moment in (end, until and until.timestamp()) if moment is not None]
    more["scopes"] = (*([row.scope] if row.scope is not None else ()), *more.get("scopes", ()))
    more |= {"token_id": row.pk, "generation": row.generation, "secret": secret}
    if kind is CredentialKind.API:  # a browser is elsewhere than who hands it a pass
        more["addresses"] = networks(row.addresses)
    return _principal(row.user, kind, expires_at=min(ends, default=None), **more)


def _principal(user: User, kind: CredentialKind, **more: Any) -> Principal:
    is_staff = user.is_staff and kind is not CredentialKind.BROWSER and not more.get("scopes")
    return Principal(user.pk, user.get_username(), is_staff, kind=kind, **more)


def _of_claims(claims: Mapping[str, Any]) -> Principal:
    """Who is behind a JSON Web Token that was verified: by a sign-in, or by an API token that handed it out."""
    in_browser = claims["token_type"] == jwts.BROWSER
    kind = CredentialKind.BROWSER if in_browser else CredentialKind.JWT
    end = float(claims["exp"])
    more: dict[str, Any] = {}
    if in_browser:
        scope = Scope.of(claims[jwts.PROVIDERS], claims[jwts.MODELS], claims[jwts.ENDPOINTS])
        more = {"scopes": (scope,), "origin": claims[jwts.ORIGIN] or None}
        if (token := claims.get(jwts.TOKEN)) is not None:
            row = ApiToken.objects.usable().filter(pk=token).select_related("user").first()
            return _of_row(row, kind, claims.get(jwts.NUMBER, 0), end, **more)
    sign_in = SignIn.objects.filter(pk=claims.get(jwts.SIGN_IN, 0), ended_at=None, user__is_active=True)
    found = sign_in.select_related("user").first()
    if found is None or str(found.user.pk) != str(claims["user_id"]):
        raise NotAuthenticated("This token's sign-in has ended. Sign in again.")
    return _principal(found.user, kind, sign_in_id=found.pk, expires_at=end, **more)


def _of_session(key: str) -> Principal | None:
    """Whom a session's cookie stands for; None for nobody: it ended, or nobody has signed in with it."""
    request = HttpRequest()
    request.session = SessionStore(key)
    user = get_user(request)
    sign_in = request.session.get(SIGN_IN)
    if not isinstance(user, User) or sign_in is None:
        return None
    return _principal(user, CredentialKind.SESSION, sign_in_id=sign_in)
