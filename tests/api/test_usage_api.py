"""/api/usage: what somebody has used, from the first moment of a call on."""

import secrets
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.gateway import Gateway


def usage(gateway: Gateway, token: str, **query: str) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {token}"}
    answer = httpx.get(f"{gateway.url}/api/usage", params=query, headers=headers)
    assert answer.status_code == 200, answer.text
    data: dict[str, Any] = answer.json()["data"]
    return data


def settled(gateway: Gateway, token: str) -> dict[str, Any]:
    """The usage of a caller none of whose calls is open any more."""
    deadline = time.monotonic() + 10
    while (told := usage(gateway, token))["totals"]["open_calls"] and time.monotonic() < deadline:
        time.sleep(0.05)
    return told


def test_calls_count_from_their_admission_on(gateway: Gateway, staff_token: str, provider: str) -> None:
    gateway.call(staff_token, {"gap_timeout": 20.0}, f"/api/providers/{provider}", method="PATCH")
    name = f"user-{secrets.token_hex(4)}"
    token = gateway.token(name)
    nothing = usage(gateway, token)
    assert (nothing["user"], nothing["totals"]["calls"], nothing["breakdown"]) == (name, 0, [])
    gateway.call(token, {"provider": provider, "prompt": "x"})
    gateway.call(token, {"provider": provider, "prompt": "x", "stream": True})
    gateway.call(token, {"provider": provider, "prompt": "x", "model": "status-500"})
    totals = settled(gateway, token)["totals"]
    assert (totals["calls"], totals["input_tokens"], totals["output_tokens"], totals["total_tokens"]) == (3, 16, 9, 25)

    headers = {"Authorization": f"Bearer {token}"}
    slow = {"provider": provider, "prompt": "x", "model": "paced", "stream": True}
    with httpx.stream("POST", f"{gateway.url}/api/generate", json=slow, headers=headers, timeout=20) as running:
        next(running.iter_lines())
        totals = usage(gateway, token)["totals"]
        assert (totals["calls"], totals["open_calls"], totals["total_tokens"]) == (4, 1, 25)
    assert settled(gateway, token)["totals"]["calls"] == 4
    by_state = usage(gateway, token, group_by="state")
    assert {one["state"]: one["calls"] for one in by_state["breakdown"]} == {
        "done": 2,
        "upstream_error": 1,
        "client_gone": 1,
    }
    by_token = usage(gateway, token, group_by="token")
    assert [(one["token_name"], one["calls"]) for one in by_token["breakdown"]] == [("command line", 4)]


def test_a_range_of_time(gateway: Gateway) -> None:
    token = gateway.token(f"user-{secrets.token_hex(4)}")
    gateway.call(token, {"provider": "demo", "prompt": "x"})
    today = datetime.now(UTC).date()
    tomorrow = today + timedelta(days=1)
    inside = usage(gateway, token, since=f"{today - timedelta(days=1)}", until=f"{tomorrow}", group_by="day")
    assert inside["totals"]["calls"] == 1
    assert [day["calls"] for day in inside["breakdown"]] == [1]
    assert inside["until"] == f"{tomorrow}T00:00:00Z"
    assert usage(gateway, token, since=f"{tomorrow}T00:00:00+00:00")["totals"]["calls"] == 0
    assert usage(gateway, token, until=f"{today - timedelta(days=1)}T12:00:00")["totals"]["calls"] == 0
    headers = {"Authorization": f"Bearer {token}"}
    unescaped = httpx.get(f"{gateway.url}/api/usage?since={today}T00:00:00+14:00", headers=headers)
    assert unescaped.status_code == 200, "the + of a time zone comes as a space"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("since=yesterday", "since"),
        ("until=2031-02-30", "until"),
        ("since=9999-12-31T23:59-10:00", "since"),
        ("group_by=colour", "group_by"),
    ],
)
def test_bad_questions_are_told(gateway: Gateway, user_token: str, query: str, field: str) -> None:
    refused = httpx.get(f"{gateway.url}/api/usage?{query}", headers={"Authorization": f"Bearer {user_token}"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "INVALID_REQUEST")
    assert refused.json()["error"]["details"].keys() == {field}


def test_others_are_told_to_staff_only(gateway: Gateway, user_token: str, staff_token: str) -> None:
    refused = gateway.call(user_token, None, "/api/usage?user=staff", method="GET")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "FORBIDDEN")
    mine, told = usage(gateway, user_token), usage(gateway, staff_token, user="ordinary")
    assert (mine["user"], mine["totals"]) == (told["user"], told["totals"]) == ("ordinary", told["totals"])
    assert gateway.call(staff_token, None, "/api/usage?user=nobody-here", method="GET").status_code == 400
    assert httpx.get(f"{gateway.url}/api/usage").status_code == 401


SPENT = """
from accounts.models import User
from tests.unit.spent import days_ago, spend
user = User.objects.get(username="spender")
for day in range(40):
    spend(user, days_ago(day, hours=9), cost="0.0000000003", cached_tokens=4)
    spend(user, days_ago(day, hours=21), model="large", cost=None, estimated=True)
"""
RANGES: list[dict[str, str]] = [
    {},
    *({"group_by": name} for name in ("provider", "day", "token", "state")),
    {"since": str(datetime.now(UTC).date() - timedelta(days=30))},
    {"since": f"{datetime.now(UTC).date() - timedelta(days=30)}T12:00", "group_by": "day"},
    {"until": f"{datetime.now(UTC).date() - timedelta(days=10)}T12:00"},
]


@pytest.mark.postgresql
def test_quotas_usage_and_upkeep_on_postgresql(on_postgresql: Gateway) -> None:
    gateway = on_postgresql
    token, staff = gateway.token("spender"), gateway.token("staff", staff=True)
    gateway.python(SPENT)
    before = [usage(gateway, token, **one) for one in RANGES]
    totals = before[0]["totals"]
    assert (totals["calls"], totals["total_tokens"], totals["cached_tokens"]) == (80, 1200, 160)
    assert totals["cost"] == 1.2e-8
    assert (totals["calls_without_price"], totals["estimated_calls"]) == (40, 40)
    assert len(before[2]["breakdown"]) == 40
    assert before[5]["totals"]["calls"] == 62
    gateway.environment["GATEWAY_KEEP_CALLS_DAYS"] = "35"
    told = gateway.manage("maintain")
    assert "Summed up: 38 days. Deleted: 8 calls" in told
    after = [usage(gateway, token, **one) for one in RANGES]
    assert [one["totals"] for one in after] == [one["totals"] for one in before]
    assert [one["breakdown"] for one in after if one["group_by"] != "state"] == [
        one["breakdown"] for one in before if one["group_by"] != "state"
    ]
    states = {one["state"]: one["calls"] for one in after[4]["breakdown"]}
    assert states == {"done": 72, None: 8}

    body = {"user": "spender", "unit": "requests", "window": "total", "limit": 1}
    assert gateway.call(staff, body, "/api/quotas").status_code == 201
    assert gateway.call(staff, body, "/api/quotas").status_code == 400
    nothing = gateway.call(staff, {**body, "user": "a\0b"}, "/api/quotas")
    assert nothing.status_code == 400
    assert [gateway.call(token, {"provider": "demo", "prompt": "x"}).status_code for _ in range(2)] == [200, 429]
    (standing,) = gateway.call(token, None, "/api/quota", method="GET").json()["data"]
    assert (standing["limit"], standing["used"], standing["remaining"]) == (1, 1, 0)
