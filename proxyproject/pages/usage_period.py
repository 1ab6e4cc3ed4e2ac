"""What a reader of the usage page has asked to see: whole days (UTC), and by what they are told apart."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal
from urllib.parse import urlencode

from accounts.usage import midnight

By = Literal["provider", "model", "token"]
Measure = Literal["tokens", "calls", "cost"]

BYS: tuple[By, ...] = ("provider", "model", "token")
MEASURES: tuple[Measure, ...] = ("tokens", "calls", "cost")
LENGTHS = (7, 30, 90)  # days
_USUAL_LENGTH = 30
_DAY = timedelta(days=1)
_MONTH = re.compile(r"(2[0-9]{3})-(0[1-9]|1[0-2])")


@dataclass(frozen=True, slots=True)
class Asked:
    """`first` and `last` are both part of it. length: of days up to today, month: `2031-05`; one of the two is given.

    user: as the query has it, None if it has none.
    """

    first: date
    last: date
    length: int | None
    month: str | None
    by: By
    measure: Measure
    user: str | None

    @classmethod
    def of(cls, query: Mapping[str, str], today: date) -> "Asked":
        """What makes no sense in a query is taken as if it were not there: the page says what it shows."""
        by: By = next((one for one in BYS if one == query.get("by")), "provider")
        measure: Measure = next((one for one in MEASURES if one == query.get("measure")), "tokens")
        user, month = query.get("user"), query.get("month", "")
        if found := _MONTH.fullmatch(month):
            first = date(int(found[1]), int(found[2]), 1)
            last = (first + 31 * _DAY).replace(day=1) - _DAY
            return cls(first, last, None, month, by, measure, user)
        length = next((one for one in LENGTHS if str(one) == query.get("days")), _USUAL_LENGTH)
        return cls(today - (length - 1) * _DAY, today, length, None, by, measure, user)

    @property
    def since(self) -> datetime:
        return midnight(self.first)

    @property
    def until(self) -> datetime:
        """The first moment that is not part of it."""
        return midnight(self.last + _DAY)

    def days(self, today: date) -> list[str]:
        """Each day of it that has begun, as in 2031-05-31."""
        last = min(self.last, today)
        return [f"{self.first + number * _DAY}" for number in range((last - self.first).days + 1)]

    def link(self, **changed: str) -> str:
        """The address of the page with something else asked; a length takes the place of a month, and the reverse."""
        period = {"month": self.month} if self.month else {"days": str(self.length)}
        if changed.keys() & {"days", "month"}:
            period = {}
        given = {**period, "measure": self.measure, "by": self.by, "user": self.user, **changed}
        return "?" + urlencode({name: value for name, value in given.items() if value is not None})


def month_of(day: date) -> str:
    return f"{day:%Y-%m}"


def month_before(day: date) -> str:
    return month_of(day.replace(day=1) - _DAY)


def today_utc(now: datetime) -> date:
    return now.astimezone(UTC).date()
