"""What the tests of the endpoints for apps share: ways to ask, and to look at what comes back."""

import json
from typing import Any

import httpx

from tests.gateway import Gateway
from tests.vendors.server import ACCOUNT, KEY, LEAK

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40


def chat(gateway: Gateway, token: str, body: Any, path: str = "/api/chat") -> httpx.Response:
    return gateway.call(token, body, path)


def upload(gateway: Gateway, token: str, data: dict[str, str], files: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.post(f"{gateway.url}/api/upload", data=data, files=files, headers=headers, timeout=30)


def lines(answer: httpx.Response) -> list[Any]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.text.splitlines()]


def refused(answer: httpx.Response, word: str, status: int = 400, code: str = "INVALID_REQUEST") -> None:
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (status, code)
    assert word in error["message"]
    assert not any(secret in answer.text for secret in (LEAK, KEY, ACCOUNT))
