"""Many strangers who sign in at once, or one after another with somebody else's name."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.credentials import ECHO
from tests.gateway import Gateway
from tests.serving import fresh, running
from tests.visitor import PASSWORD, Visitor, person

OTHER = "quite another pass phrase"

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A server where people make their own accounts, and whose visitors may say where they are."""
    server = fresh(tmp_path_factory.mktemp("house") / "var", TRUSTED_PROXIES="127.0.0.1", SIGN_UP="1")
    with running(server):
        yield server


def signs_in(server: Gateway, name: str, address: str, password: str = PASSWORD) -> httpx.Response:
    given = {"username": name, "password": password}
    return httpx.post(f"{server.url}/api/auth/token", json=given, headers={"X-Forwarded-For": address}, timeout=30)


async def test_a_rush_at_the_door_leaves_the_calls_alone(house: Gateway) -> None:
    """120 strangers from 120 networks at once: most are told to come back, and a call notices nothing."""
    token, name = house.token("ada"), person(house)
    assert signs_in(house, name, "192.0.2.1").status_code == 200
    assert house.call(token, ECHO).status_code == 200
    visitor = Visitor(house, "203.0.113.1")
    form = {"username": "nobody", "password": OTHER}
    newcomer = {"email": "new@example.com", "password1": OTHER, "password2": OTHER}
    for one in (form, newcomer):
        one["csrfmiddlewaretoken"] = visitor.form_token("/login")
    as_visitor: dict[str, Any] = {"headers": visitor.client.headers, "cookies": visitor.client.cookies}
    limits = httpx.Limits(max_connections=200)
    async with (
        httpx.AsyncClient(base_url=house.url, timeout=60, limits=limits) as client,
        httpx.AsyncClient(base_url=house.url, timeout=60, **as_visitor) as browser,
    ):

        async def comes(name: str, address: str, password: str) -> httpx.Response:
            given = {"username": name, "password": password}
            return await client.post("/api/auth/token", json=given, headers={"X-Forwarded-For": address})

        rush = [
            asyncio.create_task(comes(f"stranger-{number}", f"2001:db8:{number:x}::1", OTHER)) for number in range(120)
        ]
        await asyncio.wait(rush, return_when=asyncio.FIRST_COMPLETED)
        asked = time.monotonic()
        regular = asyncio.create_task(comes(name, "192.0.2.1", PASSWORD))
        sign_ins = asyncio.gather(*(browser.post("/login", data=form) for _ in range(4)))
        names = [f"newcomer-{number}" for number in range(6)]
        sign_ups = asyncio.gather(*(browser.post("/signup", data={**newcomer, "username": one}) for one in names))
        called = await client.post("/api/generate", json=ECHO, headers={"Authorization": f"Bearer {token}"})
        took = time.monotonic() - asked
        answers = await asyncio.gather(*rush)
        assert (called.status_code, took < 2) == (200, True), took
        assert (await regular).status_code == 200, "who is known may wait where strangers may not"
        for pages, served in ((await sign_ins, 200), (await sign_ups, 302)):
            assert {page.status_code for page in pages} - {served} == {429}
            assert all("Too many at once" in page.text for page in pages if page.status_code == 429)
    refused = [one for one in answers if one.status_code == 429]
    assert {one.status_code for one in answers} == {401, 429}
    assert len(refused) >= 60
    assert all(1 <= int(one.headers["retry-after"]) <= 5 for one in refused)
    assert refused[0].json()["error"]["code"] == "RATE_LIMITED"
    assert signs_in(house, "stranger", "192.0.2.9").status_code == 401, "and when it is over, it is over"


def test_strangers_lock_nobody_out_of_home(house: Gateway) -> None:
    name, home = person(house), "192.0.2.70"
    assert signs_in(house, name, home).status_code == 200
    for number in range(50):
        signs_in(house, name, f"198.51.100.{number // 5}", OTHER)
    assert signs_in(house, name, "203.0.113.70").status_code == 429
    assert signs_in(house, name, home).status_code == 200
    assert Visitor(house, home).sign_in(name).status_code == 302
