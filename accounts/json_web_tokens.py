"""JSON Web Tokens (RFC 7519) as the gateway takes them: signed by itself, for a sign-in or for a browser's pass.

simplejwt makes them (accounts/api/auth.py). Verifying one asks no database and no thread, so that it may be done in the
gateway lane; whether what it stands for has ended meanwhile is looked up where tokens are.
"""

from collections.abc import Mapping
from typing import Any

import jwt
from django.conf import settings

from accounts.errors import NotAuthenticated

ACCESS, BROWSER = "access", "browser"  # the types that are credentials; a refresh token is none
# Claims of our own: the ids of the sign-in and of the API token that it was handed out for
SIGN_IN, TOKEN = "sid", "tid"
NUMBER = "tsn"  # the number of the token's secret
PROVIDERS, MODELS, ENDPOINTS, ORIGIN = "providers", "models", "endpoints", "origin"

_NEEDED = ("exp", "iat", "jti", "token_type", "user_id")
_TYPES: dict[str, type] = {
    "token_type": str,
    "user_id": str,
    SIGN_IN: int,
    TOKEN: int,
    NUMBER: int,
}  # of those that are there
_PASS_TYPES: dict[str, type] = {PROVIDERS: list, MODELS: list, ENDPOINTS: list, ORIGIN: str}  # of a browser's pass
_LATEST = 2**53  # seconds since 1970, that a float can hold
_NOT_OURS = "This JSON Web Token was not made by this gateway, or not for this."


def looks_like_one(credential: str) -> bool:
    """Whether this can only be a JSON Web Token: three parts, the first of which begins a JSON object."""
    return credential.startswith("eyJ") and credential.count(".") == 2


def verify(credential: str) -> Mapping[str, Any]:
    """Its claims. Raises NotAuthenticated for one that is not ours, altered, expired or none that is a credential.

    The algorithm and the key are ours to choose: what its header says of them is not believed.
    """
    settled: Mapping[str, Any] = settings.SIMPLE_JWT
    key, algorithm, issuer = (settled[name] for name in ("SIGNING_KEY", "ALGORITHM", "ISSUER"))
    try:
        claims = jwt.decode(credential, key, algorithms=[algorithm], issuer=issuer, options={"require": [*_NEEDED]})
    except jwt.ExpiredSignatureError as error:
        raise NotAuthenticated("This token has expired. POST /api/auth/token/refresh gives another.") from error
    except (jwt.InvalidTokenError, ValueError, OverflowError, RecursionError) as error:
        raise NotAuthenticated(_NOT_OURS) from error
    if not _is_sound(claims):
        raise NotAuthenticated(_NOT_OURS)
    if claims["token_type"] not in {ACCESS, BROWSER}:
        raise NotAuthenticated("A refresh token is for POST /api/auth/token/refresh only. Send the access token.")
    return claims


def _is_sound(claims: Mapping[str, Any]) -> bool:
    """Whether all claims have their types. A token with others was signed by our key, and not by us."""
    if claims["exp"] > _LATEST:
        return False
    if any(type(claims[name]) is not kind for name, kind in _TYPES.items() if name in claims):
        return False
    if claims["token_type"] == BROWSER:
        return all(type(claims.get(name)) is kind for name, kind in _PASS_TYPES.items())
    return TOKEN not in claims
