"""POST /api/generate against the scripted upstream: what a caller sends, what the vendor gets, what comes back."""

import json
import time
from typing import Any

import httpx
import pytest

from tests.conftest import PROVIDER_KEY
from tests.gateway import Gateway
from tests.upstream import Upstream


def events(text: str) -> list[Any]:
    """The data of each event, decoded; the end mark as it is."""
    lines = [line.removeprefix("data: ") for line in text.split("\n") if line]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


def test_prompt_becomes_one_user_message(gateway: Gateway, user_token: str, provider: str, upstream: Upstream) -> None:
    answer = gateway.call(user_token, {"provider": provider, "prompt": "Say hi", "max_tokens": 12, "temperature": 0.5})
    assert answer.status_code == 200
    body = answer.json()
    assert body["success"] is True
    assert body["request_id"] == answer.headers["x-request-id"]
    assert body["data"] == {
        "content": "Answer to: Say hi",
        "model": "m",
        "provider": provider,
        "finish_reason": "stop",
        "usage": {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12},
    }
    (sent,) = upstream.calls
    assert (sent.method, sent.path) == ("POST", "/v1/chat/completions")
    assert sent.json == {
        "model": "m",
        "messages": [{"role": "user", "content": "Say hi"}],
        "max_tokens": 12,
        "temperature": 0.5,
    }


def test_messages_win_over_prompt_and_default_limit_applies(
    gateway: Gateway, user_token: str, provider: str, upstream: Upstream
) -> None:
    messages = [{"role": "system", "content": "Be brief"}, {"role": "user", "content": "ሰላም"}]
    answer = gateway.call(user_token, {"provider": provider, "prompt": "not this", "messages": messages, "model": "x"})
    assert answer.json()["data"]["content"] == "Answer to: ሰላም"
    assert upstream.calls[0].json == {"model": "x", "messages": messages, "max_tokens": 4096}


def test_unknown_fields_are_ignored_and_metadata_comes_back(gateway: Gateway, user_token: str, provider: str) -> None:
    body = {"provider": provider, "prompt": "x", "metadata": {"trace": 1}, "top_secret_option": True}
    answer = gateway.call(user_token, body)
    assert answer.status_code == 200
    assert answer.json()["data"]["metadata"] == {"trace": 1}


def test_only_the_provider_key_goes_upstream(
    gateway: Gateway, user_token: str, provider: str, upstream: Upstream
) -> None:
    headers = {"Cookie": "sessionid=canary-cookie", "X-Api-Key": "canary-key", "Proxy-Authorization": "canary-proxy"}
    gateway.call(user_token, {"provider": provider, "prompt": "x"}, headers=headers)
    sent = upstream.calls[0].headers
    assert sent["authorization"] == f"Bearer {PROVIDER_KEY}"
    assert set(sent) == {"host", "authorization", "accept-encoding", "content-type", "content-length"}
    assert user_token not in json.dumps(sent)


@pytest.mark.parametrize("scheme", ["Token {}", "Bearer {}", "bearer {}"])
def test_authorization_header(gateway: Gateway, user_token: str, provider: str, scheme: str) -> None:
    answer = httpx.post(
        f"{gateway.url}/api/generate",
        json={"provider": provider, "prompt": "x"},
        headers={"Authorization": scheme.format(user_token)},
    )
    assert answer.status_code == 200


@pytest.mark.parametrize("name", ["x-api-key", "x-goog-api-key", "xi-api-key"])
def test_vendor_headers_carry_the_token_too(gateway: Gateway, user_token: str, provider: str, name: str) -> None:
    answer = httpx.post(
        f"{gateway.url}/api/generate", json={"provider": provider, "prompt": "x"}, headers={name: user_token}
    )
    assert answer.status_code == 200


