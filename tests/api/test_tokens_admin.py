"""API tokens and sign-ins in the admin: limits changed, tokens revoked, sign-ins ended; no secret seen or made."""

from collections.abc import Iterator

import pytest

from tests.credentials import new_name, signed_in, status
from tests.gateway import Gateway
from tests.visitor import Visitor, person

_LIST, _SIGN_INS, _USERS = (f"/admin/accounts/{name}/" for name in ("apitoken", "signin", "user"))


@pytest.fixture(scope="module")
def admin(gateway: Gateway) -> Iterator[Visitor]:
    visitor = Visitor(gateway)
    visitor.sign_in(person(gateway, is_staff=True, is_superuser=True))
    yield visitor
    visitor.client.close()


def key_of(gateway: Gateway, token: str) -> str:
    ((key,),) = gateway.rows(f"select id from accounts_apitoken where shown = '{token[:10]}'")
    return str(key)


def test_limits_are_changed_and_the_token_revoked(gateway: Gateway, admin: Visitor) -> None:
    token = gateway.token(new_name())
    key = key_of(gateway, token)
    assert status(gateway, token) == 200
    form = {"name": "renamed", "expires_at_0": "", "expires_at_1": "", "endpoints": "chat", "models": "a\nb"}
    saved = admin.send(f"{_LIST}{key}/change/", {**form, "addresses": ""})
    assert (saved.status_code, saved.headers.get("location")) == (302, _LIST), saved.text
    assert status(gateway, token) == 403
    page = admin.get(f"{_LIST}{key}/change/").text
    assert "renamed" in page
    assert token not in page
    past = {**form, "expires_at_0": "2020-01-01", "expires_at_1": "00:00"}
    assert "This moment has passed" in admin.send(f"{_LIST}{key}/change/", past).text
    admin.send(_LIST, {"action": "revoke", "_selected_action": key})
    assert status(gateway, token) == 401
    assert admin.get(f"{_LIST}add/").status_code == 403
    assert admin.client.post(f"{_LIST}{key}/delete/").status_code == 403
    assert 'name="name"' not in admin.get(f"{_LIST}{key}/change/").text, "one that was revoked is only shown"


def test_sign_ins_are_ended_one_by_one_and_all(gateway: Gateway, admin: Visitor) -> None:
    name = new_name()
    pairs = [signed_in(gateway, name) for _ in range(3)]
    assert [status(gateway, pair.access) for pair in pairs] == [200, 200, 200]
    ((user,),) = gateway.rows(f"select id from accounts_user where username = '{name}'")
    ((first,),) = gateway.rows(f"select min(id) from accounts_signin where user_id = {user}")
    assert name in admin.get(f"{_SIGN_INS}?q={name}").text
    admin.send(_SIGN_INS, {"action": "end", "_selected_action": str(first)})
    assert [status(gateway, pair.access) for pair in pairs] == [401, 200, 200]
    admin.send(_USERS, {"action": "sign_out", "_selected_action": str(user)})
    assert [status(gateway, pair.access) for pair in pairs] == [401, 401, 401]
    assert admin.get(f"{_SIGN_INS}add/").status_code == 403
    assert admin.get("/account").status_code == 200, "nobody else's ended"
