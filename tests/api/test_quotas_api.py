"""/api/quotas and /api/quota: what staff set holds from the next call on, and everybody is told what is left."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.gateway import Gateway

ECHO = {"provider": "demo", "prompt": "x"}


_MAKE = """
from accounts.models import ApiToken, User; from django.contrib.auth.models import Group
for name in {names!r}:
    user = User.objects.create(username=name)
    user.groups.add(Group.objects.create(name=f"group of {{name}}"))
    token, clear = ApiToken.objects.issue(user, "t")
    print(name, token.pk, clear)
"""


@dataclass(frozen=True)
class Person:
    """A user of one test's own, the only member of a group."""

    name: str
    token_id: int
    token: str

    @property
    def group(self) -> str:
        return f"group of {self.name}"


@pytest.fixture(scope="module")
def people(gateway: Gateway) -> Iterator[Person]:
    made = gateway.python(_MAKE.format(names=[f"person{i}" for i in range(9)]))
    return (Person(name, int(key), token) for name, key, token in map(str.split, made.splitlines()))


@pytest.fixture
def person(people: Iterator[Person]) -> Person:
    return next(people)


@pytest.fixture
def name(person: Person) -> str:
    return person.name


@pytest.fixture
def token(person: Person) -> str:
    return person.token


def ask(gateway: Gateway, token: str, method: str, path: str, body: Any = None) -> httpx.Response:
    return gateway.call(token, body, path, method=method)


def made(gateway: Gateway, staff_token: str, **body: Any) -> dict[str, Any]:
    answer = ask(gateway, staff_token, "POST", "/api/quotas", body)
    assert answer.status_code == 201, answer.text
    quota: dict[str, Any] = answer.json()["data"]
    return quota


def standing(gateway: Gateway, token: str, query: str = "") -> list[dict[str, Any]]:
    answer = ask(gateway, token, "GET", f"/api/quota{query}")
    assert answer.status_code == 200, answer.text
    told: list[dict[str, Any]] = answer.json()["data"]
    return told


def test_a_quota_holds_from_the_moment_it_is_set(gateway: Gateway, staff_token: str, name: str, token: str) -> None:
    assert gateway.call(token, ECHO).status_code == 200
    assert standing(gateway, token) == []
    made(gateway, staff_token, user=name, provider=None, unit="requests", window="total", limit=2)
    assert [gateway.call(token, ECHO).status_code for _ in range(3)] == [200, 200, 429]
    (told,) = standing(gateway, token)
    assert told == {
        "subject": "user",
        "group": None,
        "provider": None,
        "unit": "requests",
        "window": "total",
        "limit": 2,
        "used": 2,
        "reserved": 0,
        "remaining": 0,
        "resets_at": None,
        "until": None,
        "currency": None,
    }


def test_a_refusal_says_which_quota_and_how_it_stands(
    gateway: Gateway, staff_token: str, name: str, token: str
) -> None:
    made(gateway, staff_token, user=name, provider="demo", unit="requests", window="month", limit=0)
    refused = gateway.call(token, ECHO)
    error = refused.json()["error"]
    assert (refused.status_code, error["code"]) == (429, "QUOTA_EXCEEDED")
    assert "Retry-After" not in refused.headers, "more than the whole quota never fits"
    assert refused.headers["x-should-retry"] == "false"
    resets_at = datetime.fromisoformat(error["details"].pop("resets_at"))
    now = datetime.now(UTC)
    assert (resets_at.day, resets_at.hour) == (1, 0)
    assert now < resets_at < now + timedelta(days=32)
    assert error["details"] == {
        "subject": "user",
        "provider": "demo",
        "unit": "requests",
        "window": "month",
        "limit": 0,
        "used": 0,
        "reserved": 0,
        "needed": 1,
    }


def test_a_refusal_that_waiting_helps_says_how_long(gateway: Gateway, staff_token: str, name: str, token: str) -> None:
    made(gateway, staff_token, user=name, unit="requests", window="day", limit=1)
    assert gateway.call(token, ECHO).status_code == 200
    refused = gateway.call(token, ECHO)
    resets_at = datetime.fromisoformat(refused.json()["error"]["details"]["resets_at"])
    waits = (resets_at - datetime.now(UTC)).total_seconds()
    assert abs(int(refused.headers["Retry-After"]) - waits) < 5
    assert ("x-should-retry" in refused.headers) == (waits > 60), "clients that try again by themselves would hammer"


