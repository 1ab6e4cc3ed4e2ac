"""Gemini, as tests need it: its answers in its own shape, and a vendor that gives them."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from providers.adapters.contract import Sender
from providers.adapters.gemini import GeminiAdapter
from providers.conversation import GenerateRequest, Message
from providers.errors import StatusError
from providers.types import Endpoint

ADAPTER = GeminiAdapter()
BASE = "https://generativelanguage.googleapis.com"
ENDPOINT = Endpoint(name="vendor", type="gemini", base_url=BASE, key="AIza-canary")
REQUEST = GenerateRequest((Message("user", "ሰላም"),), model="gemini-2.5-flash", max_tokens=12)
OVERLOADED = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}


def answer(*parts: Any, reason: str | None = "STOP", **more: Any) -> dict[str, Any]:
    """A GenerateContentResponse, or a piece of one."""
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": list(parts)}, "index": 0}
    return {"candidates": [{**candidate, "finishReason": reason} if reason else candidate], **more}


def call(name: str, **more: Any) -> dict[str, Any]:
    """A part that calls a function."""
    return {"functionCall": {"name": name, **more}}


def sse(*answers: Any) -> bytes:
    """A stream as `alt=sse` makes it."""
    return b"".join(b"data: " + json.dumps(one).encode() + b"\r\n\r\n" for one in answers)


def as_bytes(content: Any) -> bytes:
    """A body: as it is, or as JSON."""
    return content if isinstance(content, bytes) else json.dumps(content).encode()


def vendor(content: Any, kind: str = "application/json; charset=UTF-8", status: int = 200) -> Sender:
    """The way to a vendor that always gives this answer, seven bytes at a time."""

    @asynccontextmanager
    async def send(
        endpoint: Endpoint, request: httpx.Request, *, relayed: bool = False
    ) -> AsyncIterator[httpx.Response]:
        body = as_bytes(content)
        if status >= 400 and not relayed:
            raise StatusError(status, body[:300].decode())
        yield httpx.Response(status, headers={"content-type": kind}, stream=_Pieces(body))

    return send


class _Pieces(httpx.AsyncByteStream):
    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self._content), 7):
            yield self._content[start : start + 7]
