"""The time limits of the way to the vendors: each ends the wait that it is for, on time, and no other."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from functools import partial

import httpx
import pytest

from providers.adapters.bodies import read_body
from providers.errors import AnswerTimeout, ConnectTimeout
from providers.types import Timeouts
from providers.upstream.transport import AiohttpTransport
from tests.unit.raw_server import Answer, http, serving

LIMIT = 0.4  # seconds
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
SILENT: Answer = []
HEAD_ONLY: Answer = [HEAD]
DRIBBLE: Answer = [HEAD] + [b".", 0.05] * 100
LATE: Answer = [0.5, http()]
SLOW: Answer = [b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"] + [b".", 0.06] * 10

Cases = Mapping[str, tuple[Answer, Timeouts | None]]
Found = Mapping[str, BaseException | None]  # what was wrong with each case


@pytest.fixture
async def transport() -> AsyncIterator[AiohttpTransport]:
    pool = AiohttpTransport(private_network=True)
    yield pool
    await pool.aclose()


async def fetch(transport: AiohttpTransport, url: str, timeouts: Timeouts | None) -> bytes:
    request = httpx.Request("GET", url)
    if timeouts is not None:
        request.extensions["timeouts"] = timeouts
    response = await transport.handle_async_request(request)
    try:
        return await read_body(response)
    finally:
        await response.aclose()


async def seconds_until(error: type[Exception], waiting: Callable[[], Awaitable[object]]) -> float:
    started = time.monotonic()
    with pytest.raises(error):
        async with asyncio.timeout(5):  # so that a limit that does not work fails the test and does not hang it
            await waiting()
    return time.monotonic() - started


def side_by_side(run: Callable[[AiohttpTransport, Answer, Timeouts | None], Awaitable[None]], cases: Cases) -> Found:
    """Runs all cases at once, since they do nothing but wait, each with a transport of its own; tells what failed."""

    async def one(place: int, answer: Answer, timeouts: Timeouts | None) -> None:
        await asyncio.sleep(place * 0.02)  # so that not all connect in the same moment
        transport = AiohttpTransport(private_network=True)
        try:
            await run(transport, answer, timeouts)
        finally:
            await transport.aclose()

    async def all_of_them() -> list[BaseException | None]:
        return await asyncio.gather(
            *(one(place, *case) for place, case in enumerate(cases.values())), return_exceptions=True
        )

    return dict(zip(cases, asyncio.run(all_of_them()), strict=True))


CUT: Cases = {
    "first-byte-shorter-than-gap": (SILENT, Timeouts(first_byte=LIMIT, gap=2.0)),
    "first-byte-longer-than-gap": (SILENT, Timeouts(first_byte=LIMIT, gap=0.05)),
    "first-byte-alone": (SILENT, Timeouts(first_byte=LIMIT, gap=None)),
    "first-byte-half-a-head": ([b"HTTP/1.1 2"], Timeouts(first_byte=LIMIT, gap=2.0)),
    "gap-shorter-than-first-byte": (HEAD_ONLY, Timeouts(first_byte=2.0, gap=LIMIT)),
    "gap-longer-than-first-byte": (HEAD_ONLY, Timeouts(first_byte=0.1, gap=LIMIT)),
    "gap-alone": (HEAD_ONLY, Timeouts(first_byte=None, gap=LIMIT)),
    "gap-after-a-piece": ([HEAD, b"x"], Timeouts(first_byte=2.0, gap=LIMIT)),
    "total-before-the-head": (SILENT, Timeouts(first_byte=2.0, gap=2.0, total=LIMIT)),
    "total-alone": (SILENT, Timeouts(first_byte=None, gap=None, total=LIMIT)),
    "total-before-the-body": (HEAD_ONLY, Timeouts(first_byte=2.0, gap=2.0, total=LIMIT)),
    "total-of-a-body-that-goes-on": (DRIBBLE, Timeouts(first_byte=0.2, gap=0.2, total=LIMIT)),
    "total-alone-of-a-body": (DRIBBLE, Timeouts(first_byte=None, gap=None, total=LIMIT)),
    "total-later-than-first-byte": (SILENT, Timeouts(first_byte=LIMIT, gap=2.0, total=2.0)),
    "total-later-than-gap": (HEAD_ONLY, Timeouts(first_byte=2.0, gap=LIMIT, total=2.0)),
}


async def is_cut(transport: AiohttpTransport, answer: Answer, timeouts: Timeouts | None) -> None:
    async with serving(answer) as server:
        waited = await seconds_until(AnswerTimeout, lambda: fetch(transport, server.url, timeouts))
        assert 0.7 * LIMIT <= waited <= 1.3 * LIMIT
        await asyncio.wait_for(server.hung_up.wait(), 2.0)
    assert len(server.asked) == 1


@pytest.fixture(scope="module")
def of_cuts() -> Found:
    return side_by_side(is_cut, CUT)


@pytest.mark.parametrize("case", CUT)
def test_the_limit_that_is_reached_first(of_cuts: Found, case: str) -> None:
    if error := of_cuts[case]:
        raise error


IN_TIME: Cases = {
    "no-limit-for-the-first-byte": (LATE, Timeouts(first_byte=None, gap=0.1)),
    "the-gap-does-not-limit-the-first-byte": (LATE, Timeouts(first_byte=1.0, gap=0.1)),
    "connecting-does-not-limit-the-first-byte": (LATE, Timeouts(connect=0.1, first_byte=1.0)),
    "no-limit-at-all": (LATE, Timeouts(first_byte=None, gap=None, total=None)),
    "the-defaults": (LATE, None),
    "none-but-the-total-limits-the-whole": (SLOW, Timeouts(first_byte=0.2, gap=0.2)),
    "a-total-that-is-kept": (SLOW, Timeouts(first_byte=0.2, gap=0.2, total=2.0)),
}


async def comes_whole(transport: AiohttpTransport, answer: Answer, timeouts: Timeouts | None) -> None:
    async with serving(answer) as server:
        assert await fetch(transport, server.url, timeouts) in (b"ok", b"." * 10)


@pytest.fixture(scope="module")
def of_answers_in_time() -> Found:
    return side_by_side(comes_whole, IN_TIME)


@pytest.mark.parametrize("case", IN_TIME)
def test_answers_in_time(of_answers_in_time: Found, case: str) -> None:
    if error := of_answers_in_time[case]:
        raise error


async def test_what_the_reader_does_meanwhile_is_no_gap(transport: AiohttpTransport) -> None:
    """The limit is for the vendor, not for a client that takes its answer slowly."""
    async with serving([HEAD, b"x" * 500, 0.05, b"y" * 500]) as server:
        request = httpx.Request("GET", server.url)
        request.extensions["timeouts"] = Timeouts(gap=0.15)
        response = await transport.handle_async_request(request)
        pieces = []
        async for piece in response.aiter_raw():
            pieces.append(piece)
            await asyncio.sleep(0.3)
        assert b"".join(pieces) == b"x" * 500 + b"y" * 500
        await response.aclose()


@pytest.mark.parametrize("used_before", [False, True], ids=["new-connection", "used-connection"])
async def test_the_first_byte_is_waited_for_on_used_connections_too(
    transport: AiohttpTransport, used_before: bool
) -> None:
    answers = [[http()], SILENT] if used_before else [SILENT]
    async with serving(*answers) as server:
        if used_before:
            await fetch(transport, server.url, Timeouts(first_byte=2.0))
        timeouts = Timeouts(first_byte=LIMIT, gap=2.0)
        waited = await seconds_until(AnswerTimeout, lambda: fetch(transport, server.url, timeouts))
        assert 0.7 * LIMIT <= waited <= 1.3 * LIMIT
        assert server.connections == 1


async def test_limits_of_calls_side_by_side_are_their_own(transport: AiohttpTransport) -> None:
    async with serving(SILENT) as server:
        limits = [0.2, 0.4, 0.6]
        calls = [partial(fetch, transport, server.url, Timeouts(first_byte=limit)) for limit in limits]
        waited = await asyncio.gather(*(seconds_until(AnswerTimeout, call) for call in calls))
    assert waited == pytest.approx(limits, rel=0.3)


@pytest.fixture
def full() -> Iterator[str]:
    """The address of a server that takes no more connections: its queue is full, and nobody empties it."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        address = listening.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(address)
        time.sleep(0.05)
        yield f"http://127.0.0.1:{address[1]}"
        for one in waiting:
            one.close()


