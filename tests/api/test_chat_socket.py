"""The chat's socket: the same calls as over HTTP, told in events."""

import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from uuid import UUID

import pytest

from tests.chatting import HELLO, Chatter, handshake, text
from tests.gateway import Gateway
from tests.leaving import NOTICE_SECONDS, Stage, wait_until
from tests.upstream import LEAK, Upstream
from tests.visitor import Visitor, person

ASK = {"type": "ask", "id": "q", "messages": HELLO}


@pytest.fixture
def chatter(gateway: Gateway, user_token: str) -> Iterator[Chatter]:
    with Chatter.with_token(gateway, user_token) as chatter:
        yield chatter


def row(gateway: Gateway, call_id: str) -> tuple[Any, ...]:
    """How a call stands: state, surface, estimated."""
    query = f"SELECT state, surface, estimated FROM accounts_call WHERE id = '{UUID(call_id).hex}'"
    return gateway.rows(query)[0]


def wait_for_state(gateway: Gateway, call_id: str, state: str) -> None:
    wait_until(lambda: row(gateway, call_id)[0] == state, 5, lambda: row(gateway, call_id))


def test_an_answer_comes_in_events_and_is_in_the_ledger(gateway: Gateway, chatter: Chatter, provider: str) -> None:
    for number, model in enumerate((f"{provider}/m", provider)):
        events = chatter.answer(model, id=f"question {number}")
        assert {event["id"] for event in events} == {f"question {number}"}
        started, done = events[0], events[-1]
        assert (started["type"], started["provider"], started["model"]) == ("started", provider, "m")
        assert text(events) == "One two three four"
        assert (done["type"], done["finish_reason"]) == ("done", "stop")
        assert done["usage"] == {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
        wait_for_state(gateway, started["call_id"], "done")
        assert row(gateway, started["call_id"])[1] == "socket"


def test_a_conversation_reaches_the_provider_whole(chatter: Chatter, provider: str, upstream: Upstream) -> None:
    said = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "ሰላም"},
        {"role": "assistant", "content": "Hello."},
        {"role": "user", "content": "And again?"},
    ]
    chatter.answer(provider, messages=said)
    assert upstream.calls[-1].json["messages"] == said


WRONG: dict[str, tuple[Any, str]] = {
    "no JSON": ("{", "JSON object"),
    "no object": ("[]", "JSON object"),
    "no type": ({"id": "q"}, "type"),
    "another type": ({"type": "shout"}, "type"),
    "without an id": ({"type": "ask", "messages": HELLO}, "id: "),
    "an empty id": ({**ASK, "id": ""}, "id: "),
    "a long id": ({**ASK, "id": "x" * 65}, "id: "),
    "a number as id": ({**ASK, "id": 1}, "id: "),
    "without messages": ({"type": "ask", "id": "q"}, "messages: "),
    "no messages": ({**ASK, "messages": []}, "messages: "),
    "blank messages": ({**ASK, "messages": [{"role": "user", "content": " "}]}, "messages: "),
    "an unknown role": ({**ASK, "messages": [{"role": "me", "content": "x"}]}, "role"),
    "content that is no text": ({**ASK, "messages": [{"role": "user", "content": 1}]}, "content"),
    "a model that is no text": ({**ASK, "model": 1}, "model: "),
    "a long model": ({**ASK, "model": "x" * 266}, "model: "),
    "an unknown field": ({**ASK, "temperature": 1}, "temperature: "),
    "a stop with more": ({"type": "stop", "id": "q"}, "id: "),
}


def test_wrong_messages_are_refused_and_the_socket_goes_on(chatter: Chatter) -> None:
    for case, (message, told) in WRONG.items():
        chatter.say(message)
        error = chatter.hear()
        assert (error["type"], error["code"]) == ("error", "INVALID_REQUEST"), case
        assert told in error["message"], (case, error)
        assert len(error["request_id"]) == 32, case
    chatter.wire.send(b"\x82\x80abcd")  # an empty binary message
    assert chatter.hear()["code"] == "INVALID_REQUEST"
    assert text(chatter.answer("demo")) == "Hello there"


@pytest.mark.parametrize(
    ("model", "code"),
    [
        ("status-500", "GENERATION_ERROR"),
        ("status-429", "RATE_LIMITED"),
        ("stream-cut", "GENERATION_ERROR"),
        ("stream-error", "GENERATION_ERROR"),
        ("silent", "UPSTREAM_TIMEOUT"),
    ],
)
def test_what_goes_wrong_at_the_provider_is_told(chatter: Chatter, provider: str, model: str, code: str) -> None:
    events = chatter.answer(f"{provider}/{model}")
    assert (events[-1]["type"], events[-1]["id"], events[-1]["code"]) == ("error", "q", code)
    assert text(events) == ("One two" if model.startswith("stream") else "")
    assert events[-1].get("retry_after") == (7 if model == "status-429" else None)
    assert LEAK not in str(events)
    assert text(chatter.answer("demo")) == "Hello there", "the socket goes on"


