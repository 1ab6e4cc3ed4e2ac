"""Amounts of requests, tokens and money in JSON."""

from decimal import Decimal


def number(amount: Decimal) -> int | float:
    """An amount as a JSON number: a whole one without a fraction, any other exact to 15 digits."""
    return int(amount) if amount == int(amount) else float(amount)
