"""A person's sign-ins, and the sessions that hang on them."""

from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.base_session import AbstractBaseSession, BaseSessionManager
from django.db import models
from django.utils import timezone

_KEPT = timedelta(days=30)  # after its end, so that its owner can still see it


class SignInKind(models.TextChoices):
    SESSION = "session", "Browser"
    JWT = "jwt", "JSON Web Token"


class SignInQuerySet(models.QuerySet["SignIn"]):
    def open(self) -> "SignInQuerySet":
        """Those that are accepted now."""
        return self.filter(ended_at=None, expires_at__gt=timezone.now())

    def end(self) -> int:
        """Ends them: what was handed out with them is refused from the next call on. Returns how many there were."""
        return self.filter(ended_at=None).update(ended_at=timezone.now())

    def old(self) -> "SignInQuerySet":
        """Those that nobody needs any more."""
        return self.filter(expires_at__lt=timezone.now() - _KEPT)


class SignIn(models.Model):
    """That a person has proved who it is, once: what is handed out for it (a session, tokens) ends when this ends."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="sign_ins")
    kind = models.CharField(max_length=8, choices=SignInKind)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(help_text="When it ends, unless it is renewed.")
    ended_at = models.DateTimeField(null=True, editable=False)
    last_used_at = models.DateTimeField(default=timezone.now, editable=False)
    address = models.GenericIPAddressField(null=True, help_text="Where it came from.")
    user_agent = models.CharField(max_length=200, blank=True)
    refresh_id = models.CharField(max_length=64, blank=True, editable=False)  # of the one refresh token that is good

    objects = SignInQuerySet.as_manager()

    class Meta:
        verbose_name = "sign-in"
        ordering = ("-created_at",)
        indexes = [models.Index(fields=["expires_at"], name="sign_in_by_end")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}, {self.created_at:%Y-%m-%d %H:%M} UTC"

    @property
    def is_open(self) -> bool:
        """Whether it is accepted now."""
        return self.ended_at is None and self.expires_at > timezone.now()

    def end(self) -> None:
        """Ends it. Harmless the second time."""
        SignIn.objects.filter(pk=self.pk).end()


class SessionManager(BaseSessionManager["Session"]):
    """Sessions whose sign-in has not ended: of the others nobody finds anything."""

    def get_queryset(self) -> "models.QuerySet[Session]":
        return super().get_queryset().filter(models.Q(sign_in=None) | models.Q(sign_in__ended_at=None))


class Session(AbstractBaseSession):
    """What a browser's cookie names. That of a person who signed in ends with the sign-in."""

    sign_in = models.ForeignKey(SignIn, null=True, on_delete=models.CASCADE, related_name="sessions")

    objects: ClassVar[SessionManager] = SessionManager()

    @classmethod
    def get_session_store_class(cls) -> type[SessionBase]:
        from accounts.sessions import SessionStore  # it needs this model

        return SessionStore


def expiry(**lifetime: Any) -> datetime:
    """A moment, as far from now as a timedelta of these."""
    return timezone.now() + timedelta(**lifetime)
