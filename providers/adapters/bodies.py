"""Bodies of answers, whole and as they arrive, decoded or as they are."""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from functools import lru_cache

import httpx

from providers.errors import BrokenAnswer, ConnectFailed

LARGEST_ANSWER = 64 * 1024 * 1024  # bytes of an answer that is read whole
LARGEST_REFUSAL = 1024 * 1024  # bytes of an error's body
_VISIBLE = re.compile(r"[!-~]+")


@lru_cache(maxsize=1024)
def parsed_url(url: str) -> httpx.URL:
    """An address as httpx has it; parsing takes longer than sending, and there are few. Raises ConnectFailed."""
    try:
        return httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ConnectFailed(f"{url} is no address: {error}") from error


def outgoing(method: str, url: str, headers: Sequence[tuple[bytes, bytes]], content: bytes | None) -> httpx.Request:
    """A request with these headers and no other: what httpx would add, host and length, the client library adds too.

    Its address leaves as it is written here, if it is all visible ASCII: httpx escapes some of that. Raises
    ConnectFailed.
    """
    parsed, target = _address(url)
    body = httpx.ByteStream(content or b"")
    request = httpx.Request(method, parsed, headers=headers, stream=body, extensions={"target": target})
    request.read()
    return request


@lru_cache(maxsize=1024)
def _address(url: str) -> tuple[httpx.URL, str]:
    """An address as httpx has it, and as it leaves. httpx takes long to write one out too."""
    parsed = parsed_url(url)
    origin = f"{parsed.scheme}://{parsed.netloc.decode('ascii')}"
    as_written = _VISIBLE.fullmatch(url) and url.startswith(origin)
    return parsed, url if as_written else str(parsed)


async def read_body(response: httpx.Response) -> bytes:
    """The whole body, decoded. Raises BrokenAnswer when it is larger than LARGEST_ANSWER."""
    pieces: list[bytes] = []
    size = 0
    async for piece in body_pieces(response):
        size += len(piece)
        if size > LARGEST_ANSWER:
            raise BrokenAnswer("the answer is larger than any that is accepted")
        pieces.append(piece)
    return b"".join(pieces)


async def body_pieces(response: httpx.Response) -> AsyncGenerator[bytes, None]:
    """The body as it arrives, decoded. Raises BrokenAnswer when it is not encoded as its header says."""
    # httpx's own iterator costs as much as the whole exchange, so it is used only where there is something to decode.
    stream: object = response.stream
    if isinstance(stream, httpx.AsyncByteStream) and "content-encoding" not in response.headers:
        pieces = aiter(stream)
    else:
        pieces = response.aiter_bytes()
    try:
        async for piece in pieces:
            yield piece
    except httpx.DecodingError as error:
        raise BrokenAnswer(f"the answer's content-encoding is not true: {error}") from error


def raw_pieces(response: httpx.Response) -> AsyncIterator[bytes]:
    """The body as it arrives, as it is."""
    stream: object = response.stream
    return aiter(stream) if isinstance(stream, httpx.AsyncByteStream) else response.aiter_raw()


async def read_raw(response: httpx.Response, most: int = LARGEST_REFUSAL) -> bytes:
    """The whole body, of an error if `most` does not say otherwise, as it is. Raises BrokenAnswer when it is larger."""
    body = bytearray()
    async for piece in raw_pieces(response):
        body += piece
        if len(body) > most:
            raise BrokenAnswer("a body that is larger than any that is accepted")
    return bytes(body)
