"""What a page of another origin may read: every answer of a path that it may call, refusals too."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import temporary_gateway
from tests.gateway import Gateway

PAGE = "https://app.example.com"


@pytest.fixture(scope="module")
def open_to_pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    directory: Path = tmp_path_factory.mktemp("cors")
    server = temporary_gateway(directory, CORS_ALLOWED_ORIGINS=PAGE, GATEWAY_MAX_BODY_BYTES="2048").start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def token(open_to_pages: Gateway) -> str:
    return open_to_pages.token("page")


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/proxy/demo/x", "/api/generate"])
@pytest.mark.parametrize(("size", "status"), [(4096, 413), (10, 401)])
def test_a_refusal_can_be_read(open_to_pages: Gateway, token: str, path: str, size: int, status: int) -> None:
    credential = {"Authorization": f"Bearer {token}"} if status == 413 else {}
    body = b"x" * size
    answer = httpx.post(open_to_pages.url + path, content=body, headers={"Origin": PAGE, **credential})
    assert (answer.status_code, answer.headers.get("access-control-allow-origin")) == (status, PAGE)
    assert "message" in answer.json()["error"], "in the shape of the path"


def test_an_origin_that_is_not_listed_may_read_nothing(open_to_pages: Gateway) -> None:
    answer = httpx.post(open_to_pages.url + "/v1/messages", headers={"Origin": "https://elsewhere.example.com"})
    assert "access-control-allow-origin" not in answer.headers
