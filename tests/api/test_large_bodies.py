"""Bodies that would take long to read: whoever sends them waits alone. And what two readers could read differently."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.gateway import Gateway
from tests.recorder import provider

LIST = b"[" + b"1," * 15_000_000 + b"1]"
CHAT = "/v1/chat/completions"
BODIES = [
    (CHAT, b'{"model":"big","model":"big","messages":[{"role":"user","content":"x"}],"x":' + LIST + b"}"),
    (CHAT, b'{"model":"big","messages":[{"role":"user","model":1}],"x":[' + b"1," * 340_000 + b"1]}"),
    ("/api/generate", b'{"provider":"big","prompt":"x","metadata":{"a":' + LIST + b"}}"),
    (
        "/api/generate",
        b'{"provider":"big","prompt":"x","metadata":{' + b",".join(b'"%d":0' % n for n in range(300_000)) + b"}}",
    ),
]


@pytest.fixture(scope="module")
def big(gateway: Gateway, staff_token: str) -> Iterator[str]:
    with provider(gateway, staff_token, "big", "echo", "", max_prompt_chars=100):
        yield "big"


@pytest.mark.parametrize(("path", "body"), BODIES, ids=["doubled-model", "nested-model", "metadata-list", "metadata"])
def test_others_are_answered_meanwhile(gateway: Gateway, user_token: str, big: str, path: str, body: bytes) -> None:
    answers: list[int] = []

    def send() -> None:
        headers = {"Authorization": f"Bearer {user_token}", "Content-Type": "application/json"}
        answers.append(httpx.post(gateway.url + path, content=body, headers=headers, timeout=60).status_code)

    sender = threading.Thread(target=send)
    sender.start()
    longest = 0.0
    while sender.is_alive():
        began = time.monotonic()
        assert httpx.get(f"{gateway.url}/version", timeout=30).status_code < 500
        longest = max(longest, time.monotonic() - began)
    assert longest < 1
    assert answers[0] in {200, 400}


@pytest.mark.parametrize("path", [CHAT, "/v1/responses", "/v1/messages", "/v1/messages/count_tokens"])
def test_a_doubled_field_is_refused(gateway: Gateway, user_token: str, big: str, path: str) -> None:
    body = b'{"model":"big","max_tokens":1,"messages":[{"role":"user","content":"x"}],"max_tokens":9}'
    answer = httpx.post(gateway.url + path, content=body, headers={"Authorization": f"Bearer {user_token}"})
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == "The body has `max_tokens` more than once. Send it once."


@pytest.mark.parametrize(
    "more",
    [
        b'"tools":[{"type":"function","function":{"name":"f","description":"@"}}]',
        b'"input":[{"type":"function_call_output","call_id":"c","output":"@"}]',
    ],
)
@pytest.mark.parametrize("path", [CHAT, "/v1/responses"])
def test_a_long_prompt_is_refused_wherever_it_stands(
    gateway: Gateway, user_token: str, big: str, path: str, more: bytes
) -> None:
    body = b'{"model":"big","messages":[{"role":"user","content":"x"}],' + more.replace(b"@", b"ab " * 40) + b"}"
    answer = httpx.post(gateway.url + path, content=body, headers={"Authorization": f"Bearer {user_token}"})
    assert "provider 'big' takes 100." in answer.json()["error"]["message"]


def test_what_a_tool_said_in_parts(gateway: Gateway, user_token: str, big: str) -> None:
    call = {"id": "c", "function": {"name": "f", "arguments": "{}"}}
    parts: list[dict[str, Any]] = [{"type": "text", "text": words} for words in ("21", "°")]
    said = {"role": "tool", "tool_call_id": "c", "parts": parts}
    messages = [{"role": "user", "content": "How warm?"}, {"role": "assistant", "tool_calls": [call]}, said]
    answer = gateway.call(user_token, {"provider": "big", "messages": messages})
    assert answer.json()["data"]["content"] == "21°"
    parts[:] = [{"type": "image", "source": {"type": "url", "url": "https://a.example"}}]
    refused = gateway.call(user_token, {"provider": "big", "messages": messages})
    assert (refused.status_code, "must be text" in refused.text) == (400, True)
