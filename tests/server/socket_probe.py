"""The part of the probing application that answers WebSockets, by the path."""

import asyncio
import ipaddress
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from proxyproject.forwarded import TrustedProxies
from proxyproject.request_log import RequestLog
from proxyproject.socket_origin import SocketOrigin
from web.shutdown import shutdown

logging.getLogger("gateway.access").addHandler(logging.StreamHandler())
logging.getLogger("gateway.access").setLevel(logging.INFO)

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

PIECE = 65_536
_FLOOD = 400  # messages
_state: dict[str, Any] = {"sent": 0, "ended": 0, "taken": 0, "bytes": 0, "codes": []}


def socket_state() -> bytes:
    """What has happened in all sockets: messages that floods could send, applications that ended, messages taken."""
    return json.dumps(_state).encode()


async def serve_socket(scope: Scope, receive: Receive, send: Send) -> None:
    """Serves the paths below; any other is refused."""
    path = scope["path"]
    try:
        if path == "/guarded":
            await _GUARDED(scope, receive, send)
        elif path in _BEFORE:
            await _connected(receive)
            await _BEFORE[path](receive, send)
        elif path in _AFTER:
            await _accepts(_AFTER[path])(scope, receive, send)
    finally:
        _state["ended"] += 1


async def _connected(receive: Receive) -> None:
    assert (await receive())["type"] == "websocket.connect"


def _accepts(then: Application) -> Application:
    async def accepted(scope: Scope, receive: Receive, send: Send) -> None:
        await _connected(receive)
        await send({"type": "websocket.accept", "headers": [(b"x-path", scope["path"].encode())]})
        await then(scope, receive, send)

    return accepted


async def _refuses(receive: Receive, send: Send) -> None:
    await send({"type": "websocket.close"})


async def _fails(receive: Receive, send: Send) -> None:
    raise RuntimeError("before anything")


async def _thinks(receive: Receive, send: Send) -> None:
    assert (await receive())["type"] == "websocket.disconnect"


async def _echoes(scope: Scope, receive: Receive, send: Send) -> None:
    while (message := await _taken(receive))["type"] == "websocket.receive":
        if message.get("text") == "fail":
            raise RuntimeError("in the middle")
        if message.get("text") == "leave":
            return
        if message.get("text") == "close":
            await send({"type": "websocket.close", "code": 4001, "reason": "as told"})
        elif message.get("text") == "scope":
            told = {name: scope[name] for name in ("scheme", "path", "root_path", "client")}
            await send({"type": "websocket.send", "text": json.dumps(told)})
        else:
            await send({**message, "type": "websocket.send"})


async def _taken(receive: Receive) -> Mapping[str, Any]:
    message = await receive()
    if message["type"] == "websocket.receive":
        _state["taken"] += 1
        text = message.get("text")
        _state["bytes"] += len(message["bytes"] if text is None else text.encode())
    else:
        _state["codes"].append(message["code"])
    return message


async def _takes(scope: Scope, receive: Receive, send: Send) -> None:
    while (await _taken(receive))["type"] == "websocket.receive":
        pass


async def _sleeps(scope: Scope, receive: Receive, send: Send) -> None:
    await asyncio.sleep(1)
    await _takes(scope, receive, send)


async def _floods(scope: Scope, receive: Receive, send: Send) -> None:
    for number in range(_FLOOD):
        await send({"type": "websocket.send", "bytes": number.to_bytes(2, "big") * (PIECE // 2)})
        _state["sent"] += 1
    await _takes(scope, receive, send)


async def _heeds(scope: Scope, receive: Receive, send: Send) -> None:
    await shutdown.wait()
    await send({"type": "websocket.close", "code": 1012})
    await _takes(scope, receive, send)


async def _works(scope: Scope, receive: Receive, send: Send) -> None:
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        await send({"type": "websocket.send", "text": "cut"})
        raise


async def _clings(scope: Scope, receive: Receive, send: Send) -> None:
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            _state["ended"] += 1


_BEFORE: dict[str, Callable[[Receive, Send], Awaitable[None]]] = {
    "/refuses": _refuses,
    "/fails": _fails,
    "/thinks": _thinks,
}
_AFTER: dict[str, Application] = {
    "/echo": _echoes,
    "/takes": _takes,
    "/sleeps": _sleeps,
    "/flood": _floods,
    "/heeds": _heeds,
    "/works": _works,
    "/clings": _clings,
}

# As proxyproject/asgi.py puts them round the gateway's own socket.
_GUARDED = TrustedProxies(RequestLog(SocketOrigin(_accepts(_echoes))), [ipaddress.ip_network("127.0.0.1/32")])
