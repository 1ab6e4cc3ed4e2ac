"""What a quota of tokens or cost does to a request: it is held to what is left, and refused where it does not fit."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.gateway import Gateway
from tests.racing import made_users
from tests.recorder import JSON, Caller, Got, Recorder, Says, provider

LEFT = 300  # tokens
TEXT = "four"
INPUT = 4 + 16  # tokens that are reserved for it: its bytes, and what a vendor may add to a message
_SAID = [{"role": "user", "content": TEXT}]
_CHAT = {
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "said"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
}
_RESPONSE = {"object": "response", "status": "completed", "model": "m", "output": [], "usage": {}}
_RESPONSE["usage"] = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
_MESSAGE = {
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [{"type": "text", "text": "said"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 0, "output_tokens": 0},
}


@dataclass(frozen=True)
class People:
    """Callers: without a quota, with one of tokens, and with one of cost that knows a price or does not mind."""

    free: Caller
    limited: Caller
    paying: Caller
    careless: Caller


@pytest.fixture(scope="module")
def recorder(gateway: Gateway, staff_token: str) -> Iterator[Recorder]:
    server = Recorder().start()
    with (
        provider(gateway, staff_token, "lim-openai", "openai", server.url),
        provider(gateway, staff_token, "lim-anthropic", "anthropic", server.url),
    ):
        yield server
    server.stop()


@pytest.fixture(scope="module")
def people(gateway: Gateway) -> People:
    cost = {"unit": "cost", "window": "month", "limit": 5}
    quotas = [[], [{"unit": "tokens", "window": "month", "limit": LEFT}], [cost], [{**cost, "allow_unpriced": True}]]
    return People(*(Caller(gateway, token) for _, token in made_users(gateway, quotas)))


def post(caller: Caller, path: str, body: Any) -> Got:
    return caller.ask("POST", path, JSON, json.dumps(body).encode())


def answers(recorder: Recorder, body: Any) -> None:
    recorder.says(Says((json.dumps(body).encode(),)))


# How a request asks for so many tokens, where it goes, what it is answered, and what arrives for it at the vendor.
CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
LIMITED = {
    "none": (CHAT, {}, _CHAT, {"max_tokens": LEFT - INPUT}),
    "more than is left": (CHAT, {"max_tokens": 5000}, _CHAT, {"max_tokens": LEFT - INPUT}),
    "less": (CHAT, {"max_tokens": 50}, _CHAT, {"max_tokens": 50}),
    "by the newer name": (CHAT, {"max_completion_tokens": 5000}, _CHAT, {"max_completion_tokens": LEFT - INPUT}),
    "several choices": (CHAT, {"n": 2}, _CHAT, {"n": 2, "max_tokens": (LEFT - INPUT) // 2}),
    "responses": ("/v1/responses", {}, _RESPONSE, {"max_output_tokens": LEFT - INPUT}),
    "responses with a limit": (
        "/v1/responses",
        {"max_output_tokens": 5000},
        _RESPONSE,
        {"max_output_tokens": LEFT - INPUT},
    ),
    "messages": (MESSAGES, {"max_tokens": 5000}, _MESSAGE, {"max_tokens": LEFT - INPUT}),
}


def request(path: str, more: dict[str, Any]) -> dict[str, Any]:
    kind = "anthropic" if path == MESSAGES else "openai"
    said = {"input": TEXT} if path == "/v1/responses" else {"messages": _SAID}
    return {"model": f"lim-{kind}/m", **said, **more, "metadata": {"a": 1}}


@pytest.mark.parametrize("name", LIMITED)
def test_the_vendor_is_told_no_more_than_is_left(people: People, recorder: Recorder, name: str) -> None:
    path, more, answer, limits = LIMITED[name]
    answers(recorder, answer)
    sent = request(path, more)
    got = post(people.limited, path, sent)
    assert got.status == 200, got.body
    assert recorder.arrived.json == {**sent, **limits, "model": "m"}
    row = people.limited.row(got)
    assert (row["input_tokens"], row["output_tokens"], row["estimated"]) == (0, 0, 0), "a zero that was reported"


@pytest.mark.parametrize("name", LIMITED)
def test_without_a_quota_nothing_is_put_in(people: People, recorder: Recorder, name: str) -> None:
    path, more, answer, _ = LIMITED[name]
    answers(recorder, answer)
    sent = json.dumps(request(path, more), indent=1).encode()
    assert people.free.ask("POST", path, JSON, sent).status == 200
    kind = b"anthropic" if path == MESSAGES else b"openai"
    assert recorder.arrived.body == sent.replace(b'"lim-' + kind + b'/m"', b'"m"')


@pytest.mark.parametrize(
    ("path", "body", "answer"),
    [
        ("/api/generate", {"provider": "lim-openai", "prompt": TEXT}, _CHAT),
        ("/api/generate", {"provider": "lim-anthropic", "prompt": TEXT, "max_tokens": 5000}, _MESSAGE),
        (CHAT, {"model": "lim-anthropic/m", "messages": _SAID}, _MESSAGE),
        (MESSAGES, {"model": "lim-openai/m", "messages": _SAID, "max_tokens": 5000}, _CHAT),
    ],
)
def test_a_translated_request_is_held_to_it_too(
    people: People, recorder: Recorder, path: str, body: dict[str, Any], answer: dict[str, Any]
) -> None:
    answers(recorder, answer)
    got = post(people.limited, path, body)
    assert got.status == 200, got.body
    assert recorder.arrived.json["max_tokens"] == LEFT - INPUT


def test_the_pass_through_changes_nothing(people: People, recorder: Recorder) -> None:
    sent = json.dumps({"model": "m", "messages": _SAID, "max_tokens": 60}, indent=1).encode()
    answers(recorder, _CHAT)
    assert people.limited.ask("POST", "/proxy/lim-openai/chat/completions", JSON, sent).status == 200
    assert recorder.arrived.body == sent
    without = sent.replace(b"60", b"6000")
    answers(recorder, _CHAT)
    refused = people.limited.ask("POST", "/proxy/lim-openai/chat/completions", JSON, without)
    assert refused.status == 429, "what may not fit is refused, since nothing can be put in"
    assert recorder.requests == []


def test_what_does_not_fit_is_refused(people: People, recorder: Recorder) -> None:
    answers(recorder, _CHAT)
    got = post(people.limited, CHAT, {"model": "lim-openai/m", "messages": [{"role": "user", "content": "x" * LEFT}]})
    assert got.status == 429
    assert "retry-after" not in got.headers, "it would not fit into the next month's either"
    error = json.loads(got.body)["error"]
    assert f"Your quota of {LEFT} tokens per month has {LEFT} left" in error["message"]
    assert error["code"] == "insufficient_quota"
    assert recorder.requests == []


def test_a_quota_of_cost_wants_to_know_the_price(people: People, recorder: Recorder) -> None:
    sent = {"model": "lim-openai/nobody-knows-its-price", "messages": _SAID}
    answers(recorder, _CHAT)
    refused = post(people.paying, CHAT, sent)
    assert refused.status == 429
    assert "The price of 'nobody-knows-its-price' is not known" in json.loads(refused.body)["error"]["message"]
    assert recorder.requests == []
    got = post(people.careless, CHAT, sent)
    assert got.status == 200
    assert people.careless.row(got)["cost"] in {None, 0}
