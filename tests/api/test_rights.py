"""The matrix of rights: every route of the URLconf by every credential, and nothing is open that ought to be closed."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from django.urls import URLResolver, get_resolver

from tests.rights import ANONYMOUS, Browser, Credential, Rights
from tests.routes import Route, rows

_OWN = {"token id": 0, "sign-in id": 0}
_ADMINS = ("anonymous", "anna", "staff", "super", "disabled", "expired", "revoked")
_OF_ALL_STAFF = {"/admin/", "/admin/jsi18n/", "/admin/password_change/", "/admin/password_change/done/"}
_NOBODYS = (302, 404, 405)
_FEWEST = 2000  # cells


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
        refused = status == 403 or (status == 401 and route.who != "open")
        return f"refused: {said}" if refused else ""
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
    with closing(Browser(gateway)) as browser:
        flaws = [_flaw(route, one, *browser.ask(route, one)) for route in rows(own)[pattern] for one in credentials]
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
        may = "foreign" not in one.kind and socket.admits(one.state, one.kind.removesuffix(" without CSRF"))
        if (status == 101) != may:
            flaws.append(f"{one}: {status}")
    assert not flaws


def test_there_are_cells_enough(rights: Rights) -> None:
    _, credentials, own = rights
    assert sum(len(routes) for routes in rows(own).values()) * len(credentials) >= _FEWEST
    assert ANONYMOUS in credentials
