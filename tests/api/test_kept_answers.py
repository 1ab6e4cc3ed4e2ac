"""A client leaves in the middle and fetches later what it has missed, where the provider keeps it."""

import re
import time
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from tests.gateway import Gateway
from tests.leaving import NOTICE_SECONDS, WAYS, Stage, books, read_until, wait_until
from tests.upstream import Upstream


@pytest.fixture
def stage(gateway: Gateway, upstream: Upstream, user_token: str, staff_token: str) -> Stage:
    return Stage(gateway, upstream, user_token, staff_token)


def fetch(stage: Stage, call_id: str, token: str = "") -> httpx.Response:
    return stage.gateway.call(token or stage.token, None, f"/api/calls/{call_id}/answer", method="GET")


def fetched(stage: Stage, call_id: str) -> httpx.Response:
    """The answer, once it is there."""
    deadline = time.monotonic() + 5
    while (answer := fetch(stage, call_id)).status_code == 409:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return answer


def left_in_the_middle(stage: Stage, *, relayed: bool, policy: str = "keep") -> str:
    """The id of a streamed call whose client has left after the first word."""
    connection = stage.call(policy, "hold-middle", streamed=True, request_id=uuid4().hex, relayed=relayed)
    seen = read_until(connection, b"One")
    found = re.search(rb"\r\nx-call-id: (\S+)\r\n", seen, re.IGNORECASE)
    assert found, seen
    WAYS["fin"](connection)
    time.sleep(NOTICE_SECONDS)
    return found[1].decode()


@pytest.mark.parametrize("relayed", [True, False])
def test_a_stream_can_be_fetched_as_it_would_have_come(stage: Stage, relayed: bool) -> None:
    call_id = left_in_the_middle(stage, relayed=relayed)
    early = fetch(stage, call_id)
    assert (early.status_code, early.json()["error"]["code"]) == (409, "ANSWER_NOT_READY")
    assert early.headers["retry-after"] == "1"
    stage.upstream.go_on.set()
    answer = fetched(stage, call_id)
    assert (answer.status_code, answer.headers["x-call-id"]) == (200, call_id)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert "".join(re.findall(r'"delta":\s*\{"content":\s*"([^"]*)"', answer.text)) == "One two three four"
    assert answer.text.endswith("data: [DONE]\n\n")
    assert fetch(stage, call_id, stage.staff).status_code == 404, "it belongs to who asked for it"
    with books(stage.gateway) as ask:
        call = UUID(call_id).hex
        state = f"SELECT state FROM accounts_call WHERE id = '{call}'"
        wait_until(lambda: ask(state) == [("client_gone",)], 5, lambda: ask(state))
        assert ask(f"SELECT state FROM accounts_attempt WHERE call_id = '{call}'") == [("done",)]
        ask(f"UPDATE providers_keptanswer SET expires_at = '2001-01-01' WHERE call_id = '{call}'")
    assert fetch(stage, call_id).status_code == 404, "an hour later"


def test_a_whole_answer_can_be_fetched_too(stage: Stage) -> None:
    request_id = uuid4().hex
    connection = stage.call("keep", "hold-head", streamed=False, request_id=request_id, relayed=False)
    wait_until(lambda: stage.upstream.held == 1, 5, lambda: "the call did not come upstream")
    WAYS["reset"](connection)
    time.sleep(NOTICE_SECONDS)
    stage.upstream.go_on.set()
    with books(stage.gateway) as ask:
        ((call_id,),) = ask(f"SELECT id FROM accounts_call WHERE request_id = '{request_id}'")
    answer = fetched(stage, str(UUID(call_id)))
    assert answer.status_code == 200
    assert answer.json()["data"]["content"] == "Answer to: count"
    assert answer.json()["request_id"] == request_id


def test_what_is_not_kept(stage: Stage) -> None:
    drained = left_in_the_middle(stage, relayed=True, policy="drain")
    assert fetch(stage, drained).status_code == 409, "its call is open"
    stage.upstream.go_on.set()
    assert fetched(stage, drained).status_code == 404
    answer = stage.gateway.call(stage.token, {"provider": "keep" + stage.suffix, "prompt": "x"})
    missed = fetched(stage, answer.headers["x-call-id"])
    assert missed.status_code == 404, "its client was there to the end"
    assert "x-call-id" not in missed.headers
    assert fetch(stage, str(uuid4())).status_code == 404
    assert fetch(stage, "no-id").json()["error"]["code"] == "NOT_FOUND"


def test_an_answer_that_broke_off_is_told_to_have(stage: Stage) -> None:
    call_id = left_in_the_middle(stage, relayed=True)
    stage.upstream.break_off()
    missed = fetched(stage, call_id)
    assert missed.status_code == 404
    assert "broke off" in missed.json()["error"]["message"]
    with books(stage.gateway) as ask:
        call = UUID(call_id).hex
        assert ask(f"SELECT state FROM accounts_call WHERE id = '{call}'") == [("client_gone",)]
        assert ask(f"SELECT state FROM accounts_attempt WHERE call_id = '{call}'") == [("truncated",)]


@pytest.mark.parametrize(
    ("path", "model", "status"),
    [
        ("/api/generate", "m", 200),
        ("/api/generate", "status-500", 502),
        ("/api/generate", "hang-up", 502),
        ("/v1/chat/completions", "m", 200),
        ("/v1/chat/completions", "status-500", 502),
        ("/v1/chat/completions", "hang-up", 502),
    ],
)
def test_every_answer_of_a_call_names_it(
    gateway: Gateway, provider: str, user_token: str, path: str, model: str, status: int
) -> None:
    body: dict[str, Any] = {"messages": [{"role": "user", "content": "x"}]}
    body |= {"model": f"{provider}/{model}"} if path.startswith("/v1") else {"model": model, "provider": provider}
    answer = gateway.call(user_token, body, path)
    assert answer.status_code == status, answer.text
    call = UUID(answer.headers["x-call-id"]).hex
    with books(gateway) as ask:
        assert ask(f"SELECT provider FROM accounts_call WHERE id = '{call}'") == [(provider,)]


def test_what_was_not_admitted_has_no_call(gateway: Gateway) -> None:
    refused = gateway.call("nobody", {"prompt": "x"})
    assert (refused.status_code, "x-call-id" in refused.headers) == (401, False)
