"""Header values on the way to the vendors: the same bytes, or nothing is sent at all."""

from collections.abc import AsyncIterator

import httpx
import pytest

from providers.errors import ConnectFailed
from providers.upstream.transport import AiohttpTransport
from tests.unit.raw_server import http, serving

OK = [http()]


@pytest.fixture
async def transport() -> AsyncIterator[AiohttpTransport]:
    pool = AiohttpTransport(private_network=True)
    yield pool
    await pool.aclose()


async def send(transport: AiohttpTransport, url: str, value: bytes) -> None:
    request = httpx.Request("POST", url, content=b"x", headers=[(b"x-title", value)])
    response = await transport.handle_async_request(request)
    await response.aread()
    await response.aclose()


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"plain", id="ascii"),
        pytest.param(b"", id="empty"),
        pytest.param(b"a\tb", id="tab"),
        pytest.param("Café".encode(), id="two-bytes"),
        pytest.param("ሰላም".encode(), id="three-bytes"),
        pytest.param("🙂".encode(), id="four-bytes"),
        pytest.param(b"\xc2\x80\xc2\x9f", id="c1"),
        pytest.param("\ufeffx".encode(), id="byte-order-mark"),
    ],
)
async def test_a_value_arrives_as_the_same_bytes(transport: AiohttpTransport, value: bytes) -> None:
    async with serving(OK) as server:
        await send(transport, server.url, value)
    assert b"\r\nx-title: " + value + b"\r\n" in server.asked[0].head


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("Café".encode("latin-1"), id="latin-1"),
        pytest.param(bytes(range(0x80, 0x100)), id="all-above-ascii"),
        pytest.param(b"\xed\xa0\x80", id="surrogate"),
        pytest.param(b"\xc0\xaf", id="overlong"),
        pytest.param("ሰላም".encode()[:-1], id="cut"),
        pytest.param("ሰላም".encode("utf-16"), id="utf-16"),
        pytest.param(b"x\r\nX-Injected: y", id="line-end"),
        pytest.param(b"x\0y", id="zero"),
    ],
)
async def test_what_cannot_be_sent_as_it_is_is_not_sent(transport: AiohttpTransport, value: bytes) -> None:
    async with serving(OK) as server:
        with pytest.raises(ConnectFailed) as refused:
            await send(transport, server.url, b"key-canary " + value)
        assert server.asked == []
        await send(transport, server.url, b"the next one")
        assert len(server.asked) == 1
    assert "canary" not in str(refused.value)
    assert refused.value.retryable
