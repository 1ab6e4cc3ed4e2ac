"""daphne, with what it keeps too long let go at once, and with the limits that it does not have.

Stock daphne keeps every finished request until a sweep once a second. At some thousand requests a second the sweep
takes 40 ms and what survives it costs full garbage collections of 80 ms and more: a p99 of 116 ms where 7 would do.
"""

import asyncio
import gc
import logging
import signal
import time
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any

from daphne.http_protocol import HTTPFactory
from daphne.server import Server, twisted_loop
from daphne.ws_protocol import WebSocketFactory
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.logger import (
    FilteringLogObserver,
    LogLevel,
    LogLevelFilterPredicate,
    STDLibLogObserver,
    globalLogPublisher,
)

from proxyproject.server.drain import drain
from proxyproject.server.factory import GatewayFactory, SocketFactory
from proxyproject.server.limits import Limits
from proxyproject.server.request import GatewayRequest
from proxyproject.server.transport import PromptTransport
from proxyproject.server.websocket import GatewaySocket
from web.shutdown import shutdown

logger = logging.getLogger("gateway.server")


class GatewayServer(Server):
    """daphne's server with its own bookkeeping: a request is forgotten when its application ends, not at a sweep.

    Parameters: application, an ASGI application that refuses what is larger than limits.body_bytes, which it is given
    only in part; on_stopping, what is to be closed once nothing is served any more.
    """

    def __init__(
        self,
        application: Any,
        *,
        host: str,
        port: int,
        on_listening: Callable[[], None],
        on_stopping: Callable[[], Coroutine[Any, Any, None]],
        limits: Limits,
    ) -> None:
        interface = host.strip("[]").replace(":", r"\:")
        super().__init__(
            application,
            endpoints=[f"tcp:port={port}:interface={interface}:backlog=2048"],
            signal_handlers=False,  # Twisted's would take a second signal for an error
            verbosity=0,
            server_name="",
            request_buffer_size=65_536,
        )
        self.limits = limits
        self.ports: list[Any] = []
        self.listen_failed = ""
        self._on_listening = on_listening
        self._on_stopping = on_stopping
        self._is_stopping = False

    @property
    def http_factory(self) -> GatewayFactory:
        return self._gateway_factory

    @http_factory.setter
    def http_factory(self, _: HTTPFactory) -> None:
        # run() makes the stock factory and assigns it here, with no other way to have another.
        self._gateway_factory = GatewayFactory(self)

    @property
    def ws_factory(self) -> SocketFactory:
        return self._socket_factory

    @ws_factory.setter
    def ws_factory(self, _: WebSocketFactory) -> None:
        self._socket_factory = SocketFactory(self)

    def run(self) -> None:
        """Serves until SIGTERM or SIGINT ends it; whatever is signalled after that changes nothing."""
        # What goes wrong inside Twisted's own callbacks would be seen nowhere: daphne sends its log to nowhere.
        log: Any = globalLogPublisher
        errors: Any = LogLevelFilterPredicate(defaultLogLevel=LogLevel.error)
        observer: Any = STDLibLogObserver("gateway.server")
        log.addObserver(FilteringLogObserver(observer, [errors]))
        for number in (signal.SIGTERM, signal.SIGINT):
            twisted_loop.add_signal_handler(number, self._stop_once)
        gc.collect()
        gc.freeze()  # what was loaded at start-up stays, so no collection need look at it again
        gc.set_threshold(10_000, 20, 20)  # a request makes thousands of objects, and few of them in cycles
        super().run()

    def _stop_once(self) -> None:
        if not self._is_stopping:
            self._is_stopping = True
            shutdown.begin()
            logger.info("Stopping.")
            self.stop()

    def kill_all_applications(self) -> Deferred[None]:
        """Twisted stops when this is over; until then everything runs on."""
        return Deferred.fromFuture(asyncio.ensure_future(drain(self, self._on_stopping())))

    def running(self) -> "set[asyncio.Task[Any]]":
        """The tasks of the applications that have not ended."""
        tasks = [details.get("application_instance") for details in self.connections.values()]
        return {task for task in tasks if task is not None and not task.done()}

    def sockets(self) -> list[GatewaySocket]:
        """The WebSockets whose connection has not ended."""
        return [each for each in self.connections if isinstance(each, GatewaySocket) and each.transport.connected]

    def listen_success(self, port: Any) -> None:
        super().listen_success(port)
        port.transport = PromptTransport
        self.ports.append(port)
        self._on_listening()

    def listen_error(self, failure: Any) -> None:
        self.listen_failed = failure.getErrorMessage()
        self.stop()

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        queue = super().create_application(protocol, scope)
        task = self.connections.get(protocol, {}).get("application_instance")
        if task is not None:
            task.add_done_callback(lambda done: self._application_ended(protocol, done))
        return queue

    def open_socket(self, socket: GatewaySocket, scope: dict[str, Any]) -> None:
        """Starts the application of a socket, with a bounded queue where daphne's has no end."""
        send = partial(self.handle_reply, socket)
        task = asyncio.ensure_future(self.application(scope=scope, receive=socket.inbox.get, send=send))
        self.connections[socket] = {"connected": time.time(), "application_instance": task}
        task.add_done_callback(lambda done: self._application_ended(socket, done))

    async def handle_reply(self, protocol: Any, message: Mapping[str, Any]) -> None:
        """Sends a piece of an answer; returns when the client has taken so much that there is room for another."""
        details = self.connections.get(protocol)
        if details is None or "disconnected" in details:
            return
        protocol.handle_reply(message)
        expects_more = message.get("more_body") or message["type"] == "websocket.send"
        if expects_more and protocol.has_had_its_turn():
            await protocol.give_way()

    def protocol_disconnected(self, protocol: Any) -> None:
        details = self.connections.get(protocol)
        if details is None:
            return
        super().protocol_disconnected(protocol)
        if "application_instance" not in details:
            del self.connections[protocol]

    def application_checker(self) -> None:
        """Cancels, once, what goes on long after its client has left. Nothing else is left for daphne's sweep to do."""
        latest = time.time() - self.limits.abandoned
        for details in list(self.connections.values()):
            task = details.get("application_instance")
            if task is not None and details.get("disconnected", latest) < latest and "cancelled" not in details:
                details["cancelled"] = True
                task.cancel()
        self._call_later(1, self.application_checker)

    def timeout_checker(self) -> None:
        """Nothing: each connection has clocks of its own."""

    def _call_later(self, seconds: float, function: Callable[[], None]) -> None:
        clock: Any = reactor  # Twisted makes the module's attributes when it is imported
        clock.callLater(seconds, function)

    def _application_ended(self, protocol: Any, task: "asyncio.Task[None]") -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            logger.error("The application failed: %r", error)
        details = self.connections.get(protocol)
        if details is None:
            return
        details.pop("application_instance", None)
        if "disconnected" in details:
            del self.connections[protocol]
        elif isinstance(protocol, GatewayRequest):
            protocol.handle_exception(error)
        elif isinstance(protocol, GatewaySocket):
            protocol.handle_exception(asyncio.CancelledError() if task.cancelled() else error)
