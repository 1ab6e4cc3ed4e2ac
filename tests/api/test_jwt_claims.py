"""JSON Web Tokens with claims of other types than ours have: refused, even if our own key has signed them."""

import json
from typing import Any

import pytest

from tests.credentials import ECHO, Pair, claims_like, forged, new_name, signed_in, signing_key
from tests.gateway import Gateway

_PASS: dict[str, Any] = {"token_type": "browser", "providers": [], "models": [], "endpoints": [], "origin": ""}
_NO_IDS: list[Any] = ["abc", [1], {}]
WRONG: list[dict[str, Any]] = [
    *({"sid": value} for value in (*_NO_IDS, 2**80, 1.5, True)),
    *({"user_id": value} for value in (5, *_NO_IDS[1:])),
    *({"token_type": value} for value in (["access"], 5)),
    *({"exp": value} for value in (10**400, "1e400", True, *_NO_IDS[1:])),
    {"tid": 1},
    {"token_type": "browser"},
    {**_PASS, "tid": "x"},
    *({**_PASS, name: value} for name in ("providers", "models", "endpoints", "origin") for value in (5, {"a": 1})),
]


@pytest.fixture(scope="module")
def pair(gateway: Gateway) -> Pair:
    return signed_in(gateway, new_name())


@pytest.fixture(scope="module")
def key(gateway: Gateway) -> str:
    return signing_key(gateway)


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: json.dumps(wrong)[:50])
def test_wrong_types(gateway: Gateway, pair: Pair, key: str, wrong: dict[str, Any]) -> None:
    answer = gateway.call(forged({**claims_like(pair.access), **wrong}, key), ECHO)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "UNAUTHORIZED")


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
def test_numbers_without_end(gateway: Gateway, pair: Pair, key: str, name: str) -> None:
    text = json.dumps({**claims_like(pair.access), name: 0}).replace(f'"{name}": 0', f'"{name}": 1e400')
    assert gateway.call(forged(text, key), ECHO).status_code == 401
