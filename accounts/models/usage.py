"""What remains of calls whose rows are old: their sums by day."""

from django.conf import settings
from django.db import models


class UsageDay(models.Model):
    """The sums of the calls that were opened on one day (UTC), of one user with one token at one provider's model.

    It holds days before UsageRollup.until only; later ones are in the calls themselves.
    """

    day = models.DateField()
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False)
    token = models.ForeignKey("accounts.ApiToken", null=True, on_delete=models.SET_NULL, related_name="+")
    provider = models.CharField(max_length=64)
    model = models.CharField(max_length=200, blank=True)
    calls = models.PositiveBigIntegerField()
    input_tokens = models.PositiveBigIntegerField()
    output_tokens = models.PositiveBigIntegerField()
    cached_tokens = models.PositiveBigIntegerField()
    cache_write_tokens = models.PositiveBigIntegerField()
    reasoning_tokens = models.PositiveBigIntegerField()
    cost = models.DecimalField(max_digits=24, decimal_places=10)
    calls_without_price = models.PositiveBigIntegerField()
    calls_estimated = models.PositiveBigIntegerField()

    class Meta:
        indexes = [models.Index(fields=["user", "day"], name="usage_by_user")]

    def __str__(self) -> str:
        return f"{self.day} {self.provider} {self.model}: {self.calls} calls"


class UsageRollup(models.Model):
    """How far calls were summed up into days. There is one row."""

    until = models.DateField(help_text="The first day that is not.")

    def __str__(self) -> str:
        return f"until {self.until}"
