"""The providers API in the provider kit's shapes: everybody reads, staff write, nobody sees a key."""

from typing import Any

import httpx
import pytest

from tests.conftest import PROVIDER_KEY
from tests.gateway import Gateway, free_port
from tests.upstream import Upstream


def ask(gateway: Gateway, token: str, method: str, path: str, body: Any = None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.request(method, gateway.url + path, json=body, headers=headers, timeout=20)


def test_list_and_detail(gateway: Gateway, user_token: str, provider: str) -> None:
    listed = ask(gateway, user_token, "GET", "/api/providers").json()["data"]
    (mine,) = [row for row in listed if row["name"] == provider]
    assert mine == ask(gateway, user_token, "GET", f"/api/providers/{provider}").json()["data"]
    assert (mine["type"], mine["enabled"], mine["healthy"], mine["models"]) == ("openai", True, True, [])
    assert mine["key_last_four"] == PROVIDER_KEY[-4:]
    assert "api_key" not in mine


def test_put_merges_and_the_key_is_used_from_then_on(
    gateway: Gateway, staff_token: str, user_token: str, provider: str, upstream: Upstream
) -> None:
    new_key = "sk-second-canary-0a1b2c3d4e5f"
    changed = ask(gateway, staff_token, "PUT", f"/api/providers/{provider}", {"api_key": new_key})
    assert changed.status_code == 200
    assert new_key not in changed.text
    assert changed.json()["data"]["default_model"] == "m"
    assert changed.json()["data"]["key_last_four"] == new_key[-4:]
    gateway.call(user_token, {"provider": provider, "prompt": "x"})
    assert upstream.calls[-1].headers["authorization"] == f"Bearer {new_key}"
    patched = ask(gateway, staff_token, "PATCH", f"/api/providers/{provider}", {"default_model": "other"})
    assert patched.json()["data"]["default_model"] == "other"
    gateway.call(user_token, {"provider": provider, "prompt": "x"})
    assert upstream.calls[-1].json["model"] == "other"


def test_delete(gateway: Gateway, staff_token: str, user_token: str, provider: str) -> None:
    assert ask(gateway, staff_token, "DELETE", f"/api/providers/{provider}").status_code == 204
    gone = ask(gateway, user_token, "GET", f"/api/providers/{provider}")
    assert (gone.status_code, gone.json()["error"]["code"]) == (404, "PROVIDER_NOT_FOUND")
    assert gateway.call(user_token, {"provider": provider, "prompt": "x"}).status_code == 404


def test_health_has_latency_under_both_names(gateway: Gateway, user_token: str, provider: str) -> None:
    data = ask(gateway, user_token, "GET", f"/api/providers/{provider}/health").json()["data"]
    assert data["latency"] == data["latency_ms"]
    assert (data["status"], data["message"]) == ("healthy", "Provider is responding normally")


def test_health_of_a_provider_that_is_down(gateway: Gateway, staff_token: str, provider: str) -> None:
    nowhere = {"base_url": f"http://127.0.0.1:{free_port()}"}
    ask(gateway, staff_token, "PATCH", f"/api/providers/{provider}", nowhere)
    answer = ask(gateway, staff_token, "GET", f"/api/providers/{provider}/health")
    assert (answer.status_code, answer.json()["data"]["status"]) == (200, "unhealthy")


def test_test_runs_a_real_generation(gateway: Gateway, staff_token: str, provider: str, upstream: Upstream) -> None:
    body = {"prompt": "Hello, this is a test", "model": "m", "max_tokens": 50}
    data = ask(gateway, staff_token, "POST", f"/api/providers/{provider}/test", body).json()["data"]
    assert data.pop("response_time") >= 0
    assert data == {
        "status": "success",
        "provider": provider,
        "model": "m",
        "prompt": "Hello, this is a test",
        "response": "Answer to: Hello, this is a test",
        "usage": {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12},
    }
    assert upstream.calls[-1].json["max_tokens"] == 50
    without_body = ask(gateway, staff_token, "POST", f"/api/providers/{provider}/test")
    assert without_body.json()["data"]["prompt"] == "Hello, this is a test. Please respond with 'OK'."


WRITES = [("POST", ""), ("PUT", "/{}"), ("PATCH", "/{}"), ("DELETE", "/{}"), ("POST", "/{}/test")]


@pytest.mark.parametrize(("method", "tail"), WRITES)
def test_only_staff_write(gateway: Gateway, user_token: str, provider: str, method: str, tail: str) -> None:
    path = "/api/providers" + tail.format(provider)
    refused = ask(gateway, user_token, method, path, {"description": "changed"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "FORBIDDEN")
    anonymous = httpx.request(method, gateway.url + path, json={})
    assert (anonymous.status_code, anonymous.json()["error"]["code"]) == (401, "UNAUTHORIZED")
    assert ask(gateway, user_token, "GET", f"/api/providers/{provider}").json()["data"]["description"] == ""


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "has space", "type": "echo"}, "name"),
        ({"name": "demo", "type": "echo"}, "name"),
        ({"name": 5, "type": "echo"}, "name"),
        ({"name": "n", "type": "telepathy"}, "type"),
        ({"type": "echo"}, "name"),
        ({"name": "n", "type": "echo", "enabled": "yes"}, "enabled"),
        ({"name": "n", "type": "echo", "default_max_tokens": 0}, "default_max_tokens"),
        ({"name": "n", "type": "echo", "default_max_tokens": "5"}, "default_max_tokens"),
        ({"name": "n", "type": "echo", "gap_timeout": 0}, "gap_timeout"),
        ({"name": "n", "type": "echo", "models": "gpt"}, "models"),
        ({"name": "n", "type": "echo", "config": []}, "config"),
        ({"name": "n", "type": "echo", "config": {"delay_ms": "fast"}}, "config"),
        ({"name": "n", "type": "openai", "base_url": "ftp://x"}, "base_url"),
        ({"name": "n", "type": "openai", "base_url": "https://user:pass@example.com"}, "base_url"),
        ({"name": "n", "type": "openai", "base_url": "https://example.com/?key=1"}, "base_url"),
        ({"name": "n", "type": "openai", "api_key": "has a space in it"}, "api_key"),
        ({"name": "n", "type": "openai", "api_key": "line\nbreak"}, "api_key"),
        ({"name": "n", "type": "openai", "api_key_env": "SECRET_KEY"}, "api_key_env"),
        ({"name": "n", "type": "openai", "api_key_env": "GATEWAY_ENCRYPTION_KEYS"}, "api_key_env"),
        ({"name": "n", "type": "openai", "api_key_env": "sk-not-a-name"}, "api_key_env"),
        ({"name": "n", "type": "echo", "on_disconnect": "shrug"}, "on_disconnect"),
        ({"name": "n", "type": "echo", "is_default": True}, "is_default"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_fields_are_named(gateway: Gateway, staff_token: str, body: dict[str, Any], field: str) -> None:
    refused = ask(gateway, staff_token, "POST", "/api/providers", body)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "INVALID_REQUEST"), refused.text
    assert field in refused.json()["error"]["details"]
    assert refused.json()["error"]["message"].startswith(field)


