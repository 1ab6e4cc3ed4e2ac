"""Behind a TLS-terminating proxy: its word counts, and nobody else's."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.conftest import temporary_gateway
from tests.gateway import Gateway

HTTPS = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7"}


TRUSTED = {"127.0.0.0/8,::1": True, "": False, "10.0.0.1": False}  # and whether that is who speaks here


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Gateway]]:
    """Servers that trust those proxies. They start and stop side by side."""
    folders = {proxies: tmp_path_factory.mktemp("proxies") for proxies in TRUSTED}
    made = {name: temporary_gateway(folders[name], HTTPS_ONLY="1", TRUSTED_PROXIES=name) for name in TRUSTED}
    with ThreadPoolExecutor(len(made)) as together:
        yield dict(zip(made, together.map(Gateway.start, made.values()), strict=True))
        list(together.map(Gateway.stop, made.values()))


@pytest.mark.parametrize(("proxies", "believed"), TRUSTED.items())
def test_the_word_of_a_proxy(servers: dict[str, Gateway], proxies: str, believed: bool) -> None:
    plain = httpx.get(servers[proxies].url + "/admin/login/")
    forwarded = httpx.get(servers[proxies].url + "/admin/login/", headers=HTTPS)
    assert plain.status_code == 301
    assert plain.headers["location"].startswith("https://")
    assert forwarded.status_code == (200 if believed else 301)
    if believed:
        assert "Secure" in forwarded.headers["set-cookie"]
        assert forwarded.headers["set-cookie"].startswith("__Host-csrftoken=")
        assert "strict-transport-security" in forwarded.headers
