"""How the server stops: it lets finish what runs, cuts what does not, and waits until that has settled.

A request that is cut is cancelled without a message, which is how providers/gateway.py tells a stop of the server from
a client that has left. Cancelled is the application's task first, since in the gateway lane that is all there is; then
whatever else runs, for Django's own handler leaves the tasks alone that it has started.

A socket is closed by its application, which learns of the stop from web/shutdown.py and knows whether anything is going
on in it; what is still open at the end is closed here, after the application has had its last word.
"""

import asyncio
import logging
import time
from collections.abc import Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from proxyproject.server.daphne import GatewayServer
    from proxyproject.server.websocket import GatewaySocket

logger = logging.getLogger("gateway.server")

_LOOK_SECONDS = 0.02


async def drain(server: "GatewayServer", last: Coroutine[Any, Any, None]) -> None:
    """Stops serving within limits.shutdown and three times limits.settle; `last` runs when nothing else does."""
    limits, factory = server.limits, server.http_factory
    until = time.monotonic() + limits.shutdown
    factory.begin_draining()
    if server.ports:
        await asyncio.sleep(min(limits.notice, limits.shutdown))
    for port in server.ports:
        port.stopListening()
    factory.close_unasked()
    while (server.running() or factory.is_sending()) and time.monotonic() < until:
        await asyncio.sleep(_LOOK_SECONDS)
    if server.running():
        factory.begin_cutting()
        for socket in server.sockets():
            socket.go_on()
        await asyncio.sleep(_LOOK_SECONDS)
    if cut := server.running():
        logger.warning("%d requests were cut: they did not end within %s seconds.", len(cut), limits.shutdown)
        await _cancel(cut, limits.settle)
    await _close(server.sockets(), limits.settle / 2)
    this = asyncio.current_task()
    await _cancel({task for task in asyncio.all_tasks() if task is not this}, limits.settle / 2)
    await _within(limits.settle / 2, last)
    await _within(limits.settle / 2, asyncio.get_running_loop().shutdown_asyncgens())


async def _cancel(tasks: "set[asyncio.Task[Any]]", seconds: float) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=seconds)


async def _close(sockets: "list[GatewaySocket]", seconds: float) -> None:
    until = time.monotonic() + seconds
    for socket in sockets:
        socket.handle_exception(None)
    while any(socket.transport.connected for socket in sockets) and time.monotonic() < until:
        await asyncio.sleep(_LOOK_SECONDS)


async def _within(seconds: float, work: Coroutine[Any, Any, None]) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(work, seconds)
