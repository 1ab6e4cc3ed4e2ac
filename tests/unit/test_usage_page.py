"""What the usage page says of limits and how it sums up, as tables."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.utils.html import strip_tags
from pytest_django import Settings

from accounts import upkeep, usage
from accounts.models import ApiToken, Unit, User, Window
from accounts.standing import QuotaStanding
from accounts.windows import window_at
from proxyproject.pages.amounts import Clock, grouped, money
from proxyproject.pages.usage_limits import Limit, verdict, worst_first
from proxyproject.pages.usage_period import Asked
from proxyproject.pages.usage_sums import SERIES_MOST, Breakdown, token_names
from tests.unit.spent import days_ago, spend

NOW = datetime(2031, 11, 16, 13, 20, tzinfo=UTC)  # half of November is over
CLOCK = Clock(NOW, UTC)
TODAY = date(2031, 11, 16)


def limit(
    unit: Unit,
    window: Window,
    used: str,
    limit: str,
    reserved: str = "0",
    provider: str = "",
    group: str = "",
    clock: Clock = CLOCK,
) -> Limit:
    amounts = {"limit": Decimal(limit), "used": Decimal(used), "reserved": Decimal(reserved)}
    standing = QuotaStanding(
        "group" if group else "user",
        group,
        provider,
        unit,
        window,
        resets_at=window_at(window, NOW, "UTC").ends_at,
        until=None,
        **amounts,
    )
    return Limit.of(standing, "UTC", "USD", clock)


def plain(text: str) -> str:
    """Without markup, and with ordinary spaces."""
    return strip_tags(text).replace("\u202f", " ").replace("\u00a0", " ")


FINE = limit(Unit.REQUESTS, Window.HOUR, "1", "50")


@pytest.mark.parametrize(
    ("limits", "level", "text"),
    [
        ([], "information", "No limit is set."),
        ([FINE], "good", "You are within all limits."),
        (
            [FINE, limit(Unit.TOKENS, Window.MONTH, "600000", "900000")],
            "attention",
            "Tokens this month run out on 24 November at this pace.",
        ),
        (
            [limit(Unit.COST, Window.DAY, "6", "10", provider="demo")],
            "attention",
            "Money for today for provider demo runs out at 22:13 UTC at this pace.",
        ),
        (
            [limit(Unit.REQUESTS, Window.HOUR, "50", "50"), FINE],
            "bad",
            "No requests left this hour; it begins anew at 14:00 UTC.",
        ),
        (
            [limit(Unit.TOKENS, Window.MONTH, "10", "12", "2", group="research & co")],
            "bad",
            "No tokens left this month for group research &amp; co, together; it begins anew on 1 December, 00:00 UTC.",
        ),
        ([limit(Unit.COST, Window.TOTAL, "25.1", "25")], "bad", "No money left."),
        (
            [limit(Unit.REQUESTS, Window.DAY, "0", "0")],
            "bad",
            "No call is let through: the limit of requests today is 0.",
        ),
        (
            [limit(Unit.TOKENS, Window.HOUR, "9500", "10000")],
            "attention",
            "Only 500 of 10 000 tokens left this hour; it begins anew at 14:00 UTC.",
        ),
        ([limit(Unit.COST, Window.TOTAL, "49.5", "50")], "attention", "Only 0.5000 of 50.00 USD left."),
        ([limit(Unit.CONCURRENCY, Window.TOTAL, "0", "4", "4")], "good", "You are within all limits."),
        (
            [limit(Unit.REQUESTS, Window.HOUR, "50", "50", provider="demo"), limit(Unit.COST, Window.HOUR, "1", "1")],
            "bad",
            "No money left this hour; it begins anew at 14:00 UTC.",
        ),
        (
            [limit(Unit.REQUESTS, Window.HOUR, "9", "9"), limit(Unit.TOKENS, Window.DAY, "9", "9")],
            "bad",
            "No tokens left today; it begins anew on 17 November, 00:00 UTC.",
        ),
    ],
)
def test_the_sentence_on_top(limits: list[Limit], level: str, text: str) -> None:
    said = verdict(limits)
    assert (said.level, plain(said.text)) == (level, text)


def test_of_somebody_else_it_names_them() -> None:
    assert verdict([FINE], "selam").text == "selam is within all limits."


def test_a_limit_has_a_line_a_bar_and_what_is_expected() -> None:
    one = limit(Unit.TOKENS, Window.MONTH, "310000", "1000000", "90000", provider="demo")
    assert plain(one.title) == "600 000 of 1 000 000 tokens left this month"
    assert (one.left_width, one.reserved_width, one.level, one.where) == (600, 90, "good", "provider demo")
    assert plain(one.resets) == "resets on 1 December, 00:00 UTC"
    assert plain(one.expectation) == "At this pace about 598 000 will be used by then."
    money_left = limit(Unit.COST, Window.HOUR, "1.25", "60")
    assert (plain(money_left.title), money_left.expectation) == ("58.75 of 60.00 USD left this hour", "")
    over = limit(Unit.COST, Window.TOTAL, "70", "60", "1")
    assert (over.left_width, over.reserved_width, over.resets) == (0, 16, "does not begin anew")
    running = limit(Unit.CONCURRENCY, Window.TOTAL, "0", "4", "1")
    assert (running.title, running.resets, running.reserved) == ("3 of 4 calls at the same time free", "", "")


def test_times_are_told_by_the_readers_clock() -> None:
    clock = Clock(NOW, ZoneInfo("Africa/Addis_Ababa"))
    one = limit(Unit.REQUESTS, Window.DAY, "50", "50", clock=clock)
    assert plain(verdict([one]).text) == "No requests left today; it begins anew on 17 November, 03:00 EAT."
    assert 'datetime="2031-11-17T00:00:00+00:00"' in verdict([one]).text


def test_the_worst_comes_first() -> None:
    bad = limit(Unit.COST, Window.TOTAL, "9", "9")
    running_out = limit(Unit.TOKENS, Window.MONTH, "600000", "900000")
    at_once = limit(Unit.CONCURRENCY, Window.TOTAL, "0", "4", "1")
    assert worst_first([at_once, FINE, running_out, bad]) == [bad, running_out, FINE, at_once]


@pytest.mark.parametrize(
    ("query", "first", "last", "by", "measure"),
    [
        ({}, "2031-10-18", "2031-11-16", "provider", "tokens"),
        ({"days": "7", "by": "model", "measure": "cost"}, "2031-11-10", "2031-11-16", "model", "cost"),
        ({"month": "2031-02"}, "2031-02-01", "2031-02-28", "provider", "tokens"),
        ({"month": "2031-12", "days": "7"}, "2031-12-01", "2031-12-31", "provider", "tokens"),
        (
            {"days": "8", "by": "x", "measure": "'", "month": "2031-13"},
            "2031-10-18",
            "2031-11-16",
            "provider",
            "tokens",
        ),
        ({"month": "0000-01"}, "2031-10-18", "2031-11-16", "provider", "tokens"),
        ({"month": "9999-12"}, "2031-10-18", "2031-11-16", "provider", "tokens"),
    ],
)
def test_what_is_asked(query: dict[str, str], first: str, last: str, by: str, measure: str) -> None:
    asked = Asked.of(query, TODAY)
    assert (f"{asked.first}", f"{asked.last}", asked.by, asked.measure) == (first, last, by, measure)
    days = asked.days(TODAY)
    assert days[:1] == ([first] if asked.first <= TODAY else [])
    assert days[-1:] == ([min(last, f"{TODAY}")] if asked.first <= TODAY else [])
    assert asked.until - asked.since == timedelta(days=(asked.last - asked.first).days + 1)


def test_links_keep_what_was_asked() -> None:
    asked = Asked.of({"month": "2031-02", "by": "token", "user": "a&b"}, TODAY)
    assert asked.link(measure="cost") == "?month=2031-02&measure=cost&by=token&user=a%26b"
    assert asked.link(days="7") == "?measure=tokens&by=token&user=a%26b&days=7"


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("0", "0.00 USD"),
        ("0.00000001", "< 0.0001 USD"),
        ("0.0123456", "0.0123 USD"),
        ("1", "1.00 USD"),
        ("1234567.891", "1 234 567.89 USD"),
    ],
)
def test_money(amount: str, shown: str) -> None:
    assert plain(money(Decimal(amount), "USD")) == shown
    assert grouped(Decimal("1234567.9")) == "1\u202f234\u202f567"


@pytest.fixture
def user(transactional_db: None) -> User:
    return User.objects.create_user("spender")


def test_many_groups_make_few_series(user: User) -> None:
    for number in range(8):
        spend(user, days_ago(number % 2), model=f"m{number}", input_tokens=10 * number, output_tokens=0)
    found = usage.report(user.pk, "cell")
    breakdown = Breakdown(found, "model", "tokens", "USD")
    assert [one.name for one in breakdown.groups][:3] == ["vendor/m7", "vendor/m6", "vendor/m5"]
    assert [one.name for one in breakdown.series] == ["vendor/m7", "vendor/m6", "vendor/m5", "vendor/m4", "other"]
    assert len(breakdown.series) == SERIES_MOST
    assert [one.series for one in breakdown.groups] == [1, 2, 3, 4, 0, 0, 0, 0]
    days = [f"{days_ago(day):%Y-%m-%d}" for day in (1, 0)]
    amounts = [one["amounts"] for one in breakdown.chart(days)["series"]]
    assert amounts == [[70, 0], [0, 60], [50, 0], [0, 40], [40, 20]]
    assert breakdown.days()[0] == (days[1], ["120", "0", "60", "0", "40", "20"])
    by_cost = Breakdown(found, "provider", "cost", "USD")
    assert [one["amounts"] for one in by_cost.chart(days)["series"]] == [[0.4, 0.4]]
    assert plain(by_cost.days()[0][1][0]) == "0.4000 USD"


def test_tokens_have_names(user: User) -> None:
    tokens = [ApiToken.objects.issue(user, name)[0] for name in ("editor", "twin", "twin")]
    for token in (*tokens, None):
        spend(user, days_ago(0), token=token)
    names = token_names(usage.report(user.pk, "cell"))
    assert names[tokens[0].pk] == "editor"
    assert names[tokens[1].pk] == f"twin ({tokens[1].shown}…)", "two of the same name are told apart"
    assert names[None] == "signed in, no token"


def test_cells_add_up_to_every_breakdown_also_of_days_that_were_rolled_up(user: User, settings: Settings) -> None:
    settings.GATEWAY_KEEP_CALLS_DAYS = 3
    token, _ = ApiToken.objects.issue(user, "t")
    for day in range(7):
        spend(user, days_ago(day), token=token, provider="second")
        spend(user, days_ago(day, hours=1), model="large", input_tokens=day)
        spend(user, days_ago(day, hours=2), model="large", cost=None)
    before = usage.report(user.pk, "cell", days_ago(6), days_ago(-1))
    assert upkeep.run_once().deleted
    found = usage.report(user.pk, "cell", days_ago(6), days_ago(-1))
    assert found == before
    assert len(found.breakdown) == 14
    groupings: tuple[usage.Grouping, ...] = ("day", "provider", "token", "model")
    for grouping in groupings:
        for key, sums in usage.report(user.pk, grouping, days_ago(6), days_ago(-1)).breakdown:
            cells = [of for cell, of in found.breakdown if cell.items() >= key.items()]
            assert sum(one.calls for one in cells) == sums.calls
            assert sum((one.cost for one in cells), Decimal(0)) == sums.cost
            assert sum(one.total_tokens for one in cells) == sums.total_tokens
