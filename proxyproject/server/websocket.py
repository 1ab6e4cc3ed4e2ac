"""A WebSocket, between autobahn, which knows the protocol, and the application: bounded both ways.

Names with an underscore that are not defined here are autobahn's (26.10), as is what each of them means.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from autobahn.twisted.websocket import WebSocketServerProtocol
from autobahn.util import encode_truncate
from autobahn.websocket.types import ConnectionDeny
from twisted.internet.defer import Deferred
from twisted.internet.protocol import connectionDone

from proxyproject.server.handshake import refusal, scope_of
from proxyproject.server.inbox import Inbox
from proxyproject.server.intake import Intake
from proxyproject.server.outlet import SENDS_PER_TURN, Outlet
from proxyproject.server.pulse import Pulse

if TYPE_CHECKING:
    from proxyproject.server.factory import SocketFactory

logger = logging.getLogger("gateway.server")

_NORMAL, _NO_CODE, _FAILED, _RESTART = 1000, 1005, 1011, 1012
_LONGEST_REASON = 123  # bytes, the protocol's own
_TEXT, _BINARY = 1, 2  # opcodes


class GatewaySocket(WebSocketServerProtocol):
    """A connection that has become a WebSocket, or is about to.

    Compression is never agreed to: what a client sends is as large as it looks.
    """

    factory: "SocketFactory"
    transport: Any  # a PromptTransport

    # autobahn asks its factory for what is not said here.
    versions = (13,)
    webStatus = False
    openHandshakeTimeout = 0  # the client has sent its part when this begins, and the application's is timed below
    autoPingInterval = 0

    @property
    def _stock(self) -> Any:
        """What autobahn does; much of it comes without types."""
        return super()

    @property
    def is_live(self) -> bool:
        return bool(self.state == self.STATE_OPEN)

    # The connection

    def connectionMade(self) -> None:
        request = self.transport.producer.hand_over()  # the producer is the channel that the connection was
        self._scope = scope_of(request)
        request.requestHeaders.removeHeader(b"origin")  # or autobahn would judge it, before the application can
        limits = self.limits = self.factory.gateway.limits
        self.maxMessagePayloadSize = limits.message_bytes
        self.closeHandshakeTimeout = limits.closing
        self._intake = Intake(self, self.transport)
        self.inbox = Inbox(limits.waiting_messages, limits.waiting_bytes, self._intake.go_on)
        self._pulse = Pulse(self, limits.ping, limits.pong)
        self._outlet = Outlet(self.transport, limits.stall)
        self._decision: Deferred[Any] | None = None
        self._clock: Any = None
        self._is_held = False
        self._sends = 0
        self._owed_pong: bytes | None = None
        self._message = bytearray()
        self.transport.registerProducer(self, True)
        self._stock.connectionMade()

    def connectionLost(self, reason: Any = connectionDone) -> None:
        self._stop_clock()
        self._pulse.stop()
        self._outlet.stop_watching()
        self._sends = 0  # the next sends go nowhere at once, so that a cancel finds the application in its own await
        self.go_on()
        self._stock.connectionLost(reason)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        if self.failedByMe:
            code, reason = self.localCloseCode, ""
        self.factory.gateway.protocol_disconnected(self)
        self.inbox.put({"type": "websocket.disconnect", "code": code or _NO_CODE, "reason": reason or ""})

    def _set_clock(self, seconds: float, function: Any) -> None:
        self._stop_clock()
        self._clock = self.transport.reactor.callLater(seconds, function)

    def _stop_clock(self) -> None:
        if self._clock is not None and self._clock.active():
            self._clock.cancel()
        self._clock = None

    # The handshake

    def onConnect(self, request: Any) -> Any:
        """autobahn has found the handshake in order. The application decides."""
        gateway = self.factory.gateway
        if gateway.http_factory.is_draining:
            raise ConnectionDeny(503, "")
        if self.data:
            raise ConnectionDeny(400, "")  # a request for a socket has no body
        self.websocket_extensions: list[Any] = []
        self._decision = Deferred()
        self.inbox.put({"type": "websocket.connect"})
        gateway.open_socket(self, {**self._scope, "subprotocols": list(self.websocket_protocols)})
        self._set_clock(self.limits.handshake, self._is_undecided)
        return self._decision

    def _is_undecided(self) -> None:
        logger.warning("An application did not accept a socket within %s seconds.", self.limits.handshake)
        self._refuse(503)

    def _refuse(self, status: int) -> None:
        self._stop_clock()
        if self._decision is not None and not self._decision.called:
            self._decision.errback(ConnectionDeny(status, ""))

    def failHandshake(self, reason: str, code: int = 400, responseHeaders: Any = None) -> None:
        """Answers with an error of HTTP; never with autobahn's words, which quote the client."""
        self.wasNotCleanReason = reason
        self.sendData(refusal(code))
        self.dropConnection(abort=False)

    def onOpen(self) -> None:
        self._stop_clock()
        self._pulse.start()

    # What comes in

    def dataReceived(self, data: bytes) -> None:
        if self.state != self.STATE_CONNECTING:
            self._pulse.heard()
            self._intake.add(data)
        elif self._decision is None:
            self._stock.dataReceived(data)
        else:
            self.transport.abortConnection()  # a client has to wait for the answer to its handshake

    @property
    def can_answer(self) -> bool:
        """Whether a client that is asked for a sign of life would be heard, and be asked at all."""
        return not self._intake.is_paused and not self._is_held

    @property
    def is_taking(self) -> bool:
        """Whether what comes is to be read. A close frame of ours is followed by nothing but the answer to it."""
        return not self.is_live or not self.inbox.is_full

    @property
    def is_deaf(self) -> bool:
        """Whether nothing that comes means anything any more."""
        return bool(self.failedByMe) or self.state == self.STATE_CLOSED

    # autobahn keeps the pieces of a message as they come: two bytes each would cost it thirty times the message.

    def onMessageBegin(self, isBinary: bool) -> None:
        self._stock.onMessageBegin(isBinary)
        self._message = bytearray()

    def onMessageFrameData(self, payload: bytes) -> None:
        if self.is_live:
            self._message += payload

    def onMessageFrameEnd(self) -> None:
        """autobahn would join the pieces."""

    def onMessageEnd(self) -> None:
        if self.is_live:
            payload = bytes(self._message)
            self.inbox.put(
                {"type": "websocket.receive", "bytes" if self.message_is_binary else "text": payload}, len(payload)
            )
        self._message = bytearray()

    def onPing(self, payload: bytes) -> None:
        if self._is_held:
            self._owed_pong = payload  # only the latest need be answered, and it cannot be now
        elif self.is_live:
            self._stock.sendPong(payload)

    def _fail_connection(self, code: int = _NORMAL, reason: str = "") -> None:
        """Says why and hears nothing more. Closing with bytes unread would throw away the close frame."""
        if not self.is_live:
            self.dropConnection(abort=True)
            return
        self.failedByMe = True
        self._message = bytearray()
        self.sendCloseFrame(code=code, reasonUtf8=_short(reason), isReply=True)  # no answer is waited for
        self.transport.unregisterProducer()
        self.transport.loseWriteConnection()
        self._set_clock(self.limits.linger, self.transport.abortConnection)
        self.go_on()

    # What goes out

    def handle_reply(self, message: Mapping[str, Any]) -> None:
        """Does what the application says. Raises ValueError for what is out of place."""
        kind, is_asked = message["type"], self.state == self.STATE_CONNECTING
        if kind == "websocket.close":
            if is_asked:
                self._refuse(403)
            else:
                self.close(message.get("code") or _NORMAL, message.get("reason") or "")
        elif kind == "websocket.accept" and is_asked:
            self._accept(message)
        elif kind == "websocket.send" and not is_asked:
            self._send_message(message)
        else:
            raise ValueError(f"{kind} is out of place")

    def _accept(self, message: Mapping[str, Any]) -> None:
        subprotocol = message.get("subprotocol")
        if subprotocol is not None and subprotocol not in self.websocket_protocols:
            raise ValueError("The client has not offered this subprotocol")
        headers: dict[str, list[str]] = {}
        for name, value in message.get("headers", ()):
            headers.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))
        if self._decision is not None and not self._decision.called:
            self._decision.callback((subprotocol, headers))

    def _send_message(self, message: Mapping[str, Any]) -> None:
        text = message.get("text")
        payload = message["bytes"] if text is None else text.encode()
        if self.is_live:
            self.sendFrame(_BINARY if text is None else _TEXT, payload)
            self._outlet.flush()

    def close(self, code: int, reason: str = "") -> None:
        """Begins to close; what the client still sends is thrown away."""
        if self.is_live:
            self.sendCloseFrame(code=code, reasonUtf8=_short(reason))
            self._outlet.flush()
            self._intake.go_on()

    def dropConnection(self, abort: bool = False) -> None:
        self._stock.dropConnection(abort)
        self.go_on()
        if not abort:
            self._outlet.watch()

    def pauseProducing(self) -> None:
        """Twisted calls this when a client has not taken much of what it was sent."""
        self._is_held = True
        self._outlet.watch()

    def resumeProducing(self) -> None:
        """Twisted calls this when everything that was to be sent has been taken."""
        self._is_held = False
        self.go_on()
        if self._owed_pong is not None and self.is_live:
            payload, self._owed_pong = self._owed_pong, None
            self._stock.sendPong(payload)

    def stopProducing(self) -> None:
        """Twisted calls this when the connection is lost, and connectionLost after it."""

    def go_on(self) -> None:
        """Lets whoever waits for room go on without."""
        self._outlet.go_on()

    def has_had_its_turn(self) -> bool:
        """Counts a message that was sent. True: `give_way` must be awaited before the next."""
        self._sends += 1
        return self._sends % SENDS_PER_TURN == 0 or self._is_held_up

    @property
    def _is_held_up(self) -> bool:
        return self._is_held and self.is_live and not self.factory.gateway.http_factory.is_cutting

    async def give_way(self) -> None:
        """Waits until another message may be sent. For a client that has left there is nothing to wait for."""
        if self._is_held_up:
            await self._outlet.room()
        else:
            await asyncio.sleep(0)

    # The end of the application

    def handle_exception(self, exception: BaseException | None) -> None:
        """The application has ended, though the socket has not."""
        is_stopping = self.factory.gateway.http_factory.is_draining
        if self.state == self.STATE_CONNECTING:
            self._refuse(503 if is_stopping else 500)
        else:
            self.close(_RESTART if is_stopping else _NORMAL if exception is None else _FAILED)


def _short(reason: str) -> bytes | None:
    encoded: bytes | None = encode_truncate(reason, _LONGEST_REASON) if reason else None
    return encoded
