"""JSON Web Tokens: a pair for a password, a refresh token that is good once, and no forgery that gets in."""

import json
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.credentials import (
    ECHO,
    Pair,
    claims_like,
    decoded,
    encoded,
    exchange,
    forged,
    new_name,
    signed_in,
    signing_key,
    status,
)
from tests.gateway import Gateway
from tests.visitor import PASSWORD, person


@pytest.fixture(scope="module")
def pair(gateway: Gateway) -> Pair:
    return signed_in(gateway, new_name())


@pytest.fixture(scope="module")
def key(gateway: Gateway) -> str:
    return signing_key(gateway)


def post(gateway: Gateway, path: str, body: Any, **options: Any) -> httpx.Response:
    return httpx.post(f"{gateway.url}/api/auth/{path}", json=body, timeout=30, **options)


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_a_pair_for_a_password_works_and_is_renewed_and_ended(gateway: Gateway) -> None:
    name = person(gateway)
    answer = post(gateway, "token", {"username": name, "password": PASSWORD})
    assert (answer.status_code, sorted(answer.json())) == (200, ["access", "refresh"])
    assert answer.headers["cache-control"] == "no-store"
    assert not answer.headers.get_list("set-cookie")
    first = answer.json()
    assert status(gateway, first["access"]) == 200
    usage = gateway.call(first["access"], None, "/api/usage", method="GET").json()["data"]
    assert (usage["user"], usage["totals"]["calls"]) == (name, 1)
    renewed = exchange(gateway, first["refresh"])
    assert (renewed.status_code, sorted(renewed.json())) == (200, ["access", "refresh"])
    second = renewed.json()
    assert status(gateway, second["access"]) == status(gateway, first["access"]) == 200
    ended = post(gateway, "token/revoke", {"refresh": second["refresh"]})
    assert (ended.status_code, ended.json()) == (200, {})
    assert status(gateway, second["access"]) == status(gateway, first["access"]) == 401
    assert refusal(exchange(gateway, second["refresh"])) == (401, "UNAUTHORIZED")
    assert refusal(post(gateway, "token/revoke", {"refresh": second["refresh"]})) == (401, "UNAUTHORIZED")


def test_wrong_passwords_unknown_and_disabled_users_are_told_the_same(gateway: Gateway) -> None:
    disabled = person(gateway, is_active=False)
    tried = [(person(gateway), "wrong"), (new_name(), PASSWORD), (disabled, PASSWORD)]
    answers = [post(gateway, "token", {"username": name, "password": given}) for name, given in tried]
    assert {refusal(answer) for answer in answers} == {(401, "UNAUTHORIZED")}
    assert len({answer.json()["error"]["message"] for answer in answers}) == 1
    assert all(answer.headers["www-authenticate"] == "Bearer" for answer in answers)


def test_guessing_a_password_is_locked_out(gateway: Gateway) -> None:
    name = person(gateway)
    with ThreadPoolExecutor(6) as pool:
        bodies = [{"username": name, "password": f"wrong {number}"} for number in range(6)]
        list(pool.map(lambda body: post(gateway, "token", body), bodies))
    locked = post(gateway, "token", {"username": name, "password": PASSWORD})
    assert refusal(locked) == (429, "RATE_LIMITED")
    assert 0 < int(locked.headers["retry-after"]) <= 300


@pytest.mark.parametrize(
    "body",
    [{}, {"username": "a"}, {"username": ["a"], "password": {}}, {"username": "a\0", "password": "b"}, []],
    ids=json.dumps,
)
def test_what_is_no_name_and_password(gateway: Gateway, body: Any) -> None:
    assert refusal(post(gateway, "token", body)) == (400, "INVALID_REQUEST")


def test_a_refresh_token_is_good_once_and_the_second_time_ends_all(gateway: Gateway) -> None:
    first = signed_in(gateway, new_name())
    second = exchange(gateway, first.refresh).json()
    again = exchange(gateway, first.refresh)
    assert refusal(again) == (401, "UNAUTHORIZED")
    assert "used before" in again.json()["error"]["message"]
    assert refusal(exchange(gateway, second["refresh"])) == (401, "UNAUTHORIZED")
    assert status(gateway, second["access"]) == 401


