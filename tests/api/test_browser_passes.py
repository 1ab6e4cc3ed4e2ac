"""Short-lived passes that a program hands to a page: good for less than what handed them out, and for no longer."""

import json
import time
from typing import Any

import httpx
import pytest

from tests.credentials import ECHO, decoded, made, new_name, signed_in, status
from tests.gateway import Gateway


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def ask(gateway: Gateway, token: str, body: Any = None, **options: Any) -> httpx.Response:
    return gateway.call(token, body or {}, "/api/auth/browser-token", **options)


def test_it_works_in_every_header_and_for_its_origin_only(gateway: Gateway, user_token: str) -> None:
    told = ask(gateway, user_token, headers={"Origin": "https://app.example.com"})
    given = made(told)
    assert told.status_code == 201
    assert told.headers["cache-control"] == "no-store"
    assert given["origin"] == "https://app.example.com"
    assert given["endpoints"] == ["generate", "chat", "openai", "anthropic", "proxy"]
    assert given["providers"] == given["models"] == []
    remaining = decoded(given["token"])["exp"] - time.time()
    assert 3590 < remaining <= 3600
    page = {"Origin": "https://app.example.com"}
    for headers in ({"Authorization": f"Bearer {given['token']}"}, {"x-api-key": given["token"]}):
        for origin, wanted in ((page, 200), ({}, 403), ({"Origin": "https://app.example.com:8443"}, 403)):
            url = f"{gateway.url}/api/generate"
            assert httpx.post(url, json=ECHO, headers={**headers, **origin}, timeout=30).status_code == wanted
    for path in ("/api/usage", "/api/tokens", "/api/providers", "/api/quota"):
        assert status(gateway, given["token"], None, path, method="GET", headers=page) == 403, path
    assert ask(gateway, given["token"], headers=page).status_code == 403


def test_by_whom(gateway: Gateway, user_token: str) -> None:
    pair = signed_in(gateway, new_name())
    by_person = made(ask(gateway, pair.access, {"lifetime": 7200}))
    assert by_person["origin"] is None
    assert decoded(by_person["token"])["exp"] > decoded(pair.access)["exp"] + 600
    assert status(gateway, by_person["token"]) == 200
    httpx.post(f"{gateway.url}/api/auth/token/revoke", json={"refresh": pair.refresh}, timeout=30)
    assert status(gateway, by_person["token"]) == 401, "it ends with the sign-in"
    short = made(gateway.call(user_token, {"name": "short", "expires_in": 120}, "/api/tokens"))
    by_token = made(ask(gateway, short["token"]))
    assert decoded(by_token["token"])["exp"] <= time.time() + 120, "and not after the token"
    assert status(gateway, by_token["token"]) == 200
    gateway.call(user_token, None, f"/api/tokens/{short['id']}", method="DELETE")
    assert status(gateway, by_token["token"]) == 401


def test_no_more_than_its_parent_may(gateway: Gateway, user_token: str) -> None:
    limits = {"providers": ["demo"], "models": ["echo-*", "m"], "endpoints": ["chat", "browser-token"]}
    parent = made(gateway.call(user_token, {"name": "app", **limits}, "/api/tokens"))["token"]
    assert made(ask(gateway, parent))["endpoints"] == ["chat"]
    fine = {"providers": ["demo"], "models": ["echo-1", "echo-2*", "m"], "endpoints": ["chat"]}
    assert made(ask(gateway, parent, fine))["models"] == fine["models"]
    for wrong in ({"models": ["gpt"]}, {"models": ["m*"]}, {"models": ["*"]}, {"endpoints": ["generate"]}):
        refused = ask(gateway, parent, wrong)
        assert refusal(refused) == (403, "FORBIDDEN"), wrong
        assert next(iter(wrong.values()))[0] in refused.json()["error"]["message"]
    lesser = made(gateway.call(user_token, {"name": "b", "endpoints": ["chat"]}, "/api/tokens"))["token"]
    assert ask(gateway, lesser).status_code == 403
    useless = made(gateway.call(user_token, {"name": "c", "endpoints": ["browser-token"]}, "/api/tokens"))
    assert ask(gateway, useless["token"]).status_code == 403


def test_a_provider_that_the_parent_may_not_use(gateway: Gateway, user_token: str, provider: str) -> None:
    parent = made(gateway.call(user_token, {"name": "app", "providers": ["demo"]}, "/api/tokens"))["token"]
    granted = gateway.call(user_token, {"providers": [provider]}, "/api/auth/browser-token")
    assert granted.status_code == 201
    assert status(gateway, granted.json()["data"]["token"]) == 403, "of the pass, demo is none"
    assert refusal(ask(gateway, parent, {"providers": [provider]})) == (403, "FORBIDDEN")


@pytest.mark.parametrize(
    "wrong",
    [
        {"endpoints": ["browser-token"]},
        {"endpoints": []},
        {"endpoints": ["admin"]},
        {"providers": ["no-such"]},
        {"providers": "demo"},
        {"models": [5]},
        {"lifetime": 59},
        {"lifetime": 86_401},
        {"lifetime": "60"},
        {"origin": "null"},
        {"origin": "https://a.example.com/path"},
        {"origin": "https://user@a.example.com"},
        {"origin": "*"},
        {"origin": 5},
    ],
    ids=json.dumps,
)
def test_what_makes_no_sense(gateway: Gateway, user_token: str, wrong: dict[str, Any]) -> None:
    assert refusal(ask(gateway, user_token, wrong)) == (400, "INVALID_REQUEST")


def test_a_token_ends_with_the_one_that_made_it(gateway: Gateway) -> None:
    first = gateway.token(new_name())
    made = gateway.call(first, {"name": "second"}, "/api/tokens").json()["data"]
    third = gateway.call(made["token"], {"name": "third"}, "/api/tokens").json()["data"]["token"]
    listed = gateway.call(first, None, "/api/tokens", method="GET").json()["data"]
    number = min(one["id"] for one in listed)
    assert gateway.call(third, ECHO).status_code == 200
    gateway.call(first, None, f"/api/tokens/{number}", method="DELETE")
    assert [gateway.call(token, ECHO).status_code for token in (first, made["token"], third)] == [401, 401, 401]
