"""PUBLIC_PATHS: what is open to everybody, and what is not as soon as it is left out."""

from collections.abc import Iterator

import httpx
import pytest

from tests.gateway import Gateway
from tests.serving import fresh, running

_PATHS = ("/health", "/status", "/version", "/api/schema", "/api/docs")


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A server on which /status and the schema are open, and nothing else."""
    server = fresh(tmp_path_factory.mktemp("closed") / "var", PUBLIC_PATHS="/status,/api/schema")
    with running(server):
        yield server


@pytest.mark.parametrize("path", _PATHS)
def test_only_what_is_named_is_open(closed: Gateway, path: str) -> None:
    answer = httpx.get(closed.url + path)
    if path in {"/status", "/api/schema"}:
        assert answer.status_code == 200
    elif path == "/api/docs":
        assert answer.headers["location"] == "/login?next=/api/docs"
    else:
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "UNAUTHORIZED")


def test_with_a_token_the_others_answer(closed: Gateway) -> None:
    token = {"Authorization": f"Bearer {closed.token('somebody')}"}
    assert [httpx.get(closed.url + path, headers=token).status_code for path in ("/health", "/version")] == [200, 200]


def test_load_balancers_may_always_ask(closed: Gateway) -> None:
    assert httpx.get(closed.url + "/ready").status_code == 200


@pytest.mark.parametrize("path", _PATHS)
def test_what_is_open_without_the_setting(gateway: Gateway, path: str) -> None:
    assert (httpx.get(gateway.url + path).status_code == 200) is not path.startswith("/api/")
