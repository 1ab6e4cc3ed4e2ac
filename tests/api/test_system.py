"""What monitors ask, and what every answer carries: the provider kit's shapes, request ids, log lines, recovery."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import temporary_gateway
from tests.gateway import Gateway, free_port
from tests.upstream import Upstream


@pytest.fixture(scope="module")
def open_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that knows one site, and logs in JSON."""
    directory = tmp_path_factory.mktemp("open")
    server = temporary_gateway(directory, LOG_FORMAT="json", CORS_ALLOWED_ORIGINS="https://app.example.com").start()
    yield server
    server.stop()


@pytest.mark.parametrize(
    ("path", "data"),
    [("/status", {"status": "ok"}), ("/version", {"version": "0.1.0"}), ("/ready", {"status": "ready"})],
)
def test_public_and_in_the_envelope(gateway: Gateway, path: str, data: dict[str, str]) -> None:
    body = httpx.get(gateway.url + path).json()
    assert body.pop("request_id")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", body.pop("timestamp"))
    assert body == {"success": True, "data": data}


def test_head_has_a_length_and_no_body(gateway: Gateway) -> None:
    answer = httpx.head(gateway.url + "/status")
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) > 0


def test_health_tells_the_truth_without_paid_calls(
    gateway: Gateway, provider: str, staff_token: str, upstream: Upstream
) -> None:
    dead = f"dead{upstream.port}"
    body = {
        "name": dead,
        "type": "openai",
        "base_url": f"http://127.0.0.1:{free_port()}",
        "api_key": "sk-of-no-use-at-all",
        "allow_private_network": True,
    }
    assert gateway.call(staff_token, body, "/api/providers").status_code == 201
    data = httpx.get(gateway.url + "/health", timeout=15).json()["data"]
    assert data["version"] == "0.1.0"
    assert re.fullmatch(r"(\d+h)?(\d+m)?[\d.]+s", data["uptime"])
    assert data["status"] == "degraded"
    assert data["providers"][provider]["status"] == "ok"
    assert data["providers"]["demo"]["status"] == "ok"
    assert data["providers"][dead]["status"] == "unhealthy"
    assert data["providers"][dead]["message"] == "The provider could not be reached. Check its base URL."
    assert [arrived.method for arrived in upstream.requests] == ["GET"]
    gateway.call(staff_token, {"enabled": False}, f"/api/providers/{dead}", method="PATCH")
    assert dead not in httpx.get(gateway.url + "/health", timeout=15).json()["data"]["providers"]


@pytest.mark.parametrize("sent", ["abc-123", "A.b_c:9", "x" * 128])
def test_a_sane_request_id_is_echoed(gateway: Gateway, sent: str) -> None:
    answer = httpx.get(gateway.url + "/status", headers={"X-Request-ID": sent})
    assert answer.headers["x-request-id"] == sent
    assert answer.json()["request_id"] == sent


@pytest.mark.parametrize("sent", ["", "with space", "x" * 129, "<script>", "a;b", "-"])
def test_a_hostile_request_id_is_replaced(gateway: Gateway, sent: str) -> None:
    answer = httpx.get(gateway.url + "/status", headers={"X-Request-ID": sent})
    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["x-request-id"])


@pytest.mark.parametrize("path", ["/status", "/admin/login/", "/api/providers", "/static/gateway/tokens.css"])
def test_one_log_line_a_request_in_both_lanes(gateway: Gateway, path: str) -> None:
    answer = httpx.get(gateway.url + path)
    request_id = answer.headers["x-request-id"]
    time.sleep(0.3)  # the line comes when the application has ended, a moment after the answer
    lines = [line for line in gateway.log().splitlines() if line.startswith(f"[{request_id}]")]
    assert len(lines) == 1
    size = len(answer.content)
    assert re.fullmatch(rf"\[{request_id}\] GET {re.escape(path)} {answer.status_code} {size} [\d.]+ms", lines[0])


def test_a_path_cannot_forge_a_log_line(gateway: Gateway) -> None:
    answer = httpx.get(gateway.url + "/nothing%0A[forged] GET /admin/ 200 1 1ms")
    assert answer.status_code == 404
    assert not [line for line in gateway.log().splitlines() if line.startswith("[forged]")]


