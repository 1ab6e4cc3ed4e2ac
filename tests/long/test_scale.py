"""With 100,000 users, 300,000 quotas and 2,000,000 calls the gateway is as quick as with none."""

import re
import statistics
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest

from tests.gateway import Gateway
from tests.ledger_processes import KINDS, scratch
from tests.loading import calls_made, with_three_quotas
from tests.long import filling
from tests.serving import gateway_on, running

pytestmark = pytest.mark.long

_AT_ONCE = 16
_ROUND_SECONDS = 2.0
_ROUNDS = 9
_MOST_MILLISECONDS = 300.0
_PASSWORD = """
from accounts.models import User
user = User.objects.get(username="admin")
user.set_password(%r)
user.save()
"""


@pytest.fixture(scope="module", params=KINDS)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, Gateway]]:
    """A gateway with an empty database, and one with a full one, of the same kind."""
    folders = [tmp_path_factory.mktemp("scale") for _ in range(2)]
    with scratch(request.param, folders[0]) as one, scratch(request.param, folders[1]) as other:
        empty, full = gateway_on(one), gateway_on(other)
        with running(full):  # makes the tables
            pass
        filling.fill(full)
        with running(empty, full):
            yield empty, full


def test_the_throughput_is_the_same(pair: tuple[Gateway, Gateway]) -> None:
    tokens = [with_three_quotas(gateway, "caller") for gateway in pair]
    made: list[list[int]] = [[], []]
    for _ in range(_ROUNDS):  # by turns, so that both have the same machine
        for gateway, token, calls in zip(pair, tokens, made, strict=True):
            calls.append(calls_made([gateway], token, at_once=_AT_ONCE, seconds=_ROUND_SECONDS))
    ratios = [full / empty for empty, full in zip(*made, strict=True)]
    assert statistics.median(ratios) > 0.9, ratios


@pytest.mark.parametrize("path", ["/api/usage", "/api/usage?user=filled-0", "/api/usage?user=filled-77", "/api/quotas"])
def test_the_api_answers_in_time(pair: tuple[Gateway, Gateway], path: str) -> None:
    _, full = pair
    headers = {"Authorization": f"Bearer {full.token('staff', staff=True)}"}
    assert _milliseconds(lambda: httpx.get(full.url + path, headers=headers, timeout=30)) < _MOST_MILLISECONDS


@pytest.mark.parametrize("user", [0, 77])
def test_the_admin_page_of_a_user_answers_in_time(pair: tuple[Gateway, Gateway], user: int) -> None:
    _, full = pair
    with closing(signed_in(full)) as client:
        path = f"/admin/accounts/user/{filling.FIRST_USER + user}/change/"
        assert _milliseconds(lambda: client.get(path)) < _MOST_MILLISECONDS


@pytest.mark.parametrize("path", ["accounts/user/", "accounts/call/", "accounts/quota/"])
def test_the_lists_of_the_admin_answer_in_time(pair: tuple[Gateway, Gateway], path: str) -> None:
    _, full = pair
    with closing(signed_in(full)) as client:
        assert _milliseconds(lambda: client.get(f"/admin/{path}")) < 1000


def _milliseconds(ask: Any) -> float:
    """The median of some answers."""
    taken = []
    for _ in range(7):
        started = time.monotonic()
        answer = ask()
        taken.append((time.monotonic() - started) * 1000)
        assert answer.status_code == 200, answer.text[:500]
    return statistics.median(taken)


def signed_in(gateway: Gateway) -> httpx.Client:
    """A browser's session of an administrator."""
    password = "a-long-password-for-the-test"
    gateway.python(_PASSWORD % password)
    client = httpx.Client(base_url=gateway.url, follow_redirects=True, timeout=30)
    page = client.get("/admin/login/")
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    assert token
    form = {"csrfmiddlewaretoken": token[1], "username": "admin", "password": password, "next": "/admin/"}
    assert (
        client.post("/admin/login/", data=form, headers={"Referer": f"{gateway.url}/admin/login/"}).status_code == 200
    )
    return client
