"""What a caller shows, out of a request's headers."""

from collections.abc import Mapping

from django.conf import settings
from django.http import parse_cookie

from accounts.errors import NotAuthenticated

HOW = "Send `Authorization: Bearer <token>`. `manage.py issue_token USER` makes a token."
_SCHEMES = frozenset({"token", "bearer", "key"})  # the last is what fal.ai's clients write
_VENDOR_HEADERS = ("x-api-key", "x-goog-api-key", "xi-api-key")


def presented_token(headers: Mapping[str, str]) -> str | None:
    """The token that the caller sent; the first header present decides, whatever is in it.

    Parameters: headers, with names looked up case-insensitively. Raises NotAuthenticated for an Authorization header
    of another scheme than Token, Bearer or Key.
    """
    authorization = headers.get("authorization")
    if authorization is not None:
        scheme, _, token = authorization.strip().partition(" ")
        if scheme.lower() not in _SCHEMES or not token.strip():
            raise NotAuthenticated(f"The Authorization header must read `Token <t>` or `Bearer <t>`. {HOW}")
        return token.strip()
    for name in _VENDOR_HEADERS:
        value = headers.get(name)
        if value is not None:
            return value.strip()
    return None


def presented_session(headers: Mapping[str, str]) -> str | None:
    """The key of the session that the caller's browser sent."""
    cookies = headers.get("cookie")
    return (parse_cookie(cookies).get(settings.SESSION_COOKIE_NAME) or None) if cookies else None
