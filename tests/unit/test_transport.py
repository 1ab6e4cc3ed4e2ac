"""The way to the vendors, over real sockets: what is sent, what is sent once only, what becomes of the connection."""

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator

import httpx
import pytest

from providers.adapters.bodies import read_body
from providers.errors import BrokenAnswer, ConnectFailed, NoAnswer, Truncated, UpstreamError
from providers.upstream.transport import AiohttpTransport
from tests.gateway import free_port
from tests.unit.raw_server import Answer, End, http, serving

OK = [http()]
SOON = 2.0  # seconds in which the other side notices what happens on a connection


@pytest.fixture
async def transport() -> AsyncIterator[AiohttpTransport]:
    pool = AiohttpTransport(private_network=True)
    yield pool
    await pool.aclose()


async def fetch(transport: AiohttpTransport, request: httpx.Request) -> bytes:
    """Sends, reads the answer to its end, closes it."""
    response = await transport.handle_async_request(request)
    try:
        return await read_body(response)
    finally:
        await response.aclose()


async def test_nothing_is_added_to_a_get(transport: AiohttpTransport) -> None:
    async with serving(OK) as server:
        assert await fetch(transport, httpx.Request("GET", f"{server.url}/v1/models")) == b"ok"
    (asked,) = server.asked
    assert asked.line == "GET /v1/models HTTP/1.1"
    assert asked.headers == [("host", f"127.0.0.1:{server.port}")]


@pytest.mark.parametrize("content", [b'{"a": 1}', b"", "ሰላም".encode()], ids=["json", "empty", "utf8"])
async def test_nothing_is_added_to_a_post(transport: AiohttpTransport, content: bytes) -> None:
    async with serving(OK) as server:
        await fetch(transport, httpx.Request("POST", server.url, content=content))
    (asked,) = server.asked
    assert asked.body == content
    assert sorted(asked.headers) == [("content-length", str(len(content))), ("host", f"127.0.0.1:{server.port}")]


async def test_headers_arrive_as_they_are(transport: AiohttpTransport) -> None:
    given = [
        ("accept-encoding", "identity"),
        ("x-twice", "one"),
        ("x-twice", "two, three"),
        ("user-agent", "ours"),
        ("authorization", "Bearer sk-!#$%&'*+-.^_`|~"),
        ("cookie", "a=b"),
    ]
    async with serving(OK) as server:
        await fetch(transport, httpx.Request("GET", server.url, headers=given))
    assert [header for header in server.asked[0].headers if header[0] != "host"] == given


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/v1/models",
        "/models/org%2Fname",
        "/models/org%2fname",
        "/a%20b/%E1%88%B0",
        "/%7Euser/a;b=c,d",
        "/a//b/",
        "/v1:generate?alt=sse",
        "/?q=%2F&p=a+b&r=a%2Bb&s=%20",
        "/?url=https%3A%2F%2Fexample.com%2F%3Fa%3Db%26c",
        "/?empty=&flag&x==",
        "/?a=%41%c3%a9",
    ],
)
async def test_the_address_arrives_as_it_is(transport: AiohttpTransport, target: str) -> None:
    async with serving(OK) as server:
        await fetch(transport, httpx.Request("GET", server.url + target))
    assert server.asked[0].target == target


async def test_cookies_are_neither_kept_nor_sent(transport: AiohttpTransport) -> None:
    sets = [http(b"ok", "Set-Cookie: sid=canary; Path=/", "Set-Cookie: other=1")]
    async with serving(sets) as server:
        request = httpx.Request("GET", server.url)
        response = await transport.handle_async_request(request)
        assert response.headers.get_list("set-cookie") == ["sid=canary; Path=/", "other=1"]
        await response.aclose()
        for _ in range(2):
            await fetch(transport, httpx.Request("GET", server.url))
    assert all("cookie" not in dict(asked.headers) for asked in server.asked)
    assert len(server.asked) == 3


