"""/api/tokens: a user's own API tokens, made, changed, rotated and revoked; and that nothing but hashes is kept."""

import itertools
import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from accounts import tokens
from tests.credentials import ECHO, exchange, made, new_name, signed_in, status
from tests.gateway import Gateway

_PART = 12  # characters of a secret that must be nowhere


@pytest.fixture
def owner(gateway: Gateway) -> str:
    """A token of somebody new."""
    return gateway.token(new_name())


@pytest.fixture(scope="module")
def second(gateway: Gateway) -> Iterator[Gateway]:
    """Another process on the same database."""
    server = Gateway(gateway.var_dir).start()
    yield server
    server.stop()


def make(gateway: Gateway, by: str, **limits: Any) -> dict[str, Any]:
    data: dict[str, Any] = made(gateway.call(by, {"name": "a program", **limits}, "/api/tokens"))
    return data


def listed(gateway: Gateway, by: str, query: str = "") -> Any:
    return made(gateway.call(by, None, f"/api/tokens{query}", method="GET"))


def rotate(gateway: Gateway, by: str, key: int, grace: int) -> str:
    return str(made(gateway.call(by, {"grace_seconds": grace}, f"/api/tokens/{key}/rotate"))["token"])


def revoke(gateway: Gateway, by: str, key: int) -> int:
    return gateway.call(by, None, f"/api/tokens/{key}", method="DELETE").status_code


def change(gateway: Gateway, by: str, key: int, **values: Any) -> httpx.Response:
    return gateway.call(by, values, f"/api/tokens/{key}", method="PATCH")


def test_made_used_listed_and_revoked(gateway: Gateway, owner: str) -> None:
    answer = gateway.call(owner, {"name": "nightly", "expires_in": 600, "providers": ["demo"]}, "/api/tokens")
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    token = answer.json()["data"]
    assert tokens.is_well_formed(token["token"])
    assert token["shown"] == token["token"][:10]
    assert status(gateway, token["token"]) == 200
    kept = [one for one in listed(gateway, owner) if one["id"] == token["id"]]
    assert kept == [{name: value for name, value in token.items() if name != "token"}]
    assert (kept[0]["state"], kept[0]["name"], kept[0]["providers"]) == ("active", "nightly", ["demo"])
    ends = datetime.fromisoformat(kept[0]["expires_at"]) - datetime.now(UTC)
    assert timedelta(seconds=590) < ends <= timedelta(seconds=600)
    assert revoke(gateway, owner, token["id"]) == revoke(gateway, owner, token["id"]) == 204
    assert status(gateway, token["token"]) == 401
    assert made(gateway.call(owner, None, f"/api/tokens/{token['id']}", method="GET"))["state"] == "revoked"


def test_pages_of_the_list(gateway: Gateway, owner: str) -> None:
    made_here = [make(gateway, owner)["id"] for _ in range(3)]
    answer = gateway.call(owner, None, "/api/tokens?limit=2&offset=1", method="GET")
    assert [one["id"] for one in answer.json()["data"]] == [made_here[1], made_here[0]]
    assert answer.headers["x-total-count"] == "4"
    assert gateway.call(owner, None, "/api/tokens?limit=0", method="GET").status_code == 400


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "x" * 101},
        {"name": None},
        {"expires_in": 0},
        {"expires_in": "60"},
        {"expires_at": "2020-01-01"},
        {"expires_at": "soon"},
        {"expires_at": "2060-01-01", "expires_in": 60},
        {"providers": ["no-such-provider"]},
        {"providers": "demo"},
        {"providers": [["demo"]]},
        {"endpoints": ["admin"]},
        {"endpoints": [5]},
        {"models": [""]},
        {"models": ["m"] * 5 + [f"m{number}" for number in range(201)]},
        {"addresses": ["10.0.0.0/99"]},
        {"addresses": ["example.com"]},
        {"addresses": ["10.0.0.1\0"]},
    ],
    ids=lambda wrong: json.dumps(wrong)[:40],
)
def test_what_makes_no_sense(gateway: Gateway, user_token: str, wrong: dict[str, Any]) -> None:
    answer = gateway.call(user_token, {"name": "a", **wrong}, "/api/tokens")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "INVALID_REQUEST")
    assert list(wrong)[-1] in answer.json()["error"]["message"]


def test_a_change_holds_from_the_next_call_on(gateway: Gateway, owner: str) -> None:
    token = make(gateway, owner)
    secret, key = token["token"], token["id"]
    assert status(gateway, secret) == 200
    changed = made(change(gateway, owner, key, name="renamed", endpoints=["openai", "openai"]))
    assert (changed["name"], changed["endpoints"], changed["shown"]) == ("renamed", ["openai"], token["shown"])
    assert status(gateway, secret) == 403
    made(change(gateway, owner, key, endpoints=[]))
    assert status(gateway, secret) == 200
    made(change(gateway, owner, key, models=["gpt-*"]))
    assert status(gateway, secret) == 403
    made(change(gateway, owner, key, models=[], addresses=["203.0.113.0/24"]))
    assert status(gateway, secret) == 403
    made(change(gateway, owner, key, addresses=["127.0.0.1"], expires_in=2))
    assert status(gateway, secret) == 200
    time.sleep(2.1)
    assert status(gateway, secret) == 401
    made(change(gateway, owner, key, expires_at=None))
    assert status(gateway, secret) == 200


