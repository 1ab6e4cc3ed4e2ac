"""Pairs of JSON Web Tokens: begun with a password, renewed by the one refresh token that is good, ended by it.

A refresh token that comes a second time is in two hands. Nobody can tell which are the thief's, so its sign-in ends
(RFC 9700, 4.14.2). What is kept of a refresh token is its id, which is good for nothing without the signature.
"""

import logging
from typing import Any, NamedTuple

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.tokens import RefreshToken

from accounts import sign_ins
from accounts.authentication import forget_all
from accounts.errors import NotAuthenticated
from accounts.json_web_tokens import SIGN_IN
from accounts.models import SignIn, SignInKind, User

logger = logging.getLogger("gateway.sign_ins")

_LONGEST = 4096  # characters; ours have some 300
_ID = "jti"
_NOT_OURS = "This is no refresh token of this gateway, or it has expired. Sign in again."
_ENDED = "This refresh token's sign-in has ended. Sign in again."
_USED_BEFORE = "This refresh token was used before, so somebody else may have it: its sign-in has ended. Sign in again."


class Pair(NamedTuple):
    """What a program keeps: `access` for calls, `refresh` to be exchanged for another pair, once."""

    access: str
    refresh: str


def begin(user: User, request: HttpRequest) -> Pair:
    """The first pair of a user who has just proved who it is."""
    with transaction.atomic():
        sign_in = sign_ins.begin(user, SignInKind.JWT, request, _lifetime().total_seconds())
        refresh = _refresh_token(user, sign_in)
        SignIn.objects.filter(pk=sign_in.pk).update(refresh_id=refresh[_ID])
    return _pair(refresh)


def renew(presented: str) -> Pair:
    """The next pair, for a refresh token that is good this once.

    Raises NotAuthenticated; for one that was used before, the whole sign-in has ended.
    """
    sign_in, used = _open_sign_in(presented)
    refresh, now = _refresh_token(sign_in.user, sign_in), timezone.now()
    # The condition is on the row itself, so of two at the same time one finds it true.
    good = SignIn.objects.open().filter(pk=sign_in.pk, refresh_id=used)
    if not good.update(refresh_id=refresh[_ID], expires_at=now + _lifetime(), last_used_at=now):
        logger.warning("A refresh token of user %s came a second time; its sign-in has ended.", sign_in.user.pk)
        _end(sign_in)
        raise NotAuthenticated(_USED_BEFORE)
    return _pair(refresh)


def end(presented: str) -> None:
    """Ends the sign-in of a refresh token, and so all that was handed out for it. Raises NotAuthenticated."""
    _end(_open_sign_in(presented)[0])


def _end(sign_in: SignIn) -> None:
    sign_in.end()
    forget_all()  # under which keys this process remembers its tokens is not known


def _lifetime() -> Any:
    return api_settings.REFRESH_TOKEN_LIFETIME


def _refresh_token(user: User, sign_in: SignIn) -> RefreshToken:
    token = RefreshToken.for_user(user)
    token[SIGN_IN] = sign_in.pk
    return token


def _pair(refresh: RefreshToken) -> Pair:
    return Pair(str(refresh.access_token), str(refresh))


def _open_sign_in(presented: str) -> tuple[SignIn, str]:
    """The sign-in that a refresh token is of, and the token's id. Raises NotAuthenticated."""
    text: Any = presented
    if len(presented) > _LONGEST:
        raise NotAuthenticated(_NOT_OURS)
    try:
        token = RefreshToken(text)
        key, token_id = token[SIGN_IN], token[_ID]
    except (TokenError, KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise NotAuthenticated(_NOT_OURS) from error
    if not isinstance(key, int) or not isinstance(token_id, str):
        raise NotAuthenticated(_NOT_OURS)
    signed_in = SignIn.objects.open().filter(pk=key, kind=SignInKind.JWT, user__is_active=True)
    sign_in = signed_in.select_related("user").first()
    if sign_in is None or str(sign_in.user.pk) != str(token.get("user_id")):
        raise NotAuthenticated(_ENDED)
    return sign_in, token_id