async def test_proxy_variables_are_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = f"http://127.0.0.1:{free_port()}"
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, closed)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    pool = AiohttpTransport(private_network=True)
    async with serving(OK) as server:
        assert await fetch(pool, httpx.Request("GET", server.url)) == b"ok"
    await pool.aclose()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_handed_over_and_not_followed(transport: AiohttpTransport, status: int) -> None:
    async with serving([http(b"", "Location: /elsewhere", status=status)]) as server:
        response = await transport.handle_async_request(httpx.Request("POST", server.url, content=b"x"))
        assert (response.status_code, response.headers["location"]) == (status, "/elsewhere")
        await response.aclose()
    assert len(server.asked) == 1


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "POST"])
@pytest.mark.parametrize("end", End, ids=lambda end: end.value)
async def test_a_lost_request_on_a_used_connection_is_not_sent_again(
    transport: AiohttpTransport, method: str, end: End
) -> None:
    async with serving(OK, [end], OK) as server:
        await fetch(transport, httpx.Request("GET", server.url))
        with pytest.raises(NoAnswer) as lost:
            await fetch(transport, httpx.Request(method, server.url))
        await asyncio.sleep(0.05)
        assert (len(server.asked), server.connections) == (2, 1)
    assert not lost.value.retryable


async def test_a_refused_connection(transport: AiohttpTransport) -> None:
    with pytest.raises(ConnectFailed) as refused:
        await fetch(transport, httpx.Request("GET", f"http://127.0.0.1:{free_port()}"))
    assert refused.value.retryable


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        pytest.param("http://a..b/", {}, id="empty-label"),
        pytest.param(f"http://{'a' * 64}.example/", {}, id="label-too-long"),
        pytest.param("http://.example/", {}, id="leading-dot"),
        pytest.param("http://127.0.0.1:99999/", {}, id="port-out-of-range"),
        pytest.param("http://127.0.0.1:1/", {"authorization": "Bearer x\r\nX-Injected: y"}, id="line-end-in-header"),
    ],
)
async def test_what_cannot_be_sent(transport: AiohttpTransport, url: str, headers: dict[str, str]) -> None:
    with pytest.raises(ConnectFailed):
        await fetch(transport, httpx.Request("GET", url, headers=headers))


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param([b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", End.CLOSE], id="length"),
        pytest.param([b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", End.CLOSE], id="length-nothing-came"),
        pytest.param([b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", 0.05, End.RESET], id="length-reset"),
        pytest.param([CHUNKED + b"4\r\nhalf\r\n", End.CLOSE], id="chunked-without-the-last"),
        pytest.param([CHUNKED + b"100\r\nhalf", End.CLOSE], id="chunked-inside-a-chunk"),
        pytest.param([CHUNKED + b"4\r\nhalf\r\n", 0.05, End.RESET], id="chunked-reset"),
    ],
)
async def test_a_body_cut_short(transport: AiohttpTransport, answer: Answer) -> None:
    async with serving(answer) as server:
        with pytest.raises(Truncated):
            await fetch(transport, httpx.Request("GET", server.url))


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        pytest.param([End.CLOSE], NoAnswer, id="nothing"),
        pytest.param([b"HTTP/1.1 200 OK\r\nContent-Le", End.CLOSE], NoAnswer, id="half-a-head"),
        pytest.param([b"SSH-2.0-OpenSSH_9.6\r\n\r\n"], BrokenAnswer, id="no-http"),
        pytest.param([b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"], BrokenAnswer, id="no-length"),
        pytest.param([b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000], BrokenAnswer, id="a-head-without-end"),
    ],
)
async def test_no_answer_at_all(transport: AiohttpTransport, answer: Answer, error: type[UpstreamError]) -> None:
    async with serving(answer) as server:
        with pytest.raises(error):
            await fetch(transport, httpx.Request("POST", server.url, content=b"{}"))
    assert len(server.asked) == 1


TEXT = "ሰላም, wie geht es? ".encode() * 500


@pytest.mark.parametrize(
    ("encoding", "sent"),
    [
        ("gzip", gzip.compress(TEXT)),
        ("deflate", zlib.compress(TEXT)),
        ("identity", TEXT),
        ("GZIP", gzip.compress(TEXT)),
    ],
    ids=["gzip", "deflate", "identity", "upper-case"],
)
async def test_a_body_is_decoded_by_the_reader_only(transport: AiohttpTransport, encoding: str, sent: bytes) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: {len(sent)}\r\n\r\n".encode()
    pieces: list[bytes | float | End] = [head, *(sent[at : at + 97] for at in range(0, len(sent), 97))]
    async with serving(pieces) as server:
        assert await fetch(transport, httpx.Request("GET", server.url)) == TEXT
        response = await transport.handle_async_request(httpx.Request("GET", server.url))
        assert b"".join([piece async for piece in response.aiter_raw()]) == sent
        await response.aclose()


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_content_encoding_that_is_not_true(transport: AiohttpTransport, encoding: str) -> None:
    async with serving([http(b'{"plain": "json"}', f"Content-Encoding: {encoding}")]) as server:
        with pytest.raises(BrokenAnswer):
            await fetch(transport, httpx.Request("GET", server.url))


async def test_a_small_body_that_is_huge_inside_is_refused(transport: AiohttpTransport) -> None:
    bomb = gzip.compress(bytes(80 * 1024 * 1024), compresslevel=1)
    async with serving([http(bomb, "Content-Encoding: gzip")]) as server:
        with pytest.raises(BrokenAnswer):
            await fetch(transport, httpx.Request("GET", server.url))


@pytest.mark.parametrize(
    "answer",
    [[http()], [http(b"")], [CHUNKED + b"2\r\nok\r\n0\r\n\r\n"], [http(b"", status=204)], [http(b"no", status=500)]],
    ids=["length", "empty", "chunked", "no-content", "error"],
)
async def test_a_connection_is_used_again_once_its_answer_was_read(transport: AiohttpTransport, answer: Answer) -> None:
    async with serving(answer) as server:
        for _ in range(3):
            await fetch(transport, httpx.Request("POST", server.url, content=b"x"))
        assert (len(server.asked), server.connections) == (3, 1)


async def test_an_answer_closed_early_closes_its_connection(transport: AiohttpTransport) -> None:
    async with serving([b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"], OK) as server:
        response = await transport.handle_async_request(httpx.Request("GET", server.url))
        assert await anext(aiter(response.aiter_raw())) == b"half"
        assert not server.hung_up.is_set()
        await response.aclose()
        await asyncio.wait_for(server.hung_up.wait(), SOON)
        assert await fetch(transport, httpx.Request("GET", server.url)) == b"ok"
        assert server.connections == 2


async def test_an_answer_closed_unread_closes_its_connection(transport: AiohttpTransport) -> None:
    async with serving([b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"]) as server:
        response = await transport.handle_async_request(httpx.Request("GET", server.url))
        await response.aclose()
        await asyncio.wait_for(server.hung_up.wait(), SOON)


async def test_a_caller_who_is_cancelled_closes_the_connection(transport: AiohttpTransport) -> None:
    async with serving([]) as server:
        waiting = asyncio.create_task(fetch(transport, httpx.Request("GET", server.url)))
        while not server.asked:
            await asyncio.sleep(0.01)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await asyncio.wait_for(server.hung_up.wait(), SOON)


async def test_closing_the_pool_closes_idle_connections() -> None:
    pool = AiohttpTransport(private_network=True)
    async with serving(OK) as server:
        await fetch(pool, httpx.Request("GET", server.url))
        await pool.aclose()
        await asyncio.wait_for(server.hung_up.wait(), SOON)
        assert await fetch(pool, httpx.Request("GET", server.url)) == b"ok", "it opens again when it is asked to"
        await pool.aclose()
