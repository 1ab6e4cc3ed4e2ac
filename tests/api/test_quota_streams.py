"""A stream that nobody can limit beforehand: extended while there is something left, and ended with a word on why."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.gateway import Gateway
from tests.racing import made_users
from tests.recorder import JSON, Caller, Recorder, Says, provider

LEFT = 2000  # tokens
_RESERVED = 100  # tokens of output, until it is extended
_PIECE = "word " * 100
_EVENTS = (("Content-Type", "text/event-stream"),)
_REVOKE = (
    "from accounts.models import ApiToken; ApiToken.objects.filter(user_id={}).update(revoked_at='2020-01-01T00:00Z')"
)


def _event(content: Any) -> bytes:
    named = f"event: {content['type']}\n" if "type" in content else ""
    return f"{named}data: {json.dumps(content)}\n\n".encode()


SHAPES = {
    "openai": (
        "chat/completions",
        _event({"model": "m", "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]}),
        _event({"model": "m", "choices": [{"index": 0, "delta": {"content": _PIECE}}]}),
    ),
    "anthropic": (
        "v1/messages",
        _event({"type": "message_start", "message": {"model": "m", "usage": {"input_tokens": 3, "output_tokens": 1}}}),
        _event({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": _PIECE}}),
    ),
}


@pytest.fixture(scope="module")
def recorder(gateway: Gateway, staff_token: str) -> Iterator[Recorder]:
    server = Recorder().start()
    few = {"default_max_tokens": _RESERVED}
    with (
        provider(gateway, staff_token, "run-openai", "openai", server.url, **few),
        provider(gateway, staff_token, "run-anthropic", "anthropic", server.url, **few),
    ):
        yield server
    server.stop()


@pytest.fixture(scope="module")
def users(gateway: Gateway) -> Iterator[tuple[int, str]]:
    """Users and their tokens: two with a quota of LEFT, then two with more than they need."""
    quotas = [[{"unit": "tokens", "window": "month", "limit": limit}] for limit in (LEFT, LEFT, 10**6, 10**6)]
    return iter(made_users(gateway, quotas))


def body_of(text: str) -> bytes:
    return json.dumps({"model": "m", "stream": True, "messages": [{"role": "user", "content": text}]}).encode()


def last_error(raw: bytes) -> dict[str, Any]:
    """The last event of a stream, which is an error."""
    data = raw.rstrip().rpartition(b"data: ")[2]
    error: dict[str, Any] = json.loads(data)["error"]
    return error


@pytest.mark.parametrize("kind", SHAPES)
def test_it_is_extended_and_then_ended(
    gateway: Gateway, recorder: Recorder, users: Iterator[tuple[int, str]], kind: str
) -> None:
    path, head, piece = SHAPES[kind]
    caller = Caller(gateway, next(users)[1])
    past = LEFT * 4 // len(_PIECE)  # pieces; by then the output is estimated at more than all
    recorder.says(Says([head, *[piece] * 40], headers=_EVENTS, framing="chunked", pause=past + 1))
    answer = caller.ask("POST", f"/proxy/run-{kind}/{path}", JSON, body_of("x"))
    assert answer.body.startswith(head + piece * 10), "far past what was reserved at first"
    error = last_error(answer.body)
    assert "quota was used up" in error["message"]
    assert error["type"] == "rate_limit_error"
    assert (b"event: error\n" in answer.body) == (kind == "anthropic")
    row = caller.row(answer)
    assert (row["state"], row["estimated"]) == ("quota", 1)
    assert row["reserved_input"] + row["reserved_output"] == LEFT, "everything that was left"
    relayed = answer.body.count(_PIECE.encode()) * len(_PIECE)
    assert row["output_tokens"] >= relayed // 4
    assert row["input_tokens"] + row["output_tokens"] <= LEFT + len(_PIECE) // 4
    deadline = time.monotonic() + 2
    while not recorder.hung_up:
        assert time.monotonic() < deadline, "the vendor is not left to go on"
        time.sleep(0.01)
    again = caller.ask("POST", f"/proxy/run-{kind}/{path}", JSON, body_of("x"))
    assert again.status == 429


@pytest.mark.parametrize("kind", SHAPES)
def test_it_ends_when_its_token_is_revoked(
    gateway: Gateway, recorder: Recorder, users: Iterator[tuple[int, str]], kind: str
) -> None:
    path, head, piece = SHAPES[kind]
    user, token = next(users)
    caller = Caller(gateway, token)
    recorder.says(Says([head, *[piece] * 40], headers=_EVENTS, framing="chunked", pause=2))
    with caller.open("POST", f"/proxy/run-{kind}/{path}", JSON, body_of("x")) as answer:
        assert answer.some()
        gateway.python(_REVOKE.format(user))
        recorder.go_on.set()
        error = last_error(answer.rest())
        assert "revoked" in error["message"]
        assert caller.row(answer)["state"] == "revoked"
