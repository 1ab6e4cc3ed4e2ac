import re

from django.core.exceptions import ValidationError
from django.db import models, transaction

from providers.models.provider import Provider
from storage.encryption import EncryptedTextField

_SHORTEST_WITH_HINT = 12  # characters; four of a shorter key would give too much of it away


def validate_key(value: str) -> None:
    """Refuses what no vendor gives out: a key travels in a header, so it has no spaces and only plain characters."""
    if not re.fullmatch(r"[!-~]+", value):
        raise ValidationError("A key has no spaces and only plain letters, digits and signs. Copy it again.")


class ProviderKey(models.Model):
    """A key for a provider. Write-only: no page, answer or log shows more of it than its last four characters."""

    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="keys")
    label = models.CharField(
        max_length=100, blank=True, help_text="To tell it from others: who made it, when, what for."
    )
    secret = EncryptedTextField(editable=False)
    last_four = models.CharField(max_length=4, blank=True, editable=False)
    active = models.BooleanField(default=False, help_text="The one that is used now. At most one of a provider's keys.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-created_at", "-pk")
        constraints = [
            models.UniqueConstraint(
                fields=["provider"],
                condition=models.Q(active=True),
                name="one_active_key",
                violation_error_message="Another key of this provider is active.",
            )
        ]

    def __str__(self) -> str:
        return f"…{self.last_four}" if self.last_four else "key"

    def set_secret(self, secret: str) -> None:
        """Takes a key in clear; the row keeps it encrypted."""
        self.secret = secret
        self.last_four = secret[-4:] if len(secret) >= _SHORTEST_WITH_HINT else ""

    def activate(self) -> None:
        """Makes this the key that is used, instead of the one that was. Saves the row."""
        with transaction.atomic():
            for other in ProviderKey.objects.filter(provider=self.provider, active=True).exclude(pk=self.pk):
                other.active = False
                other.save(update_fields=["active"])
            self.active = True
            self.save()


def rotate_key(provider: Provider, secret: str, label: str = "") -> ProviderKey:
    """Adds a key to a provider and makes it the active one; the former stays, for going back to."""
    key = ProviderKey(provider=provider, label=label)
    key.set_secret(secret)
    key.activate()
    return key