def test_an_unknown_model_is_told(chatter: Chatter) -> None:
    assert chatter.answer("nobody/nothing")[-1]["code"] == "NOT_FOUND"


def test_one_answer_at_a_time_and_stop(
    gateway: Gateway, chatter: Chatter, upstream: Upstream, user_token: str, staff_token: str
) -> None:
    stage = Stage(gateway, upstream, user_token, staff_token)
    for policy in ("cancel", "drain"):  # who stops an answer does not want it, whatever the provider says
        upstream.hung_up = 0
        chatter.say({"type": "stop"})  # nothing to stop: nothing happens
        chatter.ask(f"{policy}{stage.suffix}/hold-middle")
        started = chatter.hear_until("delta")[0]
        chatter.ask(id="second")
        refused = chatter.hear()
        assert (refused["id"], refused["code"]) == ("second", "INVALID_REQUEST")
        chatter.say({"type": "stop"})
        done = chatter.hear()
        assert (done["type"], done["id"], done["finish_reason"]) == ("done", "q", "stopped")
        assert done["usage"]["estimated"] is True
        wait_until(lambda: upstream.hung_up == 1, 2, lambda: upstream.hung_up)
        wait_for_state(gateway, started["call_id"], "client_gone")
    chatter.ask(f"cancel{stage.suffix}/silent")
    wait_until(lambda: len(upstream.calls) == 3, 2, lambda: len(upstream.calls))
    chatter.say({"type": "stop"})
    assert chatter.hear() == {"type": "done", "id": "q", "finish_reason": "stopped", "usage": None}


@pytest.mark.parametrize("policy", ["cancel", "drain", "keep"])
def test_who_leaves_is_served_as_over_http(
    gateway: Gateway, upstream: Upstream, user_token: str, staff_token: str, policy: str
) -> None:
    stage = Stage(gateway, upstream, user_token, staff_token)
    with Chatter.with_token(gateway, user_token) as chatter:
        chatter.ask(f"{policy}{stage.suffix}/hold-middle")
        call_id = chatter.hear_until("delta")[0]["call_id"]
    if policy == "cancel":
        wait_until(lambda: upstream.hung_up == 1, 2, lambda: "it goes on upstream")
    else:
        wait_until(lambda: policy == "drain" or kept(stage, call_id)[0] == 409, 2, lambda: kept(stage, call_id))
        wait_until(lambda: True, NOTICE_SECONDS, lambda: "")
        assert upstream.hung_up == 0
        upstream.go_on.set()
    wait_for_state(gateway, call_id, "client_gone")
    assert row(gateway, call_id)[2] == (policy == "cancel")
    if policy == "keep":
        wait_until(lambda: kept(stage, call_id)[0] == 200, 3, lambda: kept(stage, call_id))
        lines = kept(stage, call_id)[1].splitlines()
        assert '"started"' in lines[0]
        assert ('"done"' in lines[-1], '" four"' in lines[-2]) == (True, True)


def kept(stage: Stage, call_id: str) -> tuple[int, str]:
    found = stage.gateway.call(stage.token, None, f"/api/calls/{call_id}/answer", method="GET")
    return found.status_code, found.text


def test_a_client_that_does_not_read_holds_the_provider_up(
    gateway: Gateway, user_token: str, provider: str, upstream: Upstream
) -> None:
    with Chatter.with_token(gateway, user_token, receive_buffer=4096) as chatter:
        chatter.ask(f"{provider}/flood")
        wait_until(lambda: len(upstream.calls) == 1, 2, lambda: "it was not asked")
        with pytest.raises(AssertionError):
            wait_until(lambda: upstream.streams_sent > 0, 1.0, lambda: "it is held up")
        events = chatter.hear_until("done", "error")
    assert (events[-1]["type"], len(text(events))) == ("done", 256 * 65_536 + len(" two three four"))