@pytest.mark.parametrize("limits", [{"endpoints": ["openai"]}, {"models": ["gpt-*"]}, {"addresses": ["203.0.113.7"]}])
def test_a_limit_and_a_revocation_hold_at_once_where_the_token_is_remembered(
    gateway: Gateway, second: Gateway, owner: str, limits: dict[str, list[str]]
) -> None:
    limited, revoked = make(gateway, owner), make(gateway, owner)
    for token in (limited, revoked):
        assert [status(one, token["token"]) for one in (gateway, second)] == [200, 200]
    made(change(gateway, owner, limited["id"], **limits))
    revoke(gateway, owner, revoked["id"])
    assert [status(one, limited["token"]) for one in (second, gateway)] == [403, 403]
    assert [status(one, revoked["token"]) for one in (second, gateway)] == [401, 401]
    assert change(gateway, owner, revoked["id"], name="again").status_code == 400


def test_those_of_others(gateway: Gateway, owner: str, user_token: str, staff_token: str) -> None:
    token = make(gateway, owner)
    for path, method in (("", "GET"), ("", "PATCH"), ("", "DELETE"), ("/rotate", "POST")):
        answer = gateway.call(user_token, {}, f"/api/tokens/{token['id']}{path}", method=method)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND"), method
    name = gateway.call(owner, None, "/api/usage", method="GET").json()["data"]["user"]
    assert gateway.call(user_token, None, f"/api/tokens?user={name}", method="GET").status_code == 403
    assert token["id"] in [one["id"] for one in listed(gateway, staff_token, f"?user={name}")]
    assert "token" not in listed(gateway, staff_token, f"?user={name}")[0]
    assert gateway.call(staff_token, {}, f"/api/tokens/{token['id']}/rotate").status_code == 404
    assert change(gateway, staff_token, token["id"], name="mine").status_code == 404
    assert status(gateway, token["token"]) == 200
    assert revoke(gateway, staff_token, token["id"]) == 204
    assert status(gateway, token["token"]) == 401
    assert revoke(gateway, staff_token, 2**70) == 404


def test_a_limited_credential_or_a_pass_changes_no_rights(gateway: Gateway, owner: str, staff_token: str) -> None:
    key = make(gateway, owner)["id"]
    lesser = [make(gateway, owner, endpoints=[name])["token"] for name in ("generate", "usage", "browser-token")]
    lesser += [
        make(gateway, owner, models=["echo-1"])["token"],
        make(gateway, staff_token, providers=["demo"])["token"],
    ]
    lesser.append(made(gateway.call(owner, {}, "/api/auth/browser-token"))["token"])
    calls = [("", "GET"), ("", "POST"), (f"/{key}", "GET"), (f"/{key}", "PATCH"), (f"/{key}", "DELETE")]
    for secret, (path, method) in itertools.product(lesser, [*calls, (f"/{key}/rotate", "POST")]):
        assert gateway.call(secret, {"name": "a"}, f"/api/tokens{path}", method=method).status_code == 403


def test_none_outlives_what_made_it(gateway: Gateway, owner: str) -> None:
    lasting, short = make(gateway, owner), make(gateway, owner, expires_in=600)
    for wrong in ({}, {"expires_in": 700}, {"expires_at": None}):
        refused = gateway.call(short["token"], {"name": "a", **wrong}, "/api/tokens")
        assert (refused.status_code, "ends at" in refused.json()["error"]["message"]) == (403, True), wrong
    assert make(gateway, short["token"], expires_in=300)["state"] == "active"
    assert change(gateway, short["token"], short["id"], expires_at=None).status_code == 403
    assert change(gateway, short["token"], lasting["id"], name="b").status_code == 403
    assert gateway.call(short["token"], {}, f"/api/tokens/{lasting['id']}/rotate").status_code == 403
    assert status(gateway, rotate(gateway, short["token"], short["id"], 0)) == 200
    new = rotate(gateway, owner, lasting["id"], 60)
    refused = gateway.call(lasting["token"], {}, f"/api/tokens/{lasting['id']}/rotate")
    assert refused.status_code == 403, "whoever has the old secret does not get at the new one"
    assert gateway.call(lasting["token"], {"name": "a"}, "/api/tokens").status_code == 403
    assert make(gateway, new)["state"] == "active"


def test_one_tied_to_addresses_makes_none_for_elsewhere(gateway: Gateway, owner: str) -> None:
    free, tied = make(gateway, owner), make(gateway, owner, addresses=["127.0.0.0/8", "::1"])
    for wrong in ([], ["127.0.0.1", "10.0.0.1"], ["0.0.0.0/0"], ["::/0"]):
        refused = gateway.call(tied["token"], {"name": "a", "addresses": wrong}, "/api/tokens")
        assert (refused.status_code, "127.0.0.0/8" in refused.json()["error"]["message"]) == (403, True), wrong
    assert status(gateway, make(gateway, tied["token"], addresses=["127.0.0.1", "::1"])["token"]) == 200
    assert change(gateway, tied["token"], tied["id"], addresses=[]).status_code == 403
    assert gateway.call(tied["token"], {}, f"/api/tokens/{free['id']}/rotate").status_code == 403


