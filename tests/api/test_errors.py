"""Every error of the table, over a real socket: its status, its code, a sentence, and nothing that must not be told."""

import json
import socket
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.api.cases import CASES, Case
from tests.conftest import PROVIDER_KEY, temporary_gateway
from tests.gateway import Gateway, free_port
from tests.upstream import LEAK, Upstream


@pytest.fixture(scope="module")
def small_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that takes bodies of one megabyte only."""
    server = temporary_gateway(tmp_path_factory.mktemp("errors"), GATEWAY_MAX_BODY_BYTES="1000000").start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def scripted() -> Iterator[Upstream]:
    server = Upstream().start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def headers(small_gateway: Gateway, scripted: Upstream) -> dict[str, dict[str, str]]:
    """For each kind of caller, what they send; and the providers that the table names."""
    staff = small_gateway.token("staff", staff=True)
    tokens = {who: small_gateway.token(who) for who in ("user", "revoked", "disabled")}
    common = {"type": "openai", "api_key": PROVIDER_KEY, "default_model": "m", "allow_private_network": True}
    limits = {"connect_timeout": 1.0, "first_byte_timeout": 0.5, "gap_timeout": 0.5, "total_timeout": 1.5}
    for provider in (
        {**common, **limits, "name": "scripted", "base_url": scripted.url},
        {**common, "name": "switched-off", "base_url": scripted.url, "enabled": False},
        {**{k: v for k, v in common.items() if k != "api_key"}, "name": "keyless", "base_url": scripted.url},
        {**common, "name": "listed", "base_url": scripted.url, "models": ["m"]},
        {**common, "name": "guarded", "base_url": scripted.url, "allow_private_network": False},
        {**common, "name": "refusing", "base_url": f"http://127.0.0.1:{free_port()}/v1"},
    ):
        made = small_gateway.call(staff, provider, "/api/providers")
        assert made.status_code == 201, made.text
    # Both were used a moment ago, so the process still remembers them: it must refuse them all the same.
    for who in ("revoked", "disabled"):
        assert small_gateway.call(tokens[who], {"provider": "scripted", "prompt": "x"}).status_code == 200
    take_away = (
        "from accounts.models import ApiToken, User; "
        "[t.revoke() for t in ApiToken.objects.filter(user__username='revoked')]; "
        "User.objects.filter(username='disabled').update(is_active=False)"
    )
    small_gateway.python(take_away)
    sent = {who: {"Authorization": f"Bearer {token}"} for who, token in tokens.items()}
    wrong = tokens["user"][:-7] + ("a" if tokens["user"][-7] != "a" else "b") + tokens["user"][-6:]
    return sent | {
        "none": {},
        "wrong": {"Authorization": f"Bearer {wrong}"},
        "malformed": {"x-api-key": "sk-not-one-of-ours"},
        "basic": {"Authorization": "Basic dXNlcjpwYXNz", "x-api-key": tokens["user"]},
    }


def ask(gateway: Gateway, headers: dict[str, dict[str, str]], case: Case) -> httpx.Response:
    return httpx.request(
        case.method,
        gateway.url + case.path,
        content=case.content("scripted"),
        headers=headers[case.token] | {"Content-Type": "application/json"},
        timeout=10,
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_error(small_gateway: Gateway, headers: dict[str, dict[str, str]], case: Case) -> None:
    answer = ask(small_gateway, headers, case)
    assert (answer.status_code, answer.json()["error"]["code"]) == (case.status, case.code), answer.text
    body = answer.json()
    assert body["success"] is False
    assert body["error"]["message"].endswith("."), "a sentence, for a person"
    assert body["request_id"] == answer.headers["x-request-id"]
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert_tells_nothing(answer)


def assert_tells_nothing(answer: httpx.Response) -> None:
    told = answer.text + json.dumps(list(answer.headers.items()))
    for secret in (PROVIDER_KEY, LEAK, "Traceback", 'File \\"', "aiohttp", "127.0.0.1", "upstream=1"):
        assert secret not in told, told


def test_retry_after_is_passed_on(small_gateway: Gateway, headers: dict[str, dict[str, str]]) -> None:
    answer = small_gateway.call(
        headers["user"]["Authorization"].removeprefix("Bearer "),
        {"provider": "scripted", "model": "status-429", "prompt": "x"},
    )
    assert answer.headers["retry-after"] == "7"


@pytest.mark.parametrize(
    ("model", "code"),
    [
        ("stream-cut", "GENERATION_ERROR"),
        ("stream-stall", "UPSTREAM_TIMEOUT"),
        ("stream-error", "GENERATION_ERROR"),
        ("stream-garbage", "GENERATION_ERROR"),
        ("stream-without-mark", "GENERATION_ERROR"),
    ],
)
def test_a_stream_that_breaks_ends_with_an_error_event_and_no_end_mark(
    small_gateway: Gateway, headers: dict[str, dict[str, str]], model: str, code: str
) -> None:
    body = {"provider": "scripted", "model": model, "prompt": "x", "stream": True}
    answer = httpx.post(f"{small_gateway.url}/api/generate", json=body, headers=headers["user"], timeout=10)
    assert answer.status_code == 200
    events = [json.loads(line.removeprefix("data: ")) for line in answer.text.split("\n") if line]
    assert [event.get("content") for event in events[:2]] == ["One", " two"]
    assert events[-1]["error"]["code"] == code
    assert "[DONE]" not in answer.text
    assert_tells_nothing(answer)


def test_a_body_that_ends_early_calls_nothing(
    small_gateway: Gateway, headers: dict[str, dict[str, str]], scripted: Upstream
) -> None:
    calls, rows = len(scripted.calls), small_gateway.rows("select count(*) from accounts_call")
    head = (
        f"POST /api/generate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n"
        f"Authorization: {headers['user']['Authorization']}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", small_gateway.port)) as connection:
        connection.sendall(head.encode() + b'{"provider": "scripted", "prompt": "x"}')
        time.sleep(0.3)
    time.sleep(0.3)
    assert len(scripted.calls) == calls
    assert small_gateway.rows("select count(*) from accounts_call") == rows


def test_a_body_in_chunks_over_the_limit_is_refused_too(
    small_gateway: Gateway, headers: dict[str, dict[str, str]]
) -> None:
    pieces = iter([b"x" * 100_000] * 12)
    answer = httpx.post(f"{small_gateway.url}/api/generate", content=pieces, headers=headers["user"], timeout=10)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "PAYLOAD_TOO_LARGE")


def test_a_body_in_chunks_is_read(small_gateway: Gateway, headers: dict[str, dict[str, str]]) -> None:
    pieces = iter([b'{"provider": "scripted",', b' "prompt": "in pieces"}'])
    answer = httpx.post(f"{small_gateway.url}/api/generate", content=pieces, headers=headers["user"], timeout=10)
    assert answer.json()["data"]["content"] == "Answer to: in pieces"


def test_the_log_has_what_the_caller_was_not_told_but_no_key(
    small_gateway: Gateway, headers: dict[str, dict[str, str]]
) -> None:
    body = {"provider": "scripted", "model": "status-500", "prompt": "x"}
    answer = httpx.post(f"{small_gateway.url}/api/generate", json=body, headers=headers["user"])
    lines = [line for line in small_gateway.log().splitlines() if answer.headers["x-request-id"] in line]
    assert any("upstream status 500" in line and LEAK in line for line in lines)
    log = small_gateway.log()
    assert PROVIDER_KEY not in log
    for sent in headers.values():
        for value in sent.values():
            assert value.removeprefix("Bearer ") not in log
