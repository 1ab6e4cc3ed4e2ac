"""Amounts and moments as people read them: thin spaces, the currency beside the money, the zone beside the time."""

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.utils.dateformat import format as formatted
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext

THIN_SPACE = "\u202f"  # the one that no line is broken at
_CENT, _FINE = Decimal("0.01"), Decimal("0.0001")


def grouped(amount: Decimal | int) -> str:
    """A whole number; what is behind the point is cut off."""
    return f"{int(amount):,}".replace(",", THIN_SPACE)


def money(amount: Decimal, currency: str = "") -> str:
    """Two decimals, or four where there is less than one unit of the currency; what is even less is said to be so.

    Without a currency where that stands beside it already.
    """
    if 0 < amount < _FINE:
        digits = f"<\u00a0{_FINE}"
    else:
        digits = f"{amount.quantize(_FINE if 0 < amount < 1 else _CENT):,f}".replace(",", THIN_SPACE)
    return f"{digits}\u00a0{currency}" if currency else digits


def zone_named(name: str) -> tzinfo:
    """A time zone by its IANA name; UTC where this machine does not know it."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return UTC


@dataclass(frozen=True, slots=True)
class Clock:
    """Tells moments by the reader's clock. `fixed`: the zone is the reader's own choice, not only a guess."""

    now: datetime
    zone: tzinfo
    fixed: bool = False

    @property
    def zone_name(self) -> str:
        return str(self.zone)

    def is_today(self, moment: datetime) -> bool:
        return moment.astimezone(self.zone).date() == self.now.astimezone(self.zone).date()

    def time(self, moment: datetime) -> SafeString:
        """`14:00 UTC`"""
        return self._tag(moment, "time", "H:i T")

    def date(self, moment: datetime) -> SafeString:
        """`24 November`"""
        return self._tag(moment, "date", gettext("j F"))

    def moment(self, moment: datetime) -> SafeString:
        """`24 November, 14:00 UTC`"""
        return self._tag(moment, "moment", gettext("j F, H:i T"))

    def _tag(self, moment: datetime, form: str, pattern: str) -> SafeString:
        """An element that usage.js shows in the browser's zone, where the reader has chosen none."""
        told = formatted(moment.astimezone(self.zone), pattern)
        return format_html('<time datetime="{}" data-form="{}">{}</time>', moment.isoformat(), form, told)
