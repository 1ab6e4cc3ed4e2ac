"""A request and its answer, between Twisted and the application."""

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from daphne.http_protocol import WebRequest
from twisted.web.http import NO_BODY_CODES
from twisted.web.http_headers import Headers

from proxyproject.server.channel import GatewayChannel
from proxyproject.server.outlet import SENDS_PER_TURN
from web import envelope

_PHRASES = {status.value: status.phrase.encode() for status in HTTPStatus}  # Twisted has none for 429


class GatewayRequest(WebRequest):
    """A request that is answered or visibly broken, whatever its application does."""

    channel: Any  # a GatewayChannel, until the answer is whole or the client gone

    __eq__ = object.__eq__  # daphne's say the same, in Python, and the server's table of requests asks each time
    __hash__ = object.__hash__

    def __init__(self, channel: GatewayChannel, *args: Any, **kwargs: Any) -> None:
        # Twisted would parse a form's body on the event loop, before any code of ours may refuse it.
        kwargs["parsePOSTFormSubmission"] = False
        super().__init__(channel, *args, **kwargs)
        self.body_size = 0
        self._limits = channel.limits
        self._sends = 0

    def handleContentChunk(self, data: bytes) -> None:
        most = self._limits.body_bytes
        if self.body_size > most:
            return  # it was refused, and the rest of it is nobody's
        self.body_size += len(data)
        stock: Any = super()
        stock.handleContentChunk(data)
        if self.body_size > most:
            self.channel.refuse_rest()

    def process(self) -> Any:
        self.requestHeaders.removeHeader(b"daphne-root-path")  # it would move every path, and any client may send it
        return super().process()

    def connectionLost(self, reason: Any) -> None:
        self._sends = 0  # the next sends go nowhere at once, so that the cancel finds the application in its own await
        stock: Any = super()
        stock.connectionLost(reason)

    def handle_reply(self, message: Mapping[str, Any]) -> None:
        """Sends a piece of the answer, and at once: nothing more comes until the application goes on."""
        if self.finished or self.channel is None:
            return
        channel = self.channel  # gone from here once the answer is whole
        # daphne's own does the same, and keeps a log of it that nobody reads.
        if message["type"] == "http.response.start" and not self._response_started:
            self._response_started = True
            self.setResponseCode(message["status"], _PHRASES.get(message["status"]))
            for name, value in message.get("headers", ()):
                self.responseHeaders.addRawHeader(name, value)
            if not channel.persistent:
                self.responseHeaders.setRawHeaders(b"Connection", [b"close"])
        elif message["type"] == "http.response.body" and self._response_started:
            # Twisted mutes its own write() where there must be no body, but only from the second time on.
            is_mute = self.method == b"HEAD" or self.code in NO_BODY_CODES
            stock: Any = super()
            stock.write(b"" if is_mute else message.get("body", b""))
            if not message.get("more_body"):
                stock.finish()
            channel.flush()
        else:
            raise ValueError(f"{message['type']} is out of place")

    def has_had_its_turn(self) -> bool:
        """Counts a piece that was sent. True: `give_way` must be awaited before the next."""
        self._sends += 1
        return self._sends % SENDS_PER_TURN == 0 or self._is_held_up

    @property
    def _is_held_up(self) -> bool:
        return not self.finished and self.channel is not None and self.channel.is_full

    async def give_way(self) -> None:
        """Waits until more of the answer may be sent. For a client that has left there is nothing to wait for."""
        if self._is_held_up:
            await self.channel.room()
        else:
            await asyncio.sleep(0)

    def handle_exception(self, exception: BaseException | None) -> None:
        """Answers 500, or breaks the connection where an answer has begun: a cut answer must not look whole."""
        channel = self.channel
        if self.finished or channel is None:
            return
        if not self.startedWriting:
            self._answer_failure()
        elif self.chunked or self.responseHeaders.hasHeader(b"content-length"):
            channel.loseConnection()
            channel.flush()
        else:
            channel.transport.abortConnection()  # the end of the connection would be the end of the answer

    def _answer_failure(self) -> None:
        """Whatever the application has said of its answer, nothing of it was sent."""
        self._response_started = False
        self.responseHeaders = Headers()
        body = envelope.failure("INTERNAL_ERROR", "An internal error occurred.")
        headers = [(b"Content-Type", b"application/json"), (b"Content-Length", b"%d" % len(body))]
        self.handle_reply({"type": "http.response.start", "status": 500, "headers": headers})
        self.handle_reply({"type": "http.response.body", "body": body})
