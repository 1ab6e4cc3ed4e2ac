import hmac
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models, transaction
from django.db.models import F, Q
from django.utils import timezone

from accounts import tokens
from accounts.scopes import Scope, validate_addresses, validate_endpoints, validate_names

if TYPE_CHECKING:
    from accounts.models.user import User


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    def usable(self) -> "ApiTokenQuerySet":
        """Those that are accepted now."""
        lasting = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
        return self.filter(lasting, revoked_at__isnull=True, user__is_active=True)

    def with_secret(self, digest: str) -> "ApiTokenQuerySet":
        """Those whose secret this is the digest of; the last secret too, for as long as it is good."""
        return self.filter(Q(digest=digest) | Q(previous_digest=digest, previous_until__gt=timezone.now()))

    def issue(self, user: "User", name: str, **limits: Any) -> tuple["ApiToken", str]:
        """Makes a token for a user. Returns the row and the token in clear, which exists only here.

        Parameters: limits, values of expires_at, providers, models, endpoints and addresses.
        """
        clear = tokens.make()
        row = self.create(user=user, name=name, digest=tokens.digest(clear), shown=clear[: tokens.SHOWN], **limits)
        return row, clear


class ApiToken(models.Model):
    """A credential of a program. Revoking keeps the row: the ledger refers to it."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=100, help_text="What it is used for, so that its owner can tell it from others.")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    shown = models.CharField("begins with", max_length=16, editable=False)
    secret_number = models.PositiveIntegerField(default=1, editable=False)  # rises with each rotation
    previous_digest = models.CharField(max_length=64, blank=True, db_index=True, editable=False)
    previous_until = models.DateTimeField(null=True, editable=False, help_text="Until then the last secret works too.")
    providers = models.JSONField(
        default=list, blank=True, validators=[validate_names], help_text="Names of providers. Empty: all."
    )
    endpoints = models.JSONField(
        default=list, blank=True, validators=[validate_endpoints], help_text="What may be called. Empty: all."
    )
    addresses = models.JSONField(
        default=list, blank=True, validators=[validate_addresses], help_text="Where it may come from: 10.0.0.0/8."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(null=True, editable=False)
    last_used_from = models.GenericIPAddressField(null=True, editable=False)
    generation = models.PositiveIntegerField(default=0, editable=False)  # rises with each change
    made_by = models.ForeignKey(
        "self",
        null=True,
        on_delete=models.SET_NULL,
        related_name="made",
        editable=False,
        help_text="Ends with that one.",
    )
    # The last one, since it takes the name away from Django's module.
    models = models.JSONField(
        default=list, blank=True, validators=[validate_names], help_text="Models; `gpt-4o*` for all that begin so."
    )

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        verbose_name = "API token"
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return f"{self.name} ({self.shown}…)"

    @property
    def scope(self) -> Scope | None:
        """What it is good for; None: all that its owner may do."""
        scope = Scope.of(self.providers, self.models, self.endpoints)
        return scope if scope.limits else None

    @property
    def state(self) -> str:
        """`active`, `revoked` or `expired`."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= timezone.now() else "active"

    def number_of(self, digest: str) -> int:
        """The number of the secret with this digest; 0 for none that is good."""
        if hmac.compare_digest(digest, self.digest):
            return self.secret_number
        last = self.secret_number - 1
        return last if hmac.compare_digest(digest, self.previous_digest) and self.is_good(last) else 0

    def is_good(self, number: int) -> bool:
        """Whether the secret of that number is the one that is good, or the last one in its time of grace."""
        in_grace = self.previous_until is not None and self.previous_until > timezone.now()
        return number == self.secret_number or (in_grace and number == self.secret_number - 1)

    def good_until(self, number: int) -> datetime | None:
        """When the secret of that number ends; None if it never does."""
        ends = [self.expires_at, self.previous_until if number != self.secret_number else None]
        return min((end for end in ends if end is not None), default=None)

    def change(self, **values: Any) -> None:
        """Changes fields so that every process looks at the token anew with its next call."""
        for name, value in values.items():
            setattr(self, name, value)
        self.full_clean(exclude=[field.name for field in self._meta.fields if field.name not in values])
        with transaction.atomic():  # or another process could remember the old values with the new number
            ApiToken.objects.filter(pk=self.pk).update(generation=F("generation") + 1)
            self.save(update_fields=[*values])

    def rotate(self, grace: timedelta) -> str:
        """Gives it another secret, and returns that in clear. The old one works on for the time of grace."""
        clear = tokens.make()
        self.change(
            previous_digest=self.digest,
            previous_until=timezone.now() + grace,
            digest=tokens.digest(clear),
            shown=clear[: tokens.SHOWN],
            secret_number=self.secret_number + 1,
        )
        return clear

    def revoke(self) -> None:
        """Refuses the token from the next call on, and those that were made with it. Harmless the second time."""
        if self.revoked_at is None:
            self.change(revoked_at=timezone.now())
            for made in self.made.filter(revoked_at=None):
                made.revoke()
