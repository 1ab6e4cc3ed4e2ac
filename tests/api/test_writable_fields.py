"""Every field that can be written, tried by every role: nobody gains a right that way, and no row of others changes."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
import yaml

from tests.gateway import Gateway
from tests.rights import Browser, Credential, Rights
from tests.routes import Route

_UNSAFE = ("post", "put", "patch")
_ROLES = ("anonymous", "anna", "ben", "staff", "limited to a provider")
_REFUSED = ("anonymous",)
_OF_ANYBODY = ("/api/auth/token",)
_OF_STAFF = ("/api/providers", "/api/quotas")
_SAMPLES = {"string": "changed", "integer": 7, "number": 7, "boolean": True, "array": ["changed"], "object": {}}
# What no request may set, whatever it calls it: columns of users and tokens, and ways to name somebody else.
_FORBIDDEN = {
    "is_staff": True,
    "is_superuser": True,
    "is_active": False,
    "password": "changed-by-somebody",
    "groups": [1],
    "user_permissions": [1],
    "user_id": 1,
    "owner": "ben",
    "digest": "0" * 64,
    "previous_digest": "0" * 64,
    "generation": 99,
    "revoked_at": "2020-01-01T00:00:00Z",
    "last_used_at": "2020-01-01T00:00:00Z",
    "token": "agw_changed",
    "sid": 1,
    "kind": "session",
    "id": 1,
}
_USERS = "SELECT id, username, password, is_staff, is_superuser, is_active FROM accounts_user ORDER BY id"
_TOKENS = (
    "SELECT id, user_id, digest, previous_digest, revoked_at, providers, models, endpoints, addresses, expires_at"
    " FROM accounts_apitoken WHERE name <> 'changed' AND id < {} ORDER BY id"
)
_SET_UP = "SELECT id, name, base_url, enabled, allow_private_network FROM providers_provider ORDER BY id"


@pytest.fixture(scope="module")
def writable(rights: Rights) -> list[tuple[str, str, dict[str, Any]]]:
    """Each operation of the schema that takes JSON, with a sample for each of its fields."""
    gateway, credentials, own = rights
    staff = next(one for one in credentials if (one.state, one.kind) == ("staff", "token"))
    schema = yaml.safe_load(httpx.get(f"{gateway.url}/api/schema", headers=staff.headers, timeout=30).text)
    found = []
    for path, operations in schema["paths"].items():
        for method in _UNSAFE:
            content = operations.get(method, {}).get("requestBody", {}).get("content", {})
            if path.startswith("/api/") and "application/json" in content:
                fields = dict(_fields(schema, content["application/json"]["schema"]))
                found.append((method.upper(), path.replace("{id}", str(own["token id"])), fields))
    return found


def _fields(schema: dict[str, Any], described: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    if reference := described.get("$ref"):
        described = schema["components"]["schemas"][reference.rpartition("/")[2]]
    for name, one in described.get("properties", {}).items():
        yield name, _SAMPLES.get(one.get("type", ""), "changed")


def _state_of(gateway: Gateway, tokens: int) -> list[Any]:
    return [gateway.rows(query) for query in (_USERS, _TOKENS.format(tokens), _SET_UP)]


def _role(credentials: list[Credential], state: str) -> Credential:
    kind = "nothing" if state == "anonymous" else "token"
    return next(one for one in credentials if (one.state, one.kind) == (state, kind))


@pytest.mark.parametrize("state", _ROLES)
def test_no_field_gives_a_right(rights: Rights, writable: list[tuple[str, str, dict[str, Any]]], state: str) -> None:
    gateway, credentials, own = rights
    caller = _role(credentials, state)
    before, tried, flaws = _state_of(gateway, own["token id"]), 0, []
    with closing(Browser(gateway)) as browser:
        for method, path, fields in writable:
            target = path.replace("{name}", "nobodys-provider").replace("{call_id}", "0")
            every = {**_FORBIDDEN, **fields}
            # Who may call nothing of this is refused whatever it sends, so it sends all at once.
            bodies = [every] if state in _REFUSED else [{name: value} for name, value in every.items()]
            for sent in bodies:
                status, body, _ = browser.ask(Route("", target, method, sent), caller)
                tried += len(sent)
                name = ", ".join(sent)
                if state in _REFUSED and status not in {401, 403} and not path.startswith(_OF_ANYBODY):
                    flaws.append(f"{method} {path} {name}: {status} {body[:100]}")
                if status < 300 and path.startswith(_OF_STAFF) and state != "staff":
                    flaws.append(f"{method} {path} {name}: {status} {body[:100]}")
                if status >= 500 and status != 502:
                    flaws.append(f"{method} {path} {name}: {status} {body[:100]}")
    assert not flaws
    assert tried > 100
    assert _state_of(gateway, own["token id"]) == before


@pytest.mark.parametrize("state", ["anna", "staff"])
@pytest.mark.parametrize("path", ["/account", "/tokens", "/password", "/admin/accounts/user/1/change/"])
def test_no_field_of_a_form_gives_a_right(rights: Rights, path: str, state: str) -> None:
    gateway, credentials, own = rights
    caller = next(one for one in credentials if (one.state, one.kind) == (state, "session"))
    before = _state_of(gateway, own["token id"])
    details = {"username": "admin", "first_name": "changed", "name": "changed", "time_zone": "", "email": ""}
    with closing(Browser(gateway)) as browser:
        status, body, _ = browser.ask(Route("", path, "POST", urlencode({**_FORBIDDEN, **details})), caller)
    assert status in {200, 302, 403}, body[:300]
    assert "CSRF" not in body
    assert _state_of(gateway, own["token id"]) == before