def test_a_quota_is_told_with_its_numbers(gateway: Gateway) -> None:
    name = f"limited-{secrets.token_hex(4)}"
    token = gateway.token(name)
    quota = (
        "from accounts.models import Quota, User; Quota.objects.create(user=User.objects.get(username={!r}), **{!r})"
    )
    gateway.python(quota.format(name, {"unit": "requests", "window": "hour", "limit": 1}))
    with Chatter.with_token(gateway, token) as chatter:
        assert chatter.answer("demo")[-1]["type"] == "done"
        error = chatter.answer("demo")[-1]
    assert (error["code"], error["id"]) == ("QUOTA_EXCEEDED", "q")
    told = error["details"]
    assert (told["unit"], told["window"], told["limit"], told["used"]) == ("requests", "hour", 1, 1)
    assert told["resets_at"]


_TOKENS = "from accounts.models import ApiToken; ApiToken.objects.filter(user__username={!r})"


def test_a_credential_that_ends_ends_the_socket(gateway: Gateway) -> None:
    name = f"leaver-{secrets.token_hex(4)}"
    with Chatter.with_token(gateway, gateway.token(name)) as chatter:
        assert chatter.answer("demo")[-1]["type"] == "done"
        gateway.python(_TOKENS.format(name) + ".update(generation=7)")
        assert chatter.answer("demo")[-1]["type"] == "done", "it changed, and is good still"
        gateway.python(_TOKENS.format(name) + ".update(revoked_at='2020-01-01T00:00Z')")
        error = chatter.answer("demo")[-1]
        assert (error["code"], error["id"]) == ("UNAUTHORIZED", "q")
        assert chatter.close_code() == 4401


def test_an_answer_ends_with_its_credential(
    gateway: Gateway, upstream: Upstream, user_token: str, staff_token: str
) -> None:
    stage = Stage(gateway, upstream, user_token, staff_token)
    name = f"leaver-{secrets.token_hex(4)}"
    with Chatter.with_token(gateway, gateway.token(name)) as chatter:
        chatter.ask(f"drain{stage.suffix}/hold-middle")
        call_id = chatter.hear_until("delta")[0]["call_id"]
        gateway.python(_TOKENS.format(name) + ".update(revoked_at='2020-01-01T00:00Z')")
        assert chatter.hear()["code"] == "UNAUTHORIZED"
        assert chatter.close_code() == 4401
    wait_for_state(gateway, call_id, "revoked")


def test_people_come_with_their_session_and_from_our_pages_only(gateway: Gateway) -> None:
    visitor = Visitor(gateway)
    visitor.sign_in(person(gateway))
    cookie, ours = f"Cookie: sessionid={visitor.session}", f"Origin: {gateway.url}"
    assert handshake(gateway, ours) == 403, "nobody"
    assert handshake(gateway, ours, "Cookie: sessionid=nobodys") == 403
    assert handshake(gateway, cookie) == 403, "no origin"
    assert handshake(gateway, cookie, "Origin: https://evil.example.com") == 403
    with Chatter(gateway, cookie, ours) as chatter:
        assert text(chatter.answer("demo")) == "Hello there"
        visitor.send("/logout", page="/account")
        assert chatter.answer("demo")[-1]["code"] == "UNAUTHORIZED"
        assert chatter.close_code() == 4401
    assert handshake(gateway, cookie, ours) == 403


_LIMITED = (
    "from accounts.models import ApiToken, User;"
    "user = User.objects.get_or_create(username='limited')[0];"
    "print(ApiToken.objects.issue(user, 'limited', **{!r})[1])"
)


def test_what_a_token_is_limited_to_holds_here(gateway: Gateway) -> None:
    def status(**limits: list[str]) -> int:
        token = gateway.python(_LIMITED.format(limits)).strip()
        return handshake(gateway, f"Authorization: Bearer {token}")

    assert status(endpoints=["chat"]) == 101
    assert status(endpoints=["openai", "generate"]) == 403
    assert status(addresses=["203.0.113.0/24"]) == 403
    token = gateway.python(_LIMITED.format({"providers": ["another"]})).strip()
    with Chatter.with_token(gateway, token) as chatter:
        assert chatter.answer("demo")[-1]["code"] == "FORBIDDEN"
    assert handshake(gateway, "Authorization: Bearer agw_nonsense") == 403
    assert handshake(gateway, "Authorization: Basic eDp5") == 403


def test_nobody_opens_sockets_without_end(gateway: Gateway) -> None:
    token = gateway.token("opens-many")
    with ExitStack() as opened:
        sockets = [opened.enter_context(Chatter.with_token(gateway, token)) for _ in range(50)]
        assert handshake(gateway, f"Authorization: Bearer {token}") == 403
        sockets[0].leave()
        wait_until(lambda: handshake(gateway, f"Authorization: Bearer {token}") == 101, 5, lambda: "no place is free")
