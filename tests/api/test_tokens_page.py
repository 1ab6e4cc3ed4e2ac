"""The page of API tokens, in a browser's way and without scripts: make, rotate, revoke; the secret is shown once."""

import re
from collections.abc import Iterator

import httpx
import pytest

from tests.credentials import status
from tests.gateway import Gateway
from tests.visitor import Visitor, person

_SECRET = re.compile(r'<code id="secret">(agw_\w{46})</code>')


@pytest.fixture(scope="module")
def owner(gateway: Gateway) -> Iterator[Visitor]:
    visitor = Visitor(gateway)
    visitor.sign_in(person(gateway))
    yield visitor
    visitor.client.close()


def make(owner: Visitor, name: str, **limits: str) -> str:
    """The secret of a new token. Asserts that it is shown as it ought to be."""
    return secret_of(owner.send("/tokens", {"name": name, "lasting": "30", **limits}))


def secret_of(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    assert "no-store" in answer.headers["cache-control"]
    found = _SECRET.search(answer.text)
    assert found, answer.text
    assert f"Authorization: Bearer {found[1]}" in answer.text.replace("&quot;", '"'), "the command to try it"
    assert not any(found[1] in one for one in answer.headers.values())
    return found[1]


def key_of(owner: Visitor, name: str) -> str:
    """The id of the token with that name."""
    found = re.search(rf'href="/tokens/(\d+)/rotate" aria-label="Rotate {re.escape(name)}"', owner.get("/tokens").text)
    assert found, f"no {name} in the list"
    return found[1]


def test_empty_then_made_then_in_the_list(gateway: Gateway, owner: Visitor) -> None:
    assert "You have no token yet." in owner.get("/tokens").text
    secret = make(owner, "nightly <b>run</b>")
    assert status(gateway, secret) == 200
    shown = owner.get("/tokens")
    assert "nightly &lt;b&gt;run&lt;/b&gt;" in shown.text
    assert secret[:10] in shown.text
    assert secret not in shown.text
    assert "no-store" in shown.headers["cache-control"]


def test_limits_hold_and_are_shown(gateway: Gateway, owner: Visitor) -> None:
    limits = {"providers": "demo", "endpoints": "chat", "addresses": "127.0.0.1, 10.0.0.0/8"}
    answer = owner.send("/tokens", {"name": "limited", "lasting": "", **limits})
    secret = secret_of(answer)
    assert "/api/chat" in answer.text
    assert status(gateway, secret, {"message": "Hello"}, "/api/chat") == 200
    assert status(gateway, secret) == 403
    assert status(gateway, make(owner, "with models", models="echo*\nm")) == 403, "demo was not asked for one of these"
    shown = owner.get("/tokens").text
    assert "echo*, m" in shown
    assert "127.0.0.1, 10.0.0.0/8" in shown
    row = gateway.rows(f"select expires_at from accounts_apitoken where shown = '{secret[:10]}'")
    assert row == [(None,)]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"name": ""}, "This field is required."),
        ({"name": "a", "addresses": "nowhere"}, "does not appear to be"),
        ({"name": "a", "endpoints": "admin"}, "admin is not one of the available choices"),
        ({"name": "a", "lasting": "12345"}, "12345 is not one of the available choices"),
    ],
)
def test_what_is_wrong_is_told_and_nothing_is_made(owner: Visitor, wrong: dict[str, str], told: str) -> None:
    before = owner.get("/tokens").text.count("/rotate")
    answer = owner.send("/tokens", {"lasting": "30", **wrong})
    assert (answer.status_code, told in answer.text) == (422, True)
    assert owner.get("/tokens").text.count("/rotate") == before


def test_rotating_shows_another_secret_and_the_old_one_works_on(gateway: Gateway, owner: Visitor) -> None:
    old = make(owner, "rotating")
    path = f"/tokens/{key_of(owner, 'rotating')}/rotate"
    new = secret_of(owner.send(path, {"grace": "3600"}))
    assert new != old
    assert [status(gateway, one) for one in (old, new)] == [200, 200]
    assert "Old secret works until" in owner.get("/tokens").text
    answer = owner.send(path, {"grace": "0"})
    assert "The old secret is refused from now on." in answer.text
    assert [status(gateway, one) for one in (old, new, secret_of(answer))] == [401, 401, 200]
    assert owner.send(path, {"grace": "7"}).status_code == 200
    assert status(gateway, secret_of(answer)) == 200, "a grace that is not offered changes nothing"


def test_revoking_asks_by_name_and_leads_back(gateway: Gateway, owner: Visitor) -> None:
    secret = make(owner, "going")
    path = f"/tokens/{key_of(owner, 'going')}/revoke"
    assert "Revoke “going”?" in owner.get(path).text
    assert status(gateway, secret) == 200, "looking revokes nothing"
    answer = owner.send(path)
    assert (answer.status_code, answer.headers["location"]) == (302, "/tokens")
    assert status(gateway, secret) == 401
    shown = owner.get("/tokens").text
    assert "“going” is revoked." in shown
    assert "token that does not work any more" in shown
    rotated = owner.send(path.replace("revoke", "rotate"), {"grace": "0"})
    assert (rotated.status_code, rotated.headers["location"]) == (302, "/tokens")
    assert "was revoked" in owner.get("/tokens").text


def test_it_is_nobody_elses(gateway: Gateway, owner: Visitor) -> None:
    secret = make(owner, "mine")
    key = key_of(owner, "mine")
    other = Visitor(gateway)
    for path in ("/tokens", f"/tokens/{key}/rotate", f"/tokens/{key}/revoke"):
        assert other.get(path).headers["location"] == f"/login?next={path}"
    other.sign_in(person(gateway, is_staff=True))
    for path in (f"/tokens/{key}/rotate", f"/tokens/{key}/revoke"):
        assert other.get(path).status_code == 404
        assert other.send(path, {"grace": "0"}, page="/tokens").status_code == 404
    unasked = owner.client.post(f"/tokens/{key}/revoke")
    assert unasked.status_code == 403, "without the form's token"
    assert status(gateway, secret) == 200
