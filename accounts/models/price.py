"""What models cost."""

from decimal import Decimal

from django.core.validators import MinValueValidator
from django.db import models
from django.utils import timezone

ANY_MODEL = "*"
_ZERO = Decimal(0)


def _per_million(help_text: str = "") -> "models.DecimalField[Decimal | None, Decimal | None]":
    return models.DecimalField(
        max_digits=16,
        decimal_places=6,
        null=True,
        blank=True,
        validators=[MinValueValidator(_ZERO)],
        help_text=help_text,
    )


class Price(models.Model):
    """The price of a model from a moment on, until a later row of the same model takes its place.

    Tokens are priced by the million. What is left empty costs what `input` or `output` says, as part of it.
    """

    provider_type = models.CharField(max_length=32, help_text="Whose model it is: a type of provider, such as openai.")
    provider = models.CharField(
        max_length=64, blank=True, help_text="The one provider that this is the price at. Empty: all of the type."
    )
    model = models.CharField(max_length=200, help_text="Its name, or * for all that have no price of their own.")
    valid_from = models.DateTimeField(default=timezone.now)
    input = _per_million()
    output = _per_million()
    cached = _per_million("Input that was read from the vendor's cache.")
    cache_write = _per_million("Input that was written to it.")
    reasoning = _per_million("Output that was thought and not said.")
    audio_input = _per_million()
    audio_output = _per_million()
    units = models.JSONField(
        default=dict,
        blank=True,
        help_text='What else is priced, by the unit: {"images": "0.04", "characters": "0.00003", …}.',
    )
    source = models.CharField(max_length=64, blank=True, editable=False, help_text="Empty: written by hand.")

    class Meta:
        ordering = ("provider_type", "provider", "model", "-valid_from")
        constraints = [
            models.UniqueConstraint(fields=["provider_type", "provider", "model", "valid_from"], name="price_once")
        ]

    def __str__(self) -> str:
        return f"{self.provider or self.provider_type} {self.model} from {self.valid_from:%Y-%m-%d}"


class Currency(models.Model):
    """The one currency of all prices, quotas and costs. There is one row."""

    code = models.CharField(max_length=3, default="USD", help_text="As in ISO 4217.")
    per_usd = models.DecimalField(
        "worth of a US dollar",
        max_digits=16,
        decimal_places=6,
        default=Decimal(1),
        validators=[MinValueValidator(Decimal("0.000001"))],
        help_text="What sync_prices multiplies the vendors' prices by.",
    )

    class Meta:
        verbose_name_plural = "currency"

    def __str__(self) -> str:
        return self.code