def test_both_secrets_work_in_the_time_of_grace_and_the_old_one_ends_with_it(
    gateway: Gateway, second: Gateway, owner: str
) -> None:
    token = make(gateway, owner)
    old = token["token"]
    assert [status(one, old) for one in (gateway, second)] == [200, 200], "and both remember it"
    rotated = time.monotonic()
    new = rotate(gateway, owner, token["id"], 3)
    assert [status(one, secret) for one in (second, gateway) for secret in (old, new)] == [200] * 4
    assert time.monotonic() - rotated < 3
    time.sleep(max(0.0, rotated + 3.2 - time.monotonic()))
    assert [status(one, old) for one in (second, gateway)] == [401, 401]
    newest = rotate(gateway, owner, token["id"], 0)
    assert [status(one, new) for one in (second, gateway)] == [401, 401], "without grace at once"
    assert [status(one, newest) for one in (second, gateway)] == [200, 200]
    assert [status(one, old) for one in (second, gateway)] == [401, 401]
    revoke(gateway, owner, token["id"])
    assert [status(one, newest) for one in (second, gateway)] == [401, 401]
    assert gateway.call(owner, {}, f"/api/tokens/{token['id']}/rotate").status_code == 400


@pytest.mark.parametrize("wrong", [-1, 604_801, "60", 1.5, None])
def test_no_such_grace(gateway: Gateway, owner: str, wrong: Any) -> None:
    key = make(gateway, owner)["id"]
    assert gateway.call(owner, {"grace_seconds": wrong}, f"/api/tokens/{key}/rotate").status_code == 400


def test_no_call_with_the_good_secret_is_refused_while_it_is_rotated(
    gateway: Gateway, second: Gateway, owner: str
) -> None:
    token = make(gateway, owner)
    good, begun, over, statuses = [token["token"]], [0], threading.Event(), list[int]()

    def call(server: Gateway) -> None:
        with httpx.Client(base_url=server.url, timeout=30) as client:
            while not over.is_set():
                number = len(good) - 1
                secret = good[number]
                answer = client.post("/api/generate", json=ECHO, headers={"Authorization": f"Bearer {secret}"})
                if begun[-1] <= number + 1:  # no second rotation has begun meanwhile
                    statuses.append(answer.status_code)

    callers = [threading.Thread(target=call, args=(server,)) for server in (gateway, second)]
    for caller in callers:
        caller.start()
    for number in range(1, 21):
        begun.append(number)
        good.append(rotate(gateway, owner, token["id"], 60))
        time.sleep(0.05)
    over.set()
    for caller in callers:
        caller.join()
    assert len(statuses) > 25
    assert set(statuses) == {200}


def test_tokens_that_differ_in_one_character_have_nothing_in_common(gateway: Gateway, owner: str) -> None:
    assert status(gateway, owner) == 200, "and it is remembered"
    body = owner[:-6]
    for place in (4, 10, 30, len(body) - 1):
        other = body[:place] + ("a" if body[place] != "a" else "b") + body[place + 1 :]
        sound = other + tokens._checksum(other)
        assert tokens.is_well_formed(sound)
        assert status(gateway, sound) == 401
    assert status(gateway, owner.swapcase()) == 401
    assert status(gateway, owner) == 200


def test_nothing_but_hashes_is_in_the_database_or_the_log(gateway: Gateway, second: Gateway) -> None:
    name = new_name()
    owner = gateway.token(name)
    token = make(gateway, owner)
    secrets = [owner, token["token"]]
    secrets += [rotate(gateway, owner, token["id"], 60) for _ in range(2)]
    pair = signed_in(gateway, name)
    renewed = exchange(gateway, pair.refresh).json()
    handed = made(gateway.call(owner, {}, "/api/auth/browser-token"))["token"]
    web_tokens = [pair.access, pair.refresh, renewed["access"], renewed["refresh"], handed]
    for secret in (secrets[0], *secrets[2:], renewed["access"], handed):
        assert [status(one, secret) for one in (gateway, second)] == [200, 200]
    exchange(gateway, pair.refresh)  # comes a second time, which is written to the log
    kept = b"".join(file.read_bytes() for file in gateway.var_dir.glob("gateway.sqlite3*"))
    kept += gateway.log().encode()
    assert token["shown"].encode() in kept, "the beginning that is shown"
    assert tokens.digest(secrets[-1]).encode() in kept
    for secret in secrets:
        assert not _parts(secret[tokens.SHOWN :], kept)
    for one in web_tokens:
        assert not _parts(one.split(".")[2], kept), "the signature, without which the rest is good for nothing"
        assert one.encode() not in kept


def _parts(secret: str, kept: bytes) -> list[str]:
    """The parts of a secret that were kept."""
    parts = [secret[place : place + _PART] for place in range(len(secret) - _PART + 1)]
    return [part for part in parts if part.encode() in kept]