def test_a_revoked_token_writes_nothing_any_more(gateway: Gateway, provider: str) -> None:
    token = gateway.token("leaver", staff=True)
    path = f"/api/providers/{provider}"
    assert ask(gateway, token, "PATCH", path, {"description": "before"}).status_code == 200
    disable = "from accounts.models import User; User.objects.filter(username='leaver').update(is_active=False)"
    gateway.python(disable)
    assert ask(gateway, token, "PATCH", path, {"description": "after"}).status_code == 401


def test_a_name_cannot_be_changed(gateway: Gateway, staff_token: str, provider: str) -> None:
    refused = ask(gateway, staff_token, "PATCH", f"/api/providers/{provider}", {"name": "other"})
    assert refused.status_code == 400
    same = ask(gateway, staff_token, "PATCH", f"/api/providers/{provider}", {"name": provider, "description": "d"})
    assert same.json()["data"]["description"] == "d"


def test_a_key_from_the_environment(gateway: Gateway, staff_token: str, user_token: str, upstream: Upstream) -> None:
    name = f"env{upstream.port}"
    body = {
        "name": name,
        "type": "openai",
        "base_url": upstream.url,
        "api_key_env": "UPSTREAM_TEST_KEY",
        "default_model": "m",
        "allow_private_network": True,
    }
    assert ask(gateway, staff_token, "POST", "/api/providers", body).status_code == 201
    assert gateway.call(user_token, {"provider": name, "prompt": "x"}).status_code == 200
    assert upstream.calls[-1].headers["authorization"] == "Bearer sk-from-the-environment"
