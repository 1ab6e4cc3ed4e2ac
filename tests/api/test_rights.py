"""The matrix of rights: every route of the URLconf by every credential, and nothing is open that ought to be closed."""

import json
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from django.urls import URLResolver, get_resolver

from tests.conftest import PROVIDER_KEY
from tests.gateway import Gateway
from tests.rights import ANONYMOUS, Credential, cast
from tests.routes import Route, rows
from tests.serving import fresh, running
from tests.upstream import Upstream

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


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, list[Credential], dict[str, Any]]]:
    directory: Path = tmp_path_factory.mktemp("rights") / "var"
    gateway, upstream = fresh(directory), Upstream().start()
    with running(gateway):
        staff = gateway.token("maker", staff=True)
        for name, kind in (("upstream", "openai"), ("an", "anthropic"), ("fa", "fal"), ("el", "elevenlabs")):
            body = {"name": name, "type": kind, "base_url": upstream.url, "api_key": PROVIDER_KEY}
            body |= {"allow_private_network": True, "first_byte_timeout": 2, "default_model": "m"}
            assert gateway.call(staff, body, "/api/providers").status_code == 201
        credentials, own = cast(gateway)
        yield gateway, credentials, own
    upstream.stop()


class Browser:
    """One connection over which a request costs little; it keeps no cookies."""

    def __init__(self, gateway: Gateway) -> None:
        self._connection = HTTPConnection("127.0.0.1", gateway.port, timeout=20)

    def close(self) -> None:
        self._connection.close()

    def ask(self, route: Route, credential: Credential) -> tuple[int, str, str]:
        """Status, body and Location."""
        path = route.path
        if credential.query:
            path += ("&" if "?" in path else "?") + credential.query
        body = None if route.body is None else json.dumps(route.body)
        headers = {"Content-Type": "application/json", **credential.headers}
        self._connection.request(route.method, path, body, headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read().decode(), answer.headers.get("location", "")


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
def test_only_those_who_may(stage: tuple[Gateway, list[Credential], dict[str, Any]], pattern: str) -> None:
    gateway, credentials, own = stage
    with closing(Browser(gateway)) as browser:
        flaws = [_flaw(route, one, *browser.ask(route, one)) for route in rows(own)[pattern] for one in credentials]
    assert not any(flaws), "\n".join(filter(None, flaws))


@pytest.mark.parametrize("path", of_admin())
def test_the_admin_is_for_administrators(stage: tuple[Gateway, list[Credential], dict[str, Any]], path: str) -> None:
    gateway, credentials, _ = stage
    flaws = []
    for one in credentials:
        if one.state in _ADMINS and one.kind in {"session", "token", "jwt", "nothing"}:
            with closing(Browser(gateway)) as browser:
                status, *_ = browser.ask(Route("admin", path), one)
            may = one.kind == "session" and one.state in ({"staff", "super"} if path in _OF_ALL_STAFF else {"super"})
            if status == 200 and not may:
                flaws.append(str(one))
    assert not flaws


def test_the_socket_is_for_those_who_may_chat(stage: tuple[Gateway, list[Credential], dict[str, Any]]) -> None:
    gateway, credentials, _ = stage
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


def test_there_are_cells_enough(stage: tuple[Gateway, list[Credential], dict[str, Any]]) -> None:
    _, credentials, own = stage
    assert sum(len(routes) for routes in rows(own).values()) * len(credentials) >= _FEWEST
    assert ANONYMOUS in credentials
