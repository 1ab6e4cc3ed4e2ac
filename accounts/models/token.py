from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.utils import timezone

from accounts import tokens

if TYPE_CHECKING:
    from accounts.models.user import User


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    def usable(self) -> "ApiTokenQuerySet":
        """Those that are accepted now."""
        return self.filter(revoked_at__isnull=True, user__is_active=True)

    def issue(self, user: "User", name: str) -> tuple["ApiToken", str]:
        """Makes a token for a user. Returns the row and the token in clear, which exists only here."""
        clear = tokens.make()
        row = self.create(user=user, name=name, digest=tokens.digest(clear), shown=clear[: tokens.SHOWN])
        return row, clear


class ApiToken(models.Model):
    """A credential of a program. Revoking keeps the row: the ledger refers to it."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=100, help_text="What it is used for, so that its owner can tell it from others.")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    shown = models.CharField("begins with", max_length=16, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        verbose_name = "API token"
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return f"{self.name} ({self.shown}…)"

    def revoke(self) -> None:
        """Refuses the token from the next call on. Harmless the second time."""
        if self.revoked_at is None:
            self.revoked_at = timezone.now()
            self.save(update_fields=["revoked_at"])