@pytest.mark.parametrize("first_byte", [0.05, 2.0], ids=["longer-than-first-byte", "shorter-than-first-byte"])
async def test_connecting_has_a_limit_of_its_own(transport: AiohttpTransport, full: str, first_byte: float) -> None:
    timeouts = Timeouts(connect=LIMIT, first_byte=first_byte, gap=0.05)
    waited = await seconds_until(ConnectTimeout, lambda: fetch(transport, full, timeouts))
    assert 0.7 * LIMIT <= waited <= 1.3 * LIMIT


@pytest.mark.parametrize("first_byte", [None, 0.05, 2.0])
async def test_a_total_that_ends_while_connecting_was_never_sent(
    transport: AiohttpTransport, full: str, first_byte: float | None
) -> None:
    timeouts = Timeouts(connect=2.0, first_byte=first_byte, total=LIMIT)
    waited = await seconds_until(ConnectTimeout, lambda: fetch(transport, full, timeouts))
    assert 0.7 * LIMIT <= waited <= 1.3 * LIMIT


async def test_a_total_that_ends_after_connecting_was_sent_also_on_a_used_connection(
    transport: AiohttpTransport,
) -> None:
    async with serving([http()], SILENT) as server:
        timeouts = Timeouts(first_byte=None, total=LIMIT)
        await fetch(transport, server.url, timeouts)
        waited = await seconds_until(AnswerTimeout, lambda: fetch(transport, server.url, timeouts))
        assert 0.7 * LIMIT <= waited <= 1.3 * LIMIT
        assert server.connections == 1


async def test_limits_of_calls_one_after_another_are_their_own(transport: AiohttpTransport) -> None:
    """In one task, as a call and the next attempt are: what the last one set is over."""
    async with serving([http()], LATE, LATE, SILENT) as server:
        assert await fetch(transport, server.url, Timeouts(first_byte=0.2)) == b"ok"
        assert await fetch(transport, server.url, Timeouts(first_byte=None)) == b"ok"
        assert await fetch(transport, server.url, Timeouts(first_byte=1.0)) == b"ok"
        await seconds_until(AnswerTimeout, lambda: fetch(transport, server.url, Timeouts(first_byte=0.2)))


async def test_a_call_that_never_connected_leaves_nothing_to_the_next_one(
    transport: AiohttpTransport, full: str
) -> None:
    await seconds_until(ConnectTimeout, lambda: fetch(transport, full, Timeouts(connect=0.1, first_byte=0.1)))
    async with serving(LATE) as server:
        assert await fetch(transport, server.url, Timeouts(first_byte=None)) == b"ok"
    await seconds_until(ConnectTimeout, lambda: fetch(transport, full, Timeouts(total=0.1)))
