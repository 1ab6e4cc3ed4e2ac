"""What is connected to: what was checked, and nothing else, whatever a resolver says. Over real sockets."""

import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from aiohttp.abc import AbstractResolver

from providers.errors import AddressRefused, ConnectFailed, UpstreamError
from providers.upstream.transport import AiohttpTransport
from tests.egress_site import Canary, on_every_address
from tests.gateway import free_port
from tests.unit.resolvers import Answers, TwoFaced

_watched: list[list[tuple[str, int]]] = []


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    """Writes down who is connected to. Nobody outside is, so that nothing leaves this machine."""
    if event == "socket.connect" and _watched and isinstance(arguments[1], tuple):
        host, port = arguments[1][:2]
        _watched[-1].append((host, port))
        if not host.startswith("127.") and host != "::1":
            raise ConnectionRefusedError(f"nothing leaves this machine, so not to {host}")


sys.addaudithook(_watch)  # none can be taken away again


@pytest.fixture
def connections() -> Iterator[list[tuple[str, int]]]:
    """Who this process connects to, from now on."""
    _watched.append([])
    yield _watched[-1]
    _watched.pop()


@pytest.fixture
def canary() -> Iterator[Canary]:
    found = on_every_address().start()
    yield found
    found.stop()


async def call(host: str, canary: Canary, *, private_network: bool) -> int:
    pool = AiohttpTransport(private_network=private_network)
    try:
        return await ask(pool, f"http://{host}:{canary.port}/")
    finally:
        await pool.aclose()


async def ask(pool: AiohttpTransport, url: str) -> int:
    """The status of an answer that was read to its end."""
    response = await pool.handle_async_request(httpx.Request("GET", url))
    await response.aread()
    await response.aclose()
    return response.status_code


@pytest.fixture
async def pools() -> AsyncIterator[Any]:
    """Makes pools that are closed when the test is over."""
    made: list[AiohttpTransport] = []

    def make(resolver: AbstractResolver, *, private_network: bool = False) -> AiohttpTransport:
        made.append(AiohttpTransport(private_network=private_network, resolver=resolver))
        return made[-1]

    yield make
    for pool in made:
        await pool.aclose()


async def test_a_name_is_asked_for_once_and_what_was_checked_is_connected_to(
    pools: Any, canary: Canary, connections: list[tuple[str, int]]
) -> None:
    resolver = Answers(["8.8.8.8"], ["127.0.0.1"])
    pool = pools(resolver)
    with pytest.raises(ConnectFailed):
        await ask(pool, f"http://rebound.example:{canary.port}/")
    assert resolver.asked == 1
    assert connections == [("8.8.8.8", canary.port)]


async def test_what_a_name_means_later_is_checked_anew(
    pools: Any, canary: Canary, connections: list[tuple[str, int]]
) -> None:
    resolver = Answers(["8.8.8.8"], ["127.0.0.1"])
    pool, other_port = pools(resolver), free_port()
    with pytest.raises(ConnectFailed):
        await ask(pool, f"http://rebound.example:{other_port}/")
    with pytest.raises(AddressRefused):  # a name is kept for a port, so this asks again
        await ask(pool, f"http://rebound.example:{canary.port}/")
    assert resolver.asked == 2
    assert connections == [("8.8.8.8", other_port)]


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["8.8.8.8", "127.0.0.1"],
        ["127.0.0.1", "8.8.8.8"],
        ["2606:4700:4700::1111", "8.8.8.8", "::1"],
        ["::ffff:127.0.0.1"],
        ["::ffff:7f00:1", "8.8.8.8"],
        ["64:ff9b::7f00:1"],
        ["2002:7f00:1::"],
        ["8.8.8.8", "2002:a9fe:a9fe::1"],
        ["2001:0:4136:e378:8000:63bf:80ff:fffe"],
        ["169.254.169.254"],
        ["192.0.0.192"],
        ["fe80::1%2"],
    ],
    ids=", ".join,
)
async def test_one_private_address_among_the_answers_and_nobody_is_connected_to(
    pools: Any, canary: Canary, connections: list[tuple[str, int]], addresses: list[str]
) -> None:
    with pytest.raises(AddressRefused):
        await ask(pools(Answers(addresses)), f"http://mixed.example:{canary.port}/")
    assert connections == []


@pytest.mark.parametrize("private_first", [True, False])
async def test_what_one_pool_knows_of_a_name_is_nothing_to_the_other(
    pools: Any, canary: Canary, connections: list[tuple[str, int]], private_first: bool
) -> None:
    resolver, url = Answers(["127.0.0.1"]), f"http://inside.example:{canary.port}/"
    private, public = pools(resolver, private_network=True), pools(resolver)
    for pool in (private, public) if private_first else (public, private):
        if pool is private:
            assert await ask(pool, url) == 200
        else:
            with pytest.raises(AddressRefused):
                await ask(pool, url)
    assert resolver.asked == 2
    assert connections == [("127.0.0.1", canary.port)]


@pytest.mark.parametrize("answers", [1, 2], ids=["one-address", "several-side-by-side"])
async def test_the_last_door_is_at_the_socket(
    pools: Any, canary: Canary, connections: list[tuple[str, int]], answers: int
) -> None:
    """Even an address that changes between the check and the connection is not connected to."""
    addresses = ["127.0.0.1", "::1"][:answers]
    with pytest.raises(ConnectFailed):
        await ask(pools(TwoFaced(addresses)), f"http://two-faced.example:{canary.port}/")
    assert connections == []


async def test_the_two_faced_do_get_past_the_first_check(
    pools: Any, canary: Canary, connections: list[tuple[str, int]]
) -> None:
    """Else the test above would prove nothing."""
    (told,) = await TwoFaced(["127.0.0.1"]).resolve("two-faced.example", canary.port)
    assert [told["host"], told["host"]] == ["8.8.8.8", "127.0.0.1"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_the_canary_is_there_for_those_who_may(canary: Canary, host: str) -> None:
    assert await call(host, canary, private_network=True) == 200
    assert canary.connections == 1


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "LOCALHOST",
        "2130706433",
        "0x7f000001",
        "017700000001",
        "0x7f.1",
        "127.1",
        "0",
        "0.0.0.0",
        "127.0.0.2",
        "127。0。0。1",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[::ffff:0:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
    ],
)
async def test_nothing_is_sent_to_an_address_that_is_not_public(canary: Canary, host: str) -> None:
    with pytest.raises(AddressRefused):
        await call(host, canary, private_network=False)
    assert canary.connections == 0


@pytest.mark.parametrize("host", ["127.0.0.1.", "localhost."])
async def test_nor_to_what_may_mean_one_somewhere(canary: Canary, host: str) -> None:
    with pytest.raises(UpstreamError):
        await call(host, canary, private_network=False)
    assert canary.connections == 0


async def test_a_connection_of_the_private_pool_is_not_lent_to_the_public_one(canary: Canary) -> None:
    private, public = AiohttpTransport(private_network=True), AiohttpTransport(private_network=False)
    request = httpx.Request("GET", f"http://localhost:{canary.port}/")
    response = await private.handle_async_request(request)
    await response.aread()
    await response.aclose()
    with pytest.raises(AddressRefused):
        await public.handle_async_request(request)
    assert canary.connections == 1
    await private.aclose()
    await public.aclose()
