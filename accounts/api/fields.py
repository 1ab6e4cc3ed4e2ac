"""Values of the accounts' API: amounts, and moments in a query."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.prices import sound_amount
from web.amounts import number

_MOST = 10**17  # as many digits as the column has


@extend_schema_field({"oneOf": [{"type": "number", "minimum": 0}, {"type": "string", "format": "decimal"}]})
class AmountField(serializers.Field[Decimal, Any, int | float, Any]):
    """A JSON number, or the same as a string of digits, in which programs write what a float cannot hold exactly.

    It is told as web.amounts.number has it.
    """

    def to_internal_value(self, data: Any) -> Decimal:
        amount = sound_amount(data) if isinstance(data, int | float | str) and not isinstance(data, bool) else None
        if amount is None or amount > _MOST:
            raise serializers.ValidationError(f"Give a number from 0 to {_MOST}.")
        return amount

    def to_representation(self, value: Decimal) -> int | float:
        return number(value)


@extend_schema_field({"type": "string", "format": "date-time"})
class MomentField(serializers.Field[datetime, Any, Any, Any]):
    """A date, which is its beginning, or a date with a time; in UTC unless it says otherwise."""

    def to_internal_value(self, data: Any) -> datetime:
        try:
            # The + of a time zone is a space in a query, unless it was escaped.
            text = data.replace(" ", "+") if "T" in data else data
            moment = datetime.fromisoformat(text)
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        except (AttributeError, TypeError, ValueError, OverflowError) as error:
            raise serializers.ValidationError("Give a date such as 2026-01-31, or 2026-01-31T12:00:00Z.") from error

    def to_representation(self, value: datetime) -> datetime:
        return value