def test_of_many_at_the_same_time_one_wins(gateway: Gateway) -> None:
    first = signed_in(gateway, new_name())
    with ThreadPoolExecutor(8) as pool:
        found = [answer.status_code for answer in pool.map(lambda _: exchange(gateway, first.refresh), range(8))]
    assert sorted(found) == [200, *[401] * 7]


def test_a_chain_of_refreshes_moves_the_end(gateway: Gateway) -> None:
    name = new_name()
    pair = signed_in(gateway, name)
    ends = (
        f"select s.expires_at from accounts_signin s join accounts_user u on u.id = s.user_id where username = '{name}'"
    )
    (before,) = gateway.rows(ends)
    refresh = pair.refresh
    for _ in range(5):
        answer = exchange(gateway, refresh).json()
        access, refresh = answer["access"], answer["refresh"]
        assert status(gateway, access) == 200
    (after,) = gateway.rows(ends)
    assert after[0] > before[0]
    assert decoded(refresh)["exp"] > decoded(pair.refresh)["exp"] - 1


@pytest.mark.parametrize("path", ["token/refresh", "token/revoke"])
def test_what_is_no_refresh_token(gateway: Gateway, pair: Pair, key: str, path: str) -> None:
    refresh = decoded(pair.refresh)
    wrong = {
        "access": pair.access,
        "nonsense": "abc",
        "empty parts": "..",
        "huge": "x" * 100_000,
        "deep header": f"{encoded('[' * 2500)}.{encoded({})}.x",
        "foreign key": forged(refresh, "another key"),
        "none": f"{encoded({'alg': 'none'})}.{encoded(refresh)}.",
        "expired": forged({**refresh, "exp": int(time.time()) - 5}, key),
        "never ends": forged({**refresh, "exp": 10**30}, key),
        "endless": forged(json.dumps({**refresh, "exp": 0}).replace('"exp": 0', '"exp": 1e400'), key),
        "other issuer": forged({**refresh, "iss": "somebody"}, key),
        "no sign-in": forged({name: value for name, value in refresh.items() if name != "sid"}, key),
        "sign-in as text": forged({**refresh, "sid": "1 or 1"}, key),
        "large sign-in": forged({**refresh, "sid": 2**70}, key),
        "of somebody else": forged({**refresh, "user_id": "1"}, key),
        "id as a list": forged({**refresh, "jti": ["a"]}, key),
    }
    for name, token in wrong.items():
        assert refusal(post(gateway, path, {"refresh": token})) == (401, "UNAUTHORIZED"), name
    for body in ({}, {"refresh": None}, {"refresh": 5}, {"refresh": ""}):
        assert refusal(post(gateway, path, body)) == (400, "INVALID_REQUEST"), body
    assert status(gateway, pair.access) == 200, "and none of them ended the sign-in"


def _headers(key: str, foreign: str) -> dict[str, tuple[dict[str, Any], str, str]]:
    """Headers that would have it otherwise, each with the key and the digest of the signature."""
    return {
        "RS256 in the header": ({"alg": "RS256"}, key, "sha256"),
        "HS512": ({"alg": "HS512"}, key, "sha512"),
        "HS384": ({"alg": "HS384"}, key, "sha384"),
        "algorithm in lower case": ({"alg": "hs256"}, key, "sha256"),
        "algorithm as a list": ({"alg": ["HS256"]}, key, "sha256"),
        "no algorithm": ({"typ": "JWT"}, key, "sha256"),
        "critical": ({"alg": "HS256", "crit": ["b64"], "b64": False}, key, "sha256"),
        "kid: a path": ({"alg": "HS256", "kid": "../../../../dev/null"}, "", "sha256"),
        "kid: SQL": ({"alg": "HS256", "kid": "x' UNION SELECT 'secret' --"}, "secret", "sha256"),
        "kid: a URL": ({"alg": "HS256", "kid": "https://evil.example.com/key"}, foreign, "sha256"),
        "jku": ({"alg": "HS256", "jku": "https://evil.example.com/keys.json"}, foreign, "sha256"),
        "x5u": ({"alg": "HS256", "x5u": "https://evil.example.com/cert.pem"}, foreign, "sha256"),
        "jwk": ({"alg": "HS256", "jwk": {"kty": "oct", "k": encoded(foreign)}}, foreign, "sha256"),
    }


