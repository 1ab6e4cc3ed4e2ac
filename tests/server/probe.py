"""A server with a small application that does what applications should not: `python -m tests.server.probe PORT`.

With `stock` as the second argument it is daphne as it comes. Any other arguments are limits: `stall=1.0`.
"""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

from daphne.server import Server

from proxyproject.body_limit import BodyLimit
from proxyproject.server.daphne import GatewayServer
from proxyproject.server.limits import Limits
from tests.server.socket_probe import serve_socket, socket_state

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]

CHUNK = 65_536
_FLOOD = 400  # chunks
_BIG = 128 * CHUNK
_FAILURES = {"/no-head": "before anything", "/no-body": "after the head"}
_served: list[Any] = []
_state = {"sent": 0, "ended": 0}


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Serves the paths below; any other says hello."""
    path = scope["path"]
    if scope["type"] == "websocket":
        await serve_socket(scope, receive, send)
    elif path in _STREAMS:
        await _stream(_STREAMS[path](), receive, send)
    elif path in _FAILURES:
        if path == "/no-body":
            await send(_START)
        raise RuntimeError(_FAILURES[path])
    elif path.startswith("/status/"):
        await _pieces(send, int(path[8:]))
    elif path == "/pieces":
        await _pieces(send, 200)
    else:
        await _answer(send, await _body(path, receive))


async def _body(path: str, receive: Receive) -> bytes:
    if path == "/state":
        return f"{len(_served[0].connections) - 1} {_state['sent']} {_state['ended']}".encode()  # without this request
    if path == "/sockets":
        return socket_state()
    if path == "/upload":
        return str(await _size(receive)).encode()
    return bytes(_BIG) if path == "/big" else b"hello"


async def _size(receive: Receive) -> int:
    size = 0
    while (message := await receive())["type"] == "http.request":
        size += len(message["body"])
        if not message["more_body"]:
            break
    return size


_START = {"type": "http.response.start", "status": 200, "headers": []}


async def _answer(send: Send, body: bytes) -> None:
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _pieces(send: Send, status: int) -> None:
    await send({"type": "http.response.start", "status": status, "headers": []})
    for piece, more in ((b"one", True), (b"two", True), (b"three", False)):
        await send({"type": "http.response.body", "body": piece, "more_body": more})


async def _stream(parts: AsyncGenerator[bytes, None], receive: Receive, send: Send) -> None:
    """Sends a stream, and is cancelled when the client leaves, as the gateway's lanes do it."""
    serving = asyncio.current_task()
    assert serving is not None

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        serving.cancel("the client left")

    watching = asyncio.ensure_future(watch())
    try:
        await send(_START)
        async with aclosing(parts):
            async for part in parts:
                await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body"})
    finally:
        watching.cancel()


async def _flood() -> AsyncGenerator[bytes, None]:
    try:
        for number in range(_FLOOD):
            yield number.to_bytes(2, "big") * (CHUNK // 2)
            _state["sent"] += 1
    finally:
        _state["ended"] += 1


async def _waits() -> AsyncGenerator[bytes, None]:
    try:
        yield b"one\n"
        await asyncio.sleep(60)
    finally:
        _state["ended"] += 1


async def _raises() -> AsyncGenerator[bytes, None]:
    yield b"one\n"
    await asyncio.sleep(0)
    raise RuntimeError("in the middle")


async def _cancels_itself() -> AsyncGenerator[bytes, None]:
    yield b"one\n"
    raise asyncio.CancelledError


_STREAMS: dict[str, Callable[[], AsyncGenerator[bytes, None]]] = {
    "/flood": _flood,
    "/waits": _waits,
    "/raises": _raises,
    "/cancels": _cancels_itself,
}


async def _nothing() -> None:
    pass


def main(port: int, stock: bool, limits: Mapping[str, Any]) -> None:
    """Serves until it is stopped."""
    server: Server
    limited = BodyLimit(application)
    if stock:
        server = Server(limited, endpoints=[f"tcp:port={port}:interface=127.0.0.1"], verbosity=0)
    else:
        server = GatewayServer(
            limited,
            host="127.0.0.1",
            port=port,
            on_listening=lambda: None,
            on_stopping=_nothing,
            limits=Limits(**limits),
        )
    _served.append(server)
    server.run()


if __name__ == "__main__":
    given = sys.argv[2:]
    pairs = [argument.split("=") for argument in given if "=" in argument]
    main(int(sys.argv[1]), "stock" in given, {name: float(value) for name, value in pairs})
