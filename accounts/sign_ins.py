"""When a person's sign-ins begin and end. What holds for every way of signing in listens to Django's signals."""

from typing import Any

from django.conf import settings
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.db.models.signals import post_save, pre_save
from django.http import HttpRequest

from accounts.models import SignIn, SignInKind, User
from accounts.models.sign_in import expiry
from accounts.sessions import SIGN_IN


def connect() -> None:
    """Begins to listen; once, when the app is ready."""
    user_logged_in.connect(_logged_in)
    user_logged_out.connect(_logged_out)
    pre_save.connect(_user_about_to_change, User)
    post_save.connect(_user_changed, User)


def begin(user: User, kind: SignInKind, request: HttpRequest, seconds: float) -> SignIn:
    """Writes down that a user has signed in. Parameters: seconds, how long that lasts unless it is renewed."""
    return SignIn.objects.create(
        user=user,
        kind=kind,
        expires_at=expiry(seconds=seconds),
        address=request.META.get("REMOTE_ADDR") or None,
        user_agent=request.META.get("HTTP_USER_AGENT", "")[:200],
    )


def begin_session(user: User, request: HttpRequest) -> SignIn:
    """The sign-in of a browser, tied to the request's session. Also after a password change, which ends all others."""
    sign_in = begin(user, SignInKind.SESSION, request, settings.SESSION_COOKIE_AGE)
    request.session[SIGN_IN] = sign_in.pk
    return sign_in


def end_all(user: User, but: int = 0) -> int:
    """Ends all of a user's sign-ins, but for one if it is named by its id. Returns how many there were."""
    return user.sign_ins.exclude(pk=but).end()


def _logged_in(request: HttpRequest, user: User, **_: Any) -> None:
    begin_session(user, request)


def _logged_out(request: HttpRequest, user: User | None, **_: Any) -> None:
    SignIn.objects.filter(pk=request.session.get(SIGN_IN, 0)).end()


def _user_about_to_change(instance: User, raw: bool = False, **_: Any) -> None:
    before = None if raw or instance.pk is None else User.objects.filter(pk=instance.pk).first()
    instance.rights_taken = before is not None and (
        before.password != instance.password or (before.is_active and not instance.is_active)
    )


def _user_changed(instance: User, **_: Any) -> None:
    """A user who was disabled, or has another password, is signed in nowhere any more."""
    if instance.rights_taken:
        end_all(instance)
