"""The OpenAPI schema: every route that is there is in it, and it says what really comes back."""

import re
from typing import Any

import httpx
import pytest
import yaml
from django.urls import URLResolver, get_resolver

from tests.gateway import Gateway

_API = ("api/", "v1/", "proxy/", "health", "status", "version", "ready")  # all else is pages for people
_PAGES = ("api/docs", "api/schema")


def routes(resolver: URLResolver, prefix: str = "") -> list[str]:
    """Every route below a resolver, as the schema writes it."""
    found = []
    for pattern in resolver.url_patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            found += routes(pattern, route)
        elif route.startswith(_API) and not route.startswith(_PAGES):
            found.append("/" + re.sub(r"<\w+:", "{", route).replace(">", "}"))
    return found


@pytest.fixture(scope="module")
def schema(gateway: Gateway, user_token: str) -> dict[str, Any]:
    answer = httpx.get(gateway.url + "/api/schema", headers={"Authorization": f"Bearer {user_token}"}, timeout=20)
    assert answer.status_code == 200
    loaded: dict[str, Any] = yaml.safe_load(answer.text)
    return loaded


def test_every_route_is_in_the_schema(schema: dict[str, Any]) -> None:
    wanted = routes(get_resolver())
    assert "/api/generate" in wanted
    assert sorted(schema["paths"]) == sorted(wanted)


def test_answers_are_in_the_envelope(schema: dict[str, Any]) -> None:
    for path, operations in schema["paths"].items():
        if path.startswith("/api/auth/token"):  # simplejwt's own shapes
            continue
        for method, operation in operations.items():
            assert "default" in operation["responses"], (method, path)
            for status, response in operation["responses"].items():
                content = response.get("content", {}).get("application/json")
                if content and status.startswith("2"):
                    assert set(content["schema"]["properties"]) == {"success", "request_id", "timestamp", "data"}


def test_the_key_is_write_only(schema: dict[str, Any]) -> None:
    shown = schema["components"]["schemas"]["Provider"]["properties"]
    assert "api_key" not in shown
    assert "api_key" in schema["components"]["schemas"]["ProviderRequest"]["properties"]


def test_docs_need_a_login_and_no_other_host(gateway: Gateway) -> None:
    turned_away = httpx.get(gateway.url + "/api/docs")
    assert turned_away.headers["location"].startswith("/login?next=/api/docs")
    refused = httpx.get(gateway.url + "/api/schema")
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "UNAUTHORIZED")


def test_one_credential_is_enough(schema: dict[str, Any]) -> None:
    for path, method in (("/api/generate", "post"), ("/api/providers", "get"), ("/v1/chat/completions", "post")):
        security = schema["paths"][path][method]["security"]
        assert security == [{"token": []}, {"apiKey": []}, {"session": []}], path