def test_change_raise_and_delete(gateway: Gateway, staff_token: str, name: str, token: str) -> None:
    quota = made(gateway, staff_token, user=name, unit="requests", window="total", limit=1)
    path = f"/api/quotas/{quota['id']}"
    assert [gateway.call(token, ECHO).status_code for _ in range(2)] == [200, 429]
    patched = ask(gateway, staff_token, "PATCH", path, {"limit": 2})
    assert patched.json()["data"] == {**quota, "limit": 2}
    assert [gateway.call(token, ECHO).status_code for _ in range(2)] == [200, 429], "what was counted stays"

    tomorrow = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0)
    raised = {"user": name, "unit": "requests", "window": "total", "limit": 3, "until": tomorrow.isoformat()}
    temporary = made(gateway, staff_token, **raised)
    assert datetime.fromisoformat(temporary["until"]) == tomorrow
    assert [gateway.call(token, ECHO).status_code for _ in range(2)] == [200, 429]
    (told,) = standing(gateway, token)
    assert (told["limit"], told["used"], datetime.fromisoformat(told["until"])) == (3, 3, tomorrow)

    put = ask(gateway, staff_token, "PUT", path, {"user": name, "unit": "tokens", "window": "day", "limit": 7})
    assert put.json()["data"] == {**quota, "unit": "tokens", "window": "day", "limit": 7}
    incomplete = ask(gateway, staff_token, "PUT", path, {"limit": 7})
    assert incomplete.json()["error"]["details"].keys() == {"unit"}
    for one in (quota, temporary):
        assert ask(gateway, staff_token, "DELETE", f"/api/quotas/{one['id']}").status_code == 204
    assert ask(gateway, staff_token, "GET", path).status_code == 404
    assert standing(gateway, token) == []
    assert gateway.call(token, ECHO).status_code == 200


def test_groups_tokens_and_concurrency(gateway: Gateway, staff_token: str, person: Person) -> None:
    group = person.group
    made(gateway, staff_token, group=group, unit="cost", window="month", limit="12.5", allow_unpriced=True)
    made(gateway, staff_token, token=person.token_id, unit="concurrency", limit=4)
    mine = standing(gateway, person.token)
    assert [(one["subject"], one["group"], one["unit"], one["window"], one["limit"]) for one in mine] == [
        ("token", None, "concurrency", "total", 4),
        ("group", group, "cost", "month", 12.5),
    ]
    assert [one["currency"] for one in mine] == [None, "USD"]
    others = standing(gateway, staff_token, f"?user={person.name}")
    assert [one["subject"] for one in others] == ["group"], "a token's own limits are told to that token"


def test_a_default_is_everybodys_own(gateway: Gateway, staff_token: str, name: str, token: str) -> None:
    quota = made(gateway, staff_token, provider="demo", unit="tokens", window="total", limit=10**15)
    try:
        assert (quota["user"], quota["group"], quota["token"]) == (None, None, None)
        assert [(one["subject"], one["limit"]) for one in standing(gateway, token)] == [("user", 10**15)]
        made(gateway, staff_token, user=name, provider="demo", unit="tokens", window="total", limit=10**14)
        assert [one["limit"] for one in standing(gateway, token)] == [10**14], "one of their own goes before it"
    finally:
        ask(gateway, staff_token, "DELETE", f"/api/quotas/{quota['id']}")