def test_log_lines_in_json(open_gateway: Gateway) -> None:
    request_id = httpx.get(open_gateway.url + "/nothing/here?secret=1").headers["x-request-id"]
    time.sleep(0.3)  # as above
    lines = open_gateway.log().splitlines()
    (line,) = [json.loads(text) for text in lines if text.startswith("{") and request_id in text]
    duration = line.pop("duration_ms")
    assert duration > 0
    assert line.pop("timestamp")
    assert line == {
        "message": f"[{request_id}] GET /nothing/here 404 {line['bytes']} {duration:.1f}ms",
        "level": "info",
        "logger": "gateway.access",
        "request_id": request_id,
        "method": "GET",
        "path": "/nothing/here",
        "status": 404,
        "bytes": line["bytes"],
    }


def test_an_exception_in_a_view_is_told_as_internal_error(open_gateway: Gateway) -> None:
    """A provider of a type that this version does not know is what no view foresees; both lanes answer it alike."""
    server = open_gateway
    token = server.token("somebody")
    turn_into = "from providers.models import Provider; Provider.objects.update(type={!r})"
    server.python(turn_into.format("of-the-future"))
    try:
        broken_lane = server.call(token, {"prompt": "x"})
        broken_site = httpx.get(server.url + "/api/providers", headers={"Authorization": f"Bearer {token}"})
    finally:
        server.python(turn_into.format("echo"))
    for answer in (broken_lane, broken_site):
        assert answer.status_code == 500
        body = answer.json()
        assert (body["success"], body["error"]["code"]) == (False, "INTERNAL_ERROR")
        assert "of-the-future" not in answer.text
        assert body["request_id"] in server.log()
    assert "KeyError: 'of-the-future'" in server.log()


def test_without_its_database_it_says_so(tmp_path: Path) -> None:
    server = temporary_gateway(tmp_path).start()
    try:
        token = server.token("somebody")
        drop = (
            "from django.db import connection; cursor = connection.cursor(); "
            "cursor.execute('PRAGMA foreign_keys=OFF'); cursor.execute('DROP TABLE accounts_apitoken')"
        )
        server.python(drop)
        answer = server.call(token, {"prompt": "x"})
    finally:
        server.stop()
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "STORAGE_UNAVAILABLE")
    assert answer.headers["retry-after"] == "5"


def test_one_odd_provider_does_not_take_the_report_with_it(gateway: Gateway, staff_token: str) -> None:
    body = {"name": "odd", "type": "openai", "base_url": "https://api..example.com/v1", "api_key": "sk-of-no-use"}
    assert gateway.call(staff_token, body, "/api/providers").status_code == 400
    slip_in = (
        "from providers.models import Provider; Provider.objects.create(name='odd', type='openai', "
        "base_url='https://api..example.com/v1', default_model='m')"
    )
    gateway.python(slip_in)
    try:
        assert (
            gateway.call(staff_token, {"api_key": "sk-of-no-use"}, "/api/providers/odd", method="PATCH").status_code
            == 200
        )
        time.sleep(2.1)
        health = httpx.get(gateway.url + "/health", timeout=15)
        assert health.status_code == 200
        assert health.json()["data"]["providers"]["odd"]["status"] == "unhealthy"
        answer = gateway.call(staff_token, {"provider": "odd", "prompt": "x"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (502, "GENERATION_ERROR")
    finally:
        gateway.call(staff_token, None, "/api/providers/odd", method="DELETE")


def test_unknown_paths_and_hosts(gateway: Gateway) -> None:
    assert httpx.get(gateway.url + "/api/nothing").json()["error"]["code"] == "NOT_FOUND"
    page = httpx.get(gateway.url + "/nothing", headers={"Accept": "text/html"})
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    for path in ("/status", "/admin/login/"):
        answer = httpx.get(gateway.url + path, headers={"Host": "evil.example.com"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "INVALID_REQUEST")
        assert "ALLOWED_HOSTS" in answer.json()["error"]["message"]


def test_the_root_path_cannot_be_moved_by_a_header(gateway: Gateway) -> None:
    headers = {"Daphne-Root-Path": "/status"}
    assert httpx.get(gateway.url + "/status/admin/", headers=headers).json()["error"]["code"] == "NOT_FOUND"
    assert httpx.get(gateway.url + "/status", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("origin", "allowed"), [("https://app.example.com", True), ("https://evil.example.com", False)]
)
def test_cors_is_for_listed_origins(open_gateway: Gateway, origin: str, allowed: bool) -> None:
    ask = {"Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key"}
    preflight = httpx.options(open_gateway.url + "/api/generate", headers=ask)
    call = httpx.post(open_gateway.url + "/api/generate", headers={"Origin": origin}, json={})
    for answer in (preflight, call):
        assert (answer.headers.get("access-control-allow-origin") == origin) is allowed
    assert ("x-api-key" in preflight.headers.get("access-control-allow-headers", "")) is allowed
