"""The ledger: a Call from admission to settlement, with an Attempt for each execution at a vendor.

Providers are named in plain text, not by foreign key: this app knows nothing of vendors, and the account outlives a
provider that was deleted.
"""

from typing import cast

from django.conf import settings
from django.db import models


class Consumed(models.Model):
    """What a call, or one attempt at it, took."""

    input_tokens = models.PositiveBigIntegerField(default=0)
    output_tokens = models.PositiveBigIntegerField(default=0)
    cached_tokens = models.PositiveBigIntegerField(default=0, help_text="Read from the vendor's cache; part of input.")
    cache_write_tokens = models.PositiveBigIntegerField(default=0, help_text="Put into it; part of input.")
    reasoning_tokens = models.PositiveBigIntegerField(default=0, help_text="Thought and not said; part of output.")
    measures = models.JSONField(
        null=True,
        help_text="What else the vendor counts, by name: characters, images, audio_seconds, billable_units, credits.",
    )
    estimated = models.BooleanField(default=False, help_text="Counted by the gateway, not by the vendor.")
    cost = models.DecimalField(
        max_digits=20,
        decimal_places=10,
        null=True,
        help_text="In the currency of the prices. Empty: the price is unknown.",
    )

    class Meta:
        abstract = True


class CallState(models.TextChoices):
    """How a call stands, or how it ended."""

    OPEN = "open", "Open"
    DONE = "done", "Done"
    CLIENT_GONE = "client_gone", "Client gone"
    UPSTREAM_ERROR = "upstream_error", "Upstream error"
    TRUNCATED = "truncated", "Truncated"
    TIMEOUT = "timeout", "Timeout"
    SHUTDOWN = "shutdown", "Server stopped"
    REVOKED = "revoked", "Credential revoked"
    QUOTA = "quota", "Quota used up"
    LOST = "lost", "Server died"
    REFUSED = "refused", "Not possible at this provider"
    INTERNAL_ERROR = "internal_error", "Internal error"


class CallQuerySet(models.QuerySet["Call"]):
    def open(self) -> "CallQuerySet":
        """Those that run; not for joins with attempts, which have a state too.

        With the state written out: a database uses a partial index only for a condition that it can see.
        """
        return cast("CallQuerySet", self.extra(where=["state = 'open'"]))


class Call(Consumed):
    """One admitted call. `estimated`: the vendor reported no usage, or the call was cut before it did."""

    id = models.UUIDField(primary_key=True, editable=False)
    request_id = models.CharField(max_length=128, db_index=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="calls", db_index=False)
    token = models.ForeignKey("accounts.ApiToken", null=True, on_delete=models.SET_NULL, related_name="calls")
    surface = models.CharField(max_length=32, help_text="The route that it came in by.")
    provider = models.CharField(max_length=64)
    model = models.CharField(max_length=200, blank=True)
    streamed = models.BooleanField(default=False)
    state = models.CharField(max_length=16, choices=CallState, default=CallState.OPEN)
    lease = models.UUIDField(null=True, help_text="The process that has it open, or had.")
    reserved_input = models.PositiveBigIntegerField(db_default=0, help_text="Tokens.")
    reserved_output = models.PositiveBigIntegerField(db_default=0, help_text="Tokens.")
    reserved_cost = models.BigIntegerField(null=True, help_text="10⁻¹⁰ of the currency. Empty: no price was known.")
    holds = models.TextField(
        db_default="", help_text="The counters that it reserved at, as JSON: [id, unit, start of the window], ..."
    )
    exceeded = models.BooleanField(db_default=False, help_text="The vendor reported more than was reserved.")
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    objects = CallQuerySet.as_manager()

    class Meta:
        ordering = ("-opened_at",)
        indexes = [
            models.Index(fields=["user", "-opened_at"], name="call_by_user"),
            models.Index(fields=["opened_at"], condition=models.Q(state="open"), name="call_open"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state="open", closed_at__isnull=True)
                | (~models.Q(state="open") & models.Q(closed_at__isnull=False)),
                name="call_open_or_closed",
            )
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.model} {self.state}"


class Attempt(Consumed):
    """One execution of a call at a vendor. A fallback makes two, a race several."""

    call = models.ForeignKey(Call, on_delete=models.CASCADE, related_name="attempts", db_index=False)
    position = models.PositiveSmallIntegerField()
    provider = models.CharField(max_length=64)
    model = models.CharField(max_length=200, blank=True)
    key_hint = models.CharField(
        max_length=16, blank=True, help_text="The last four characters of the key that was used."
    )
    state = models.CharField(max_length=16, choices=CallState)
    status = models.PositiveSmallIntegerField(
        null=True, help_text="The vendor's HTTP status, where it answered with an error."
    )
    first_byte_ms = models.PositiveIntegerField(null=True)
    duration_ms = models.PositiveIntegerField()

    class Meta:
        ordering = ("call", "position")
        constraints = [models.UniqueConstraint(fields=["call", "position"], name="attempt_position_once")]

    def __str__(self) -> str:
        return f"{self.position}: {self.provider} {self.state}"


class Lease(models.Model):
    """A process that holds calls open. While it lives it renews this; when it no longer does, others close its calls.

    Times are the database's own, so that no two clocks are compared.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    process = models.CharField(max_length=100, help_text="Host and process id.")
    seen_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.process
