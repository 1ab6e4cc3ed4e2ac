"""/usage: the same numbers as the API's, on a page and as a file, for the reader and, to staff, of others."""

import csv
import io
import json
import re
import secrets
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest

from proxyproject.pages.amounts import grouped, money
from tests.gateway import Gateway

_PEOPLE = """
from django.contrib.auth.hashers import make_password
from accounts.models import Unit, User, Window
from tests.usage_seed import seed, set_quota
hashed = make_password({password!r})  # once: it is slow by design
for name in {names!r}:
    User.objects.create(username=name, password=hashed, is_staff=name.startswith("staff"))
reader = seed({names!r}[0], days=40, calls_a_day=4)
set_quota(reader, Unit.REQUESTS, Window.MONTH, "50", "47", provider="demo")
set_quota(reader, Unit.COST, Window.TOTAL, "25", "25.5")
"""


class Tables(HTMLParser):
    """The tables of a page, row by row, and the data that its chart is drawn from."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self._inside = False
        self.feed(page)
        found = re.search(r'<script id="chart-data" type="application/json">(.*?)</script>', page)
        self.chart: dict[str, Any] = json.loads(found[1]) if found else {}

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
            self._inside = True

    def handle_endtag(self, tag: str) -> None:
        self._inside = self._inside and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.tables[-1][-1][-1] += data.strip()


class Visitor(httpx.Client):
    """Somebody who is signed in."""

    def __init__(self, gateway: Gateway, username: str, password: str) -> None:
        super().__init__(base_url=gateway.url, headers={"accept": "text/html"}, timeout=20)
        self.username = username
        form = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.get("/login").text)
        assert form
        given = {"username": username, "password": password, "csrfmiddlewaretoken": form[1]}
        assert self.post("/login", data=given).status_code == 302

    def page(self, **query: str) -> str:
        answer = self.get("/usage", params=query)
        assert answer.status_code == 200, answer.text
        return answer.text

    def told(self, **query: str) -> dict[str, Any]:
        """What the API tells."""
        answer = self.get("/api/usage", params=query)
        assert answer.status_code == 200, answer.text
        data: dict[str, Any] = answer.json()["data"]
        return data


@pytest.fixture(scope="module")
def people(gateway: Gateway) -> Iterator[tuple[Visitor, Visitor, Visitor]]:
    """Somebody who has used a lot, somebody new, and one of the staff."""
    password = secrets.token_urlsafe(12)
    names = [f"{kind}-{secrets.token_hex(4)}" for kind in ("reader", "newcomer", "staff")]
    gateway.python(_PEOPLE.format(names=names, password=password))
    reader, newcomer, staff = (Visitor(gateway, name, password) for name in names)
    yield reader, newcomer, staff
    for one in (reader, newcomer, staff):
        one.close()


@pytest.fixture
def reader(people: tuple[Visitor, Visitor, Visitor]) -> Visitor:
    return people[0]


def span(first: str, last: str) -> dict[str, str]:
    until = datetime.fromisoformat(last) + timedelta(days=1)
    return {"since": first, "until": f"{until:%Y-%m-%d}"}


def names_of(group: dict[str, Any], by: str) -> str:
    if by == "token":
        return group["token_name"] or "signed in, no token"
    return "/".join(part for part in (group["provider"], group.get("model")) if part)


TODAY = datetime.now(UTC).date()
LAST_MONTH = TODAY.replace(day=1) - timedelta(days=1)


@pytest.mark.parametrize("by", ["provider", "model", "token"])
@pytest.mark.parametrize(
    ("query", "first", "last"),
    [
        ({"days": "7"}, f"{TODAY - timedelta(days=6)}", f"{TODAY}"),
        ({}, f"{TODAY - timedelta(days=29)}", f"{TODAY}"),
        ({"month": f"{LAST_MONTH:%Y-%m}"}, f"{LAST_MONTH.replace(day=1)}", f"{LAST_MONTH}"),
    ],
)
def test_the_numbers_are_those_of_the_api(
    reader: Visitor, by: str, query: dict[str, str], first: str, last: str
) -> None:
    shown = Tables(reader.page(by=by, **query))
    told = reader.told(group_by=by, **span(first, last))
    assert told["totals"]["calls"] > 10
    groups, days = shown.tables
    expected = {
        names_of(one, by): [
            *(grouped(one[name]) for name in ("calls", "input_tokens", "output_tokens", "total_tokens")),
            money(Decimal(str(one["cost"])), "USD") if one["calls_without_price"] < one["calls"] else "–",
        ]
        for one in told["breakdown"]
    }
    assert {row[0]: row[1:] for row in groups[1:]} == expected
    by_day = reader.told(group_by="day", **span(first, last))["breakdown"]
    assert {row[0]: row[1] for row in days[1:]} == {one["day"]: grouped(one["total_tokens"]) for one in by_day}
    assert (shown.chart["days"][0], shown.chart["days"][-1]) == (first, last)
    assert sum(sum(one["amounts"]) for one in shown.chart["series"]) == told["totals"]["total_tokens"]
    assert len(shown.chart["series"]) <= 5


@pytest.mark.parametrize("measure", ["calls", "cost"])
def test_the_chart_shows_what_was_chosen(reader: Visitor, measure: str) -> None:
    chart = Tables(reader.page(measure=measure)).chart
    by_day = reader.told(group_by="day", **span(chart["days"][0], chart["days"][-1]))["breakdown"]
    summed = [sum(amounts) for amounts in zip(*(one["amounts"] for one in chart["series"]), strict=True)]
    expected = {one["day"]: one[measure] for one in by_day}
    assert summed == pytest.approx([expected.get(day, 0) for day in chart["days"]])
    assert chart["currency"] == ("USD" if measure == "cost" else "")


def test_the_file_has_every_number(reader: Visitor) -> None:
    answer = reader.get("/usage?days=90&format=csv")
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"].startswith('attachment; filename="usage reader-')
    lines = list(csv.DictReader(io.StringIO(answer.text)))
    totals = reader.told()["totals"]
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for line in lines:
        for name in ("calls", "input_tokens", "output_tokens", "cost"):
            sums[name] += Decimal(line[name])
    assert sums == {name: Decimal(str(totals[name])) for name in sums}
    assert {line["token"] for line in lines} == {"nightly evaluation", "editor", "support desk", "signed in, no token"}
    assert {line["currency"] for line in lines} == {"USD"}


def test_a_file_has_no_formulas(gateway: Gateway, people: tuple[Visitor, Visitor, Visitor]) -> None:
    staff = people[2]
    gateway.call(gateway.token(staff.username), {"provider": "demo", "model": "=1+1", "prompt": "x"})
    (line,) = csv.DictReader(io.StringIO(staff.get("/usage?format=csv").text))
    assert line["model"] == "'=1+1"


def test_what_is_left_is_said(reader: Visitor) -> None:
    page = reader.page().replace("\u202f", " ").replace("\u00a0", " ")
    assert "No money left." in page
    assert "3 of 50 requests left this month" in page
    assert "provider demo" in page
    assert "0.00 of 25.00 USD left in total" in page
    assert "style=" not in page, "a strict policy forbids it"


def test_who_has_used_nothing_is_shown_where_to_begin(people: tuple[Visitor, Visitor, Visitor]) -> None:
    page = people[1].page()
    assert "No limit is set." in page
    assert "You have not used anything yet." in page
    assert '<a class="button" href="/">Start a chat</a>' in page
    assert "chart-data" not in page
    assert "Nothing was used from 1 January 2020 to 31 January 2020" not in page
    assert "Nothing was used from" in people[0].page(month="2020-01"), "others may choose another time"


def test_others_are_shown_to_staff_only(people: tuple[Visitor, Visitor, Visitor]) -> None:
    reader, newcomer, staff = people
    page = staff.page(user=reader.username, by="token")
    assert f"Usage of {reader.username}" in page
    assert Tables(page).chart == Tables(reader.page(by="token")).chart
    assert f"user={reader.username}" in page, "the switches stay with that person"
    assert newcomer.get("/usage", params={"user": reader.username}).status_code == 403
    assert newcomer.get("/usage", params={"user": newcomer.username}).status_code == 200
    assert staff.get("/usage", params={"user": "nobody-here"}).status_code == 404
    assert staff.get("/usage", params={"user": "a\0b"}).status_code == 404


def test_only_who_is_signed_in_is_shown_anything(gateway: Gateway) -> None:
    answer = httpx.get(f"{gateway.url}/usage?days=7", headers={"accept": "text/html"})
    assert (answer.status_code, answer.headers["location"]) == (302, "/login?next=/usage%3Fdays%3D7")


@pytest.mark.parametrize("query", ["days=0", "days=-1", "days=x", "month=9999-12", "month=2999-12", "by=x&measure=y"])
def test_what_makes_no_sense_shows_something_that_does(reader: Visitor, query: str) -> None:
    assert reader.get(f"/usage?{query}").status_code == 200
