"""How much may be used: the rules (Quota) and what stands against them (Counter)."""

from decimal import Decimal

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.utils import timezone

_SUBJECTS = ("user", "group", "token")


class Unit(models.TextChoices):
    """What a quota counts."""

    REQUESTS = "requests", "Requests"
    TOKENS = "tokens", "Tokens"
    COST = "cost", "Cost"
    CONCURRENCY = "concurrency", "Calls at the same time"


class Window(models.TextChoices):
    """How long a quota lasts until it begins anew. Aligned to the calendar of its subject's time zone."""

    MINUTE = "minute", "a minute"
    HOUR = "hour", "an hour"
    DAY = "day", "a day"
    MONTH = "month", "a month"
    TOTAL = "total", "in all"


class QuotaQuerySet(models.QuerySet["Quota"]):
    def active(self) -> "QuotaQuerySet":
        """Those that have not ended."""
        return self.filter(models.Q(until__isnull=True) | models.Q(until__gt=timezone.now()))


class Quota(models.Model):
    """A limit on what one user, the members of a group together, or one token may use.

    Without a subject it is everybody's default: each user on their own is held to it, unless they have a quota of
    their own for the same provider, unit and window. With an end it stands until then in place of the one without.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.CASCADE)
    group = models.ForeignKey("auth.Group", null=True, blank=True, on_delete=models.CASCADE)
    token = models.ForeignKey("accounts.ApiToken", null=True, blank=True, on_delete=models.CASCADE)
    provider = models.CharField(max_length=64, blank=True, help_text="A provider's name. Empty: all together.")
    unit = models.CharField(max_length=16, choices=Unit)
    window = models.CharField("per", max_length=8, choices=Window, default=Window.TOTAL)
    limit = models.DecimalField(
        max_digits=24,
        decimal_places=6,
        validators=[MinValueValidator(Decimal(0))],
        help_text="Requests, tokens, calls, or an amount in the currency of the prices. 0 allows nothing.",
    )
    until = models.DateTimeField(
        null=True,
        blank=True,
        help_text="A temporary limit: until then it stands in place of the one without an end.",
    )
    allow_unpriced = models.BooleanField(
        default=False, help_text="For a cost: let calls pass whose price is unknown. They then count nothing."
    )

    objects = QuotaQuerySet.as_manager()

    class Meta:
        ordering = ("provider", "unit", "window")
        indexes = [
            models.Index(
                fields=["provider"],
                condition=models.Q(**{f"{subject}__isnull": True for subject in _SUBJECTS}),
                name="quota_of_everybody",
            )
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(user__isnull=True, group__isnull=True)
                | models.Q(user__isnull=True, token__isnull=True)
                | models.Q(group__isnull=True, token__isnull=True),
                name="quota_of_one_subject",
                violation_error_message="A quota is for one user, one group or one token, or for everybody.",
            ),
            *(
                models.UniqueConstraint(
                    fields=[subject, "provider", "unit", "window"],
                    condition=models.Q(until__isnull=True, **{f"{subject}__isnull": False}),
                    name=f"quota_once_a_{subject}",
                    violation_error_message="There is such a quota already. Change that, or give this one an end.",
                )
                for subject in _SUBJECTS
            ),
            models.UniqueConstraint(
                fields=["provider", "unit", "window"],
                condition=models.Q(until__isnull=True, **{f"{subject}__isnull": True for subject in _SUBJECTS}),
                name="quota_once_for_all",
                violation_error_message="There is such a default already. Change that, or give this one an end.",
            ),
        ]

    def __str__(self) -> str:
        per = "" if self.window == Window.TOTAL else f" per {self.window}"
        return f"{self.limit.normalize():f} {self.get_unit_display().lower()}{per}"

    def clean(self) -> None:
        super().clean()
        if self.unit == Unit.CONCURRENCY:
            self.window = Window.TOTAL  # they are counted now, not over a time
        given: Decimal | None = self.limit  # none, where a form's field was left empty
        if self.unit != Unit.COST and given is not None and given != int(given):
            raise ValidationError({"limit": "Give a whole number."})


class Counter(models.Model):
    """What a subject has used, and has reserved for open calls, in the window that is running.

    One row per subject, provider, unit and window, whatever limit there is; a new window begins in the same row.
    Amounts are whole numbers, so that both databases add them exactly: requests, tokens, calls, and for a cost
    10⁻¹⁰ of the currency.
    """

    scope = models.CharField(max_length=40, help_text="`user:5`, `group:3` or `token:7`.")
    provider = models.CharField(max_length=64, blank=True)
    unit = models.CharField(max_length=16, choices=Unit)
    window = models.CharField(max_length=8, choices=Window)
    starts_at = models.BigIntegerField(help_text="When the window began, in seconds since 1970.")
    used = models.BigIntegerField(default=0)
    reserved = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["scope", "provider", "unit", "window"], name="counter_once")]

    def __str__(self) -> str:
        return f"{self.scope} {self.provider} {self.unit}/{self.window}"
