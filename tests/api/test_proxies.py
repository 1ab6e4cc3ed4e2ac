"""Behind a TLS-terminating proxy: its word counts, and nobody else's."""

from pathlib import Path

import httpx
import pytest

from tests.conftest import temporary_gateway

HTTPS = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7"}


@pytest.mark.parametrize(("proxies", "believed"), [("127.0.0.0/8,::1", True), ("", False), ("10.0.0.1", False)])
def test_the_word_of_a_proxy(tmp_path: Path, proxies: str, believed: bool) -> None:
    server = temporary_gateway(tmp_path, HTTPS_ONLY="1", TRUSTED_PROXIES=proxies).start()
    try:
        plain = httpx.get(server.url + "/admin/login/")
        forwarded = httpx.get(server.url + "/admin/login/", headers=HTTPS)
    finally:
        server.stop()
    assert plain.status_code == 301
    assert plain.headers["location"].startswith("https://")
    assert forwarded.status_code == (200 if believed else 301)
    if believed:
        assert "Secure" in forwarded.headers["set-cookie"]
        assert "strict-transport-security" in forwarded.headers
