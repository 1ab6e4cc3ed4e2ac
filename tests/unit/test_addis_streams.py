"""Addis AI's streams as a whole, through the adapter's own `answer`, in every framing that it may have."""

import json
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest

from providers.adapters.addis import AddisAdapter
from providers.conversation import (
    GenerateRequest,
    Message,
)
from providers.errors import BrokenAnswer, Truncated
from providers.types import Endpoint, Usage

ADAPTER = AddisAdapter()
ENDPOINT = Endpoint(name="vendor", type="addis", base_url="https://api.example.com", key="sk_canary")
REQUEST = GenerateRequest((Message("user", "ሰላም"),))
REPORTED = {"prompt_token_count": 12, "candidates_token_count": 45, "total_token_count": 57}
USED = Usage(12, 45)


def line(word: str, **more: Any) -> bytes:
    return json.dumps({"type": "content", "text": word, **more}, ensure_ascii=False).encode()


LAST = line("", finish_reason="STOP", usage_metadata=REPORTED)


class Pieces(httpx.AsyncByteStream):
    def __init__(self, body: bytes, size: int) -> None:
        self._pieces = [body[at : at + size] for at in range(0, len(body), size)]

    async def __aiter__(self) -> Any:
        for piece in self._pieces:
            yield piece


async def streamed(body: bytes, kind: str = "text/event-stream", size: int = 10_000) -> tuple[str, Usage | None]:
    """The text and the usage of a streamed answer."""

    @asynccontextmanager
    async def send(endpoint: Endpoint, request: httpx.Request, *, relayed: bool = False) -> Any:
        yield httpx.Response(200, headers={"content-type": kind}, stream=Pieces(body, size))

    async with ADAPTER.answer(ENDPOINT, replace(REQUEST, stream=True), send) as opened:
        chunks = [chunk async for chunk in opened.chunks]
    assert [chunk.end for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    return "".join(chunk.text for chunk in chunks), next((c.usage for c in chunks if c.usage), None)


WHOLE = {"response_text": "ሰላም ነው", "finish_reason": "STOP", "usage_metadata": REPORTED}
HELLO = (line("ሰላም"), line(" ነው"), LAST)
STREAMS = [
    pytest.param("text/event-stream", b"".join(b"data: %b\n\n" % x for x in (*HELLO, b"[DONE]")), id="events"),
    pytest.param("text/event-stream", b"".join(b"data:%b\r\n\r\n" % x for x in (*HELLO, b"[DONE]")), id="crlf"),
    pytest.param("text/event-stream", b"".join(b": hm\ndata: %b\n\n" % x for x in HELLO), id="comments-and-no-mark"),
    pytest.param("text/event-stream", b"".join(b"data: %b\n" % x for x in (*HELLO, b"[DONE]")), id="no-blank-lines"),
    pytest.param("text/event-stream", b"\n".join(HELLO), id="lines-called-events"),
    pytest.param("application/x-ndjson", b"\n".join(HELLO), id="lines-without-the-last-end"),
    pytest.param("application/x-ndjson; charset=utf-8", b"\n".join(HELLO) + b"\n", id="lines"),
    pytest.param("application/x-ndjson", b"\n".join((*HELLO, b"[DONE]", b"")), id="lines-with-a-mark"),
    pytest.param("text/plain", b"event: content\ndata: " + b"\n\ndata: ".join(HELLO) + b"\n\n", id="plain"),
    pytest.param(
        "application/json",
        json.dumps(
            {
                "status": "success",
                "data": {"response_text": "ሰላም ነው", "finish_reason": "STOP", "usage_metadata": REPORTED},
            }
        ).encode(),
        id="not-streamed-at-all",
    ),
]


@pytest.mark.parametrize(("kind", "sent"), STREAMS)
@pytest.mark.parametrize("size", [1, 7, 10_000])
async def test_streams_in_every_framing(kind: str, sent: bytes, size: int) -> None:
    assert await streamed(sent, kind, size) == ("ሰላም ነው", USED)


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (b"data: %b\n\n" % HELLO[0], Truncated),
        (HELLO[0] + b"\n", Truncated),
        (b"", Truncated),
        (HELLO[0] + b"\n" + HELLO[1][:9], BrokenAnswer),
        (HELLO[0] + b'\n{"error": {"message": "x"}}\n', BrokenAnswer),
        (b"event: error\ndata: {}\n\n", BrokenAnswer),
    ],
)
async def test_streams_that_break(sent: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        await streamed(sent)


async def test_a_page_is_no_stream() -> None:
    with pytest.raises(BrokenAnswer):
        await streamed(b"<html>", "text/html")
