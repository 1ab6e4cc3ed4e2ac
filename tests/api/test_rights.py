"""The matrix of rights: every route of the URLconf by every credential, and nothing is open that ought to be closed."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlencode

import pytest
from django.urls import URLResolver, get_resolver

from tests.gateway import Gateway
from tests.rights import ANONYMOUS, Browser, Credential, Rights
from tests.routes import Route, rows

_OWN = {"token id": 0, "sign-in id": 0}
_ADMINS = ("anonymous", "anna", "staff", "super", "disabled", "expired", "revoked")
_OF_ALL_STAFF = {"/admin/", "/admin/jsi18n/", "/admin/password_change/", "/admin/password_change/done/"}
_NOBODYS = (302, 404, 405)
# What every form of the admin might take: fields, an action and its being sure.
_ADMIN_FORM = {
    **dict.fromkeys(("username", "name", "old_password", "new_password1", "new_password2"), "changed"),
    **dict.fromkeys(("is_staff", "is_superuser", "is_active", "enabled", "usable_password"), "on"),
    **dict.fromkeys(("password1", "password2"), "changed"),
    "type": "echo",
    "action": "delete_selected",
    "_selected_action": "1",
    "post": "yes",
    "_save": "Save",
}
_ONE_OF_EACH = """
from django.contrib.auth.models import Group
from accounts.models import Quota, User
Group.objects.get_or_create(id=1, defaults={"name": "some"})
Quota.objects.filter(id=1).exists() or Quota.objects.create(
    id=1, user=User.objects.get(username="ben"), unit="requests", window="day", limit=100000
)
"""
_ADMINISTERED = {
    "accounts_user": "*",
    "auth_group": "*",
    "providers_provider": "*",
    "accounts_quota": "*",
    "accounts_price": "*",
    "accounts_apitoken": "id, user_id, name, digest, revoked_at, expires_at, generation",
    "accounts_signin": "id, user_id, ended_at",
    "django_admin_log": "*",
}
_FEWEST = 4000  # cells


def patterns(resolver: URLResolver, prefix: str = "") -> Iterator[str]:
    for pattern in resolver.url_patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from patterns(pattern, route)
        else:
            yield route


def of_admin() -> list[str]:
    """Addresses of the admin, one for each of its routes; those that end there need no right are left out."""
    found = set()
    for pattern in patterns(get_resolver()):
        if pattern.startswith("admin/") and not pattern.endswith(("login/", "logout/", "$")):
            path = pattern
            for part in ("<path:object_id>", "<path:content_type_id>", "<id>"):
                path = path.replace(part, "1")
            found.add("/" + path)
    return sorted(found)


def _flaw(route: Route, credential: Credential, status: int, body: str, location: str) -> str:
    """What is wrong with an answer; nothing if it is as it should be."""
    said = f"{route.method} {route.path} by {credential}: {status} {location} {body[:150]}"
    if route.admits(credential.state, credential.kind):
        return "" if status in route.well else f"not answered: {said}"
    if "page" in route.who:
        well = status in {403, 404} or (status == 302 and location.startswith("/login?"))
        return "" if well else f"let in: {said}"
    expected = {401, 403, *([404] if route.who.startswith("own") else []), *(_NOBODYS if route.who == "nobody" else [])}
    return "" if status in expected else f"let in: {said}"


def test_every_route_has_its_line() -> None:
    known = {pattern for pattern in patterns(get_resolver()) if not pattern.startswith("admin/")}
    assert set(rows(_OWN)) == known, "Say in tests/routes.py who may call it."


@pytest.mark.parametrize("pattern", list(rows(_OWN)))
def test_only_those_who_may(rights: Rights, pattern: str) -> None:
    gateway, credentials, own = rights
    flaws = []
    with closing(Browser(gateway)) as browser:
        for route in rows(own)[pattern]:
            for one in credentials:
                if route.before and route.admits(one.state, one.kind):
                    gateway.python(route.before)
                flaws.append(_flaw(route, one, *browser.ask(route, one)))
    assert not any(flaws), "\n".join(filter(None, flaws))


@pytest.mark.parametrize("path", of_admin())
def test_the_admin_is_for_administrators(rights: Rights, path: str) -> None:
    gateway, credentials, _ = rights
    flaws = []
    for one in credentials:
        if one.state in _ADMINS and one.kind in {"session", "token", "jwt", "nothing"}:
            with closing(Browser(gateway)) as browser:
                status, *_ = browser.ask(Route("admin", path), one)
            may = one.kind == "session" and one.state in ({"staff", "super"} if path in _OF_ALL_STAFF else {"super"})
            if status == 200 and not may:
                flaws.append(str(one))
    assert not flaws


@pytest.fixture(scope="module")
def one_of_each(rights: Rights) -> None:
    """Rows with the id that the admin's addresses have here."""
    rights[0].python(_ONE_OF_EACH)


@pytest.mark.usefixtures("one_of_each")
@pytest.mark.parametrize("path", of_admin())
def test_who_has_no_right_changes_nothing_in_the_admin(rights: Rights, path: str) -> None:
    gateway, credentials, _ = rights
    before = _administered(gateway)
    for one in credentials:
        if one.kind == "session" and one.state in {"anna", "staff"}:
            with closing(Browser(gateway)) as browser:
                status, body, location = browser.ask(Route("admin", path, "POST", urlencode(_ADMIN_FORM)), one)
            said = f"{one}: {status} {location}"
            assert "CSRF" not in body, said
            if status == 200:
                assert one.state == "staff", said
                assert path in _OF_ALL_STAFF, said
            elif status == 302:
                assert _leads_elsewhere(path, location), said
            else:
                assert status in {403, 404, 405}, said
    assert _administered(gateway) == before


def _leads_elsewhere(path: str, location: str) -> bool:
    """Whether a redirection is one to a page that asks for rights of its own, and none after something was done."""
    if path.endswith("/history/") and location == "/admin/":  # there is no such row
        return True
    own = "/password" if path == "/admin/password_change/" else f"{path}change/"
    return location == own or location.startswith("/admin/login/?")


def _administered(gateway: Gateway) -> list[Any]:
    return [gateway.rows(f"SELECT {columns} FROM {table} ORDER BY id") for table, columns in _ADMINISTERED.items()]


def test_the_socket_is_for_those_who_may_chat(rights: Rights) -> None:
    gateway, credentials, _ = rights
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    upgrade |= {"Sec-WebSocket-Key": "x3JJHMbDL1EzLkh9GBhXDw==", "Origin": gateway.url}
    socket = Route("user", "/ws/chat/", endpoint="chat")
    flaws = []
    for one in credentials:
        with_upgrade = Credential(one.state, one.kind, {**upgrade, **one.headers}, one.query)
        with closing(Browser(gateway)) as browser:
            status, *_ = browser.ask(socket, with_upgrade)
        may = "page" not in one.kind and socket.admits(one.state, one.kind.removesuffix(" without CSRF"))
        if (status == 101) != may:
            flaws.append(f"{one}: {status}")
    assert not flaws


def test_there_are_cells_enough(rights: Rights) -> None:
    _, credentials, own = rights
    assert sum(len(routes) for routes in rows(own).values()) * len(credentials) >= _FEWEST
    assert ANONYMOUS in credentials