def test_stream_has_usage_before_done(gateway: Gateway, user_token: str, provider: str, upstream: Upstream) -> None:
    answer = gateway.call(user_token, {"provider": provider, "prompt": "count", "stream": True})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/event-stream"
    got = events(answer.text)
    assert [event["content"] for event in got[:4]] == ["One", " two", " three", " four"]
    assert got[0]["choices"][0]["delta"] == {"content": "One"}
    assert {event["model"] for event in got[:-1]} == {"m"}
    assert got[-2]["done"] is True
    assert got[-2]["choices"][0]["finish_reason"] == "stop"
    assert got[-2]["usage"] == {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
    assert got[-1] == "[DONE]"
    assert upstream.calls[0].json["stream_options"] == {"include_usage": True}


def test_first_event_arrives_before_the_upstream_has_sent_its_last(
    gateway: Gateway, user_token: str, provider: str, upstream: Upstream
) -> None:
    body = {"provider": provider, "model": "paced", "prompt": "count", "stream": True}
    with httpx.stream(
        "POST", f"{gateway.url}/api/generate", json=body, headers={"Authorization": f"Bearer {user_token}"}, timeout=10
    ) as answer:
        lines = answer.iter_lines()
        first = json.loads(next(lines).removeprefix("data: "))
        assert first["content"] == "One"
        assert upstream.streams_sent == 0
        upstream.go_on.set()
        rest = list(lines)
    assert rest[-2] == "data: [DONE]"
    assert upstream.streams_sent == 1


def test_a_connection_is_used_again_after_a_stream(
    gateway: Gateway, user_token: str, provider: str, upstream: Upstream
) -> None:
    for _ in range(3):
        gateway.call(user_token, {"provider": provider, "prompt": "count", "stream": True})
    assert len(upstream.calls) == 3
    assert upstream.connections == 1


def test_every_call_is_in_the_ledger(gateway: Gateway, user_token: str, provider: str, upstream: Upstream) -> None:
    for body in ({"prompt": "a"}, {"prompt": "a", "stream": True}, {"prompt": "a", "model": "status-500"}):
        gateway.call(user_token, {"provider": provider, **body})
    rows = settled_calls(gateway, provider, 3)
    assert [row[:5] for row in rows] == [
        ("done", 7, 5, 0, 0),
        ("done", 9, 4, 0, 1),
        ("upstream_error", 0, 0, 0, 0),
    ]
    attempts = gateway.rows(
        f"select a.state, a.status, a.key_hint from accounts_attempt a where a.provider = '{provider}' order by a.id"
    )
    assert attempts == [("done", None, "5b36"), ("done", None, "5b36"), ("upstream_error", 500, "5b36")]


def settled_calls(gateway: Gateway, provider: str, count: int) -> list[tuple[Any, ...]]:
    """The provider's calls in order, once none is open any more."""
    query = (
        "select state, input_tokens, output_tokens, estimated, streamed from accounts_call "
        f"where provider = '{provider}' order by opened_at"
    )
    deadline = time.monotonic() + 5
    while True:
        rows = gateway.rows(query)
        if len(rows) == count and all(row[0] != "open" for row in rows):
            return rows
        assert time.monotonic() < deadline, rows
        time.sleep(0.02)


def test_a_client_that_leaves_ends_the_upstream_call(
    gateway: Gateway, user_token: str, provider: str, upstream: Upstream
) -> None:
    body = {"provider": provider, "model": "stream-stall", "prompt": "count", "stream": True}
    with httpx.stream(
        "POST", f"{gateway.url}/api/generate", json=body, headers={"Authorization": f"Bearer {user_token}"}
    ) as answer:
        next(answer.iter_lines())
    deadline = time.monotonic() + 2
    while not upstream.hung_up and time.monotonic() < deadline:
        time.sleep(0.02)
    assert upstream.hung_up == 1
    ((state, _, output, estimated, _),) = settled_calls(gateway, provider, 1)
    assert (state, estimated) == ("client_gone", 1)
    assert output > 0