def test_the_list_has_pages(gateway: Gateway, staff_token: str, name: str, token: str) -> None:
    body = {"user": name, "unit": "requests", "limit": 5}
    quotas = [made(gateway, staff_token, **body, window=window) for window in ("minute", "hour", "day")]
    listed = ask(gateway, staff_token, "GET", f"/api/quotas?user={name}")
    assert listed.json()["data"] == quotas
    page = ask(gateway, staff_token, "GET", f"/api/quotas?user={name}&limit=1&offset=1")
    assert page.json()["data"] == quotas[1:2]
    assert page.headers["X-Total-Count"] == "3"
    everybodys = ask(gateway, staff_token, "GET", "/api/quotas")
    assert int(everybodys.headers["X-Total-Count"]) >= 3
    wrong = ask(gateway, staff_token, "GET", "/api/quotas?limit=100000")
    assert (wrong.status_code, "limit" in wrong.json()["error"]["details"]) == (400, True)


GOOD = {"unit": "requests", "window": "day", "limit": 1}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({**GOOD, "user": "nobody-of-that-name"}, "user"),
        ({**GOOD, "user": "with\0nothing"}, "user"),
        ({**GOOD, "user": 5}, "user"),
        ({**GOOD, "group": "no such group"}, "group"),
        ({**GOOD, "token": 10**30}, "token"),
        ({**GOOD, "token": "5"}, "token"),
        ({**GOOD, "provider": "no-such-provider"}, "provider"),
        ({**GOOD, "unit": "kilograms"}, "unit"),
        ({**GOOD, "window": "fortnight"}, "window"),
        ({"unit": "requests", "limit": 1}, "window"),
        ({"unit": "requests", "window": "day"}, "limit"),
        ({**GOOD, "limit": -1}, "limit"),
        ({**GOOD, "limit": 1.5}, "limit"),
        ({**GOOD, "limit": True}, "limit"),
        ({**GOOD, "limit": None}, "limit"),
        ({**GOOD, "limit": "NaN"}, "limit"),
        ({**GOOD, "limit": "1e999999"}, "limit"),
        ({**GOOD, "unit": "cost", "limit": "0.00000001"}, "limit"),
        ({**GOOD, "until": "soon"}, "until"),
        ({**GOOD, "until": 20310101}, "until"),
        ({**GOOD, "allow_unpriced": "yes"}, "allow_unpriced"),
        ({**GOOD, "user": "staff", "group": "no such group"}, "group"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_fields_are_named(gateway: Gateway, staff_token: str, body: dict[str, Any], field: str) -> None:
    refused = ask(gateway, staff_token, "POST", "/api/quotas", body)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "INVALID_REQUEST"), refused.text
    assert refused.json()["error"]["details"].keys() == {field}
    assert refused.json()["error"]["message"].startswith(field)


def test_one_subject_and_one_quota_of_a_kind(gateway: Gateway, staff_token: str, person: Person) -> None:
    name, group = person.name, person.group
    both = ask(gateway, staff_token, "POST", "/api/quotas", {**GOOD, "user": name, "group": group})
    assert both.json()["error"]["message"] == "A quota is for one user, one group or one token, or for everybody."
    made(gateway, staff_token, **GOOD, user=name)
    again = ask(gateway, staff_token, "POST", "/api/quotas", {**GOOD, "user": name, "limit": 2})
    assert (again.status_code, again.json()["error"]["code"]) == (400, "INVALID_REQUEST")
    assert again.json()["error"]["message"].startswith("There is such a quota already.")


@pytest.mark.parametrize(
    ("method", "tail"),
    [("GET", ""), ("POST", ""), ("GET", "/1"), ("PUT", "/1"), ("PATCH", "/1"), ("DELETE", "/1")],
)
def test_only_staff(gateway: Gateway, user_token: str, method: str, tail: str) -> None:
    refused = ask(gateway, user_token, method, f"/api/quotas{tail}", GOOD)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "FORBIDDEN")
    anonymous = httpx.request(method, f"{gateway.url}/api/quotas{tail}", json=GOOD)
    assert anonymous.status_code == 401


def test_nobody_is_told_of_others_but_staff(gateway: Gateway, user_token: str, staff_token: str) -> None:
    refused = ask(gateway, user_token, "GET", "/api/quota?user=staff")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "FORBIDDEN")
    unknown = ask(gateway, staff_token, "GET", "/api/quota?user=nobody-here")
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (400, "INVALID_REQUEST")
    assert standing(gateway, user_token, "?user=ordinary") == standing(gateway, user_token)
