"""daphne, with what it keeps too long let go at once.

Stock daphne keeps every finished request until a sweep once a second. At some thousand requests a second the sweep
takes 40 ms and what survives it costs full garbage collections of 80 ms and more: a p99 of 116 ms where 7 would do.
"""

import asyncio
import gc
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from daphne.http_protocol import HTTPFactory, WebRequest
from daphne.server import Server
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.web.http import HTTPChannel, Request

from proxyproject.server.transport import PromptTransport

logger = logging.getLogger("gateway.server")

_CLOSE_SECONDS = 10.0  # what applications have to clean up in when the server stops


class GatewayRequest(WebRequest):
    """A request that is answered or visibly broken, whatever its application does."""

    def __init__(self, channel: HTTPChannel, *args: Any, **kwargs: Any) -> None:
        # Twisted would parse a form's body on the event loop, before any code of ours may refuse it.
        kwargs["parsePOSTFormSubmission"] = False
        super().__init__(channel, *args, **kwargs)

    def process(self) -> Any:
        self.requestHeaders.removeHeader(b"daphne-root-path")  # it would move every path, and any client may send it
        return super().process()

    def handle_reply(self, message: Mapping[str, Any]) -> None:
        """Sends a piece of the answer, and at once: nothing more comes until the application goes on."""
        transport = self.transport  # gone from here once the answer is whole
        super().handle_reply(message)
        if message["type"] == "http.response.body" and isinstance(transport, PromptTransport):
            transport.flush()

    def handle_exception(self, exception: BaseException | None) -> None:
        """Answers 500, or breaks the connection where an answer has begun: a cut answer must not look whole."""
        if self.finished or self.channel is None:
            return
        if self.startedWriting:
            self.channel.loseConnection()
            return
        self._response_started = False
        self.responseHeaders.removeHeader(b"content-length")
        self.basic_error(500, b"Internal Server Error", "Exception inside application.")


class GatewayFactory(HTTPFactory):
    """Makes channels that make GatewayRequests, and keeps no access log: ours is in proxyproject/request_log.py."""

    def buildProtocol(self, address: IAddress | None) -> Any:
        protocol = super().buildProtocol(address)
        protocol.requestFactory = GatewayRequest
        return protocol

    def log(self, request: Request) -> None:
        """Twisted's own access log, which nobody reads and which takes 8 % of the time."""


class GatewayServer(Server):
    """daphne's server with its own bookkeeping: a request is forgotten when its application ends, not at a sweep."""

    def __init__(
        self,
        application: Any,
        *,
        host: str,
        port: int,
        on_listening: Callable[[], None],
        on_stopping: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        interface = host.strip("[]").replace(":", r"\:")
        super().__init__(
            application,
            endpoints=[f"tcp:port={port}:interface={interface}:backlog=2048"],
            verbosity=0,
            server_name="",
            request_buffer_size=65_536,
        )
        self._on_listening = on_listening
        self._on_stopping = on_stopping
        self.listen_failed = ""

    @property
    def http_factory(self) -> GatewayFactory:
        return self._gateway_factory

    @http_factory.setter
    def http_factory(self, _: HTTPFactory) -> None:
        # run() makes the stock factory and assigns it here, with no other way to have another.
        self._gateway_factory = GatewayFactory(self)

    def run(self) -> None:
        """Serves until a signal ends it."""
        gc.collect()
        gc.freeze()  # what was loaded at start-up stays, so no collection need look at it again
        gc.set_threshold(10_000, 20, 20)  # a request makes thousands of objects, and few of them in cycles
        super().run()

    def kill_all_applications(self) -> Deferred[None]:
        """Ends what still runs and waits for it; then, with the event loop still there, closes what is open."""
        return Deferred.fromFuture(asyncio.ensure_future(self._end_applications()))

    async def _end_applications(self) -> None:
        tasks = [details.get("application_instance") for details in self.connections.values()]
        running = [task for task in tasks if task is not None and not task.done()]
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running, timeout=_CLOSE_SECONDS)
        await self._on_stopping()

    def listen_success(self, port: Any) -> None:
        super().listen_success(port)
        port.transport = PromptTransport
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

    def protocol_disconnected(self, protocol: Any) -> None:
        details = self.connections.get(protocol)
        if details is None:
            return
        super().protocol_disconnected(protocol)
        if "application_instance" not in details:
            del self.connections[protocol]

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