def _forgeries(pair: Pair, key: str) -> dict[str, str]:
    claims, now = claims_like(pair.access), int(time.time())
    foreign, head, body = secrets.token_hex(32), encoded({"alg": "HS256", "typ": "JWT"}), encoded(claims)
    signature = pair.access.rpartition(".")[2]
    return {
        **{name: forged(claims, by, header, digest) for name, (header, by, digest) in _headers(key, foreign).items()},
        **{f"alg {name}": f"{encoded({'alg': name})}.{body}." for name in ("none", "None", "NONE", "")},
        "alg none, signed": f"{encoded({'alg': 'none'})}.{body}.{signature}",
        "foreign key": forged(claims, foreign),
        "empty key": forged(claims, ""),
        "other claims, same signature": f"{head}.{body}.{signature}",
        "no signature": f"{head}.{body}.",
        "half a signature": pair.access[:-20],
        "expired": forged({**claims, "exp": now - 1}, key),
        "not yet valid": forged({**claims, "nbf": now + 3600}, key),
        "issued in the future": forged({**claims, "iat": now + 3600}, key),
        "other issuer": forged({**claims, "iss": "https://evil.example.com"}, key),
        "for somebody else": forged({**claims, "aud": "another service"}, key),
        "a refresh token": pair.refresh,
        "of an unknown type": forged({**claims, "token_type": "sliding"}, key),
        **{
            f"without {name}": forged(claims_like(pair.access, **{name: None}), key)
            for name in ("exp", "iat", "jti", "token_type", "user_id", "iss", "sid")
        },
        "user_id: a list": forged({**claims, "user_id": [claims["user_id"]]}, key),
        "user_id: somebody else": forged({**claims, "user_id": "1"}, key),
        "exp: text": forged({**claims, "exp": "tomorrow"}, key),
        "iat: text": forged({**claims, "iat": "yesterday"}, key),
        "blank inside": pair.access.replace(".", ". ", 1),
        "three parts of nonsense": "eyJx.eyJx.eyJx",
        "a list": forged("[]", key),
        "no JSON": forged("{", key),
        "a header that is none": f"{encoded('[]')}.{body}.{signature}",
        "a deep header": f"{encoded('{' + chr(34) + 'a' + chr(34) + ':' + '[' * 3000)}.{body}.{signature}",
        "large": forged({**claims, "more": "x" * 10_000}, foreign),
        "large nonsense": "x" * 15_000,
    }


def test_no_forgery_gets_in(gateway: Gateway, pair: Pair, key: str) -> None:
    assert status(gateway, forged(claims_like(pair.access), key)) == 200, "made by hand, a sound one gets in"
    with httpx.Client(base_url=gateway.url, timeout=30) as client:
        for name, token in _forgeries(pair, key).items():
            answers = [
                client.post("/api/generate", json=ECHO, headers={"Authorization": f"Bearer {token}"}),
                client.post("/v1/messages", json={}, headers={"x-api-key": token}),
                client.get("/api/usage", headers={"Authorization": f"Token {token}"}),
            ]
            assert {answer.status_code for answer in answers} == {401}, (name, [one.text for one in answers])
    assert status(gateway, pair.access) == 200


def test_blanks_round_a_token_are_no_part_of_it(gateway: Gateway, pair: Pair) -> None:
    headers = {"Authorization": f"Bearer   {pair.access}"}
    assert httpx.get(f"{gateway.url}/api/usage", headers=headers, timeout=30).status_code == 200


def test_the_access_token_of_a_disabled_user_is_refused_at_once(gateway: Gateway) -> None:
    name = new_name()
    pair = signed_in(gateway, name)
    assert status(gateway, pair.access) == 200
    script = "from accounts.models import User; u = User.objects.get(username={!r}); u.is_active = {}; u.save()"
    gateway.python(script.format(name, False))
    assert status(gateway, pair.access) == 401
    assert refusal(exchange(gateway, pair.refresh)) == (401, "UNAUTHORIZED")
    gateway.python(script.format(name, True))
    assert status(gateway, pair.access) == 401, "who is enabled again signs in again"
