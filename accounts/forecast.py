"""How the window of a quota will end, if it goes on as it did so far."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from accounts.models import Unit
from accounts.standing import QuotaStanding
from accounts.windows import Span

_SEEN_LEAST = 10  # a tenth of the window must be over
_REQUESTS_LEAST = 5  # fewer are no pace
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Forecast:
    """used_by_end: in the quota's unit, also beyond its limit. runs_out_at: None if not before the window ends."""

    used_by_end: Decimal
    runs_out_at: datetime | None


def forecast(standing: QuotaStanding, window: Span, now: datetime) -> Forecast | None:
    """What a limit comes to at the pace of its window so far. `window` is the one that is running now.

    None where that cannot be told: the window never ends or has hardly begun, next to nothing was used, nothing is
    left, or the limit itself ends before the window does.
    """
    if window.ends_at is None or not 0 < standing.used < standing.limit or not standing.remaining:
        return None
    if standing.unit == Unit.REQUESTS and standing.used < _REQUESTS_LEAST:
        return None
    length, over = window.ends_at - window.starts_at, now - window.starts_at
    if over * _SEEN_LEAST < length or (standing.until is not None and standing.until < window.ends_at):
        return None
    used_by_end = standing.used * (length // _TICK) / (over // _TICK)
    if used_by_end <= standing.limit:
        return Forecast(used_by_end, None)
    return Forecast(used_by_end, window.starts_at + over * float(standing.limit / standing.used))
