"""What a quota comes to at the pace of its window so far, and where nothing is said of it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from accounts.forecast import Forecast, forecast
from accounts.models import Unit, Window
from accounts.standing import QuotaStanding
from accounts.windows import Span, window_at

MONTH = Span(datetime(2031, 11, 1, tzinfo=UTC), datetime(2031, 12, 1, tzinfo=UTC))  # 30 days
DAY = Span(datetime(2031, 11, 14, tzinfo=UTC), datetime(2031, 11, 15, tzinfo=UTC))
ENDLESS = window_at(Window.TOTAL, DAY.starts_at, "UTC")


def at(day: int, hour: int = 0) -> datetime:
    return datetime(2031, 11, day, hour, tzinfo=UTC)


def stands(
    used: str, limit: str, unit: Unit = Unit.TOKENS, reserved: str = "0", until: datetime | None = None
) -> QuotaStanding:
    amounts = {"limit": Decimal(limit), "used": Decimal(used), "reserved": Decimal(reserved)}
    return QuotaStanding("user", "", "", unit, Window.MONTH, resets_at=MONTH.ends_at, until=until, **amounts)


@pytest.mark.parametrize(
    ("standing", "window", "now", "used_by_end", "runs_out_at"),
    [
        (stands("500", "2000"), MONTH, at(16), "1000", None),
        (stands("1000", "2000"), MONTH, at(16), "2000", None),
        (stands("500", "700"), MONTH, at(16), "1000", at(22)),
        (stands("10.5", "21", Unit.COST), MONTH, at(11), "31.5", at(21)),
        (stands("5", "9", Unit.REQUESTS), DAY, at(14, 12), "10", at(14) + timedelta(hours=21, minutes=36)),
        (stands("1", "1000000"), DAY, at(14, 3), "8", None),
        (stands("500", "700", reserved="199"), MONTH, at(16), "1000", at(22)),
        (stands("500", "700", until=MONTH.ends_at), MONTH, at(16), "1000", at(22)),
    ],
)
def test_the_pace_goes_on(
    standing: QuotaStanding, window: Span, now: datetime, used_by_end: str, runs_out_at: datetime | None
) -> None:
    assert forecast(standing, window, now) == Forecast(Decimal(used_by_end), runs_out_at)


@pytest.mark.parametrize(
    ("standing", "window", "now"),
    [
        pytest.param(stands("500", "700"), MONTH, at(3, 23), id="the window has hardly begun"),
        pytest.param(stands("500", "700"), MONTH, MONTH.starts_at, id="it begins at this moment"),
        pytest.param(stands("500", "700"), MONTH, MONTH.starts_at - timedelta(seconds=1), id="it has yet to begin"),
        pytest.param(stands("0", "700"), MONTH, at(16), id="nothing was used"),
        pytest.param(stands("4", "5", Unit.REQUESTS), MONTH, at(16), id="too few requests for a pace"),
        pytest.param(stands("700", "700"), MONTH, at(16), id="nothing is left"),
        pytest.param(stands("500", "700", reserved="200"), MONTH, at(16), id="what is left is reserved"),
        pytest.param(stands("800", "700"), MONTH, at(16), id="more was used than the limit"),
        pytest.param(stands("0", "0"), MONTH, at(16), id="nothing is allowed"),
        pytest.param(stands("500", "700"), ENDLESS, at(16), id="it never begins anew"),
        pytest.param(stands("500", "700", until=at(30)), MONTH, at(16), id="the limit ends before the window"),
    ],
)
def test_nothing_is_said_without_grounds(standing: QuotaStanding, window: Span, now: datetime) -> None:
    assert forecast(standing, window, now) is None


def test_what_runs_out_does_so_within_the_window() -> None:
    for used in range(1, 200):
        found = forecast(stands(str(used), "100"), MONTH, at(9))
        if found is not None and found.runs_out_at is not None:
            assert at(9) < found.runs_out_at < at(30, 23) + timedelta(hours=1)
            assert found.used_by_end > 100
