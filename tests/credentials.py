"""Credentials of every kind, made as quickly as a test needs them, and forged ones."""

import base64
import hashlib
import hmac
import json
import secrets
import time
from dataclasses import dataclass
from typing import Any

import httpx

from tests.gateway import Gateway

_BEGIN = """
from django.http import HttpRequest
from accounts import refreshing
from accounts.models import User
user, _ = User.objects.get_or_create(username={name!r})
print(*refreshing.begin(user, HttpRequest()))
"""
ECHO = {"provider": "demo", "prompt": "Hello"}


def new_name() -> str:
    return f"user-{secrets.token_hex(4)}"


@dataclass(frozen=True)
class Pair:
    access: str
    refresh: str


def signed_in(gateway: Gateway, name: str) -> Pair:
    """A pair of JSON Web Tokens, as a user has them who has just given a password; that itself would take a second."""
    return Pair(*gateway.python(_BEGIN.format(name=name)).split())


def exchange(gateway: Gateway, refresh: Any) -> httpx.Response:
    return httpx.post(f"{gateway.url}/api/auth/token/refresh", json={"refresh": refresh}, timeout=30)


def status(gateway: Gateway, token: str, body: Any = None, path: str = "/api/generate", **options: Any) -> int:
    """The status of a call with a token."""
    return gateway.call(token, ECHO if body is None else body, path, **options).status_code


def made(answer: httpx.Response) -> Any:
    """The data of an answer that says that something was made or changed."""
    assert answer.status_code in {200, 201}, answer.text
    return answer.json()["data"]


def signing_key(gateway: Gateway) -> str:
    return gateway.python("from django.conf import settings; print(settings.SIMPLE_JWT['SIGNING_KEY'])").strip()


def encoded(part: Any) -> str:
    """A part of a JSON Web Token; a text is taken for JSON as it is."""
    text = part if isinstance(part, str) else json.dumps(part)
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def decoded(token: str) -> dict[str, Any]:
    """What a JSON Web Token claims."""
    part = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims


def forged(claims: Any, key: str, header: Any = None, digest: str = "sha256") -> str:
    """A JSON Web Token made by hand, with any header, signed by an HMAC of that key."""
    signed = f"{encoded(header or {'alg': 'HS256', 'typ': 'JWT'})}.{encoded(claims)}"
    signature = hmac.new(key.encode(), signed.encode(), getattr(hashlib, digest)).digest()
    return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def claims_like(access: str, **changed: Any) -> dict[str, Any]:
    """The claims of an access token with some others; None takes one away."""
    now = int(time.time())
    claims = {**decoded(access), "iat": now, "exp": now + 600, **changed}
    return {name: value for name, value in claims.items() if value is not None}
