"""A connection: what a client may send and how slowly, and what happens when it does not read.

Names with an underscore that are not defined here are Twisted's (26.10), as is what each of them means.
"""

import logging
import time
from typing import TYPE_CHECKING, Any

from twisted.internet.protocol import connectionDone
from twisted.web.http import HTTPChannel, Request
from twisted.web.http_headers import Headers

from proxyproject.server.limits import Limits
from proxyproject.server.outlet import Outlet
from web import envelope

if TYPE_CHECKING:
    from proxyproject.server.factory import GatewayFactory

logger = logging.getLogger("gateway.server")

_MOST_DIGITS = 18  # of a length; Python itself refuses to read numbers of thousands of digits


class GatewayChannel(HTTPChannel):
    """An HTTP/1.1 connection with deadlines for what comes in and a limit for what cannot go out."""

    factory: "GatewayFactory"
    transport: Any  # a PromptTransport
    _outlet: Outlet

    def __init__(self) -> None:
        self._stock.__init__()
        self._refused = False  # the request's body is too large: it is being answered, and the rest is thrown away
        self._deadline: Any = None
        self._waited_since = 0.0
        self._idle_clock: Any = None
        self._idle_since = 0.0
        self._host: Any = None

    @property
    def _stock(self) -> Any:
        """What Twisted does; it comes without types."""
        return super()

    @property
    def limits(self) -> Limits:
        return self.factory.limits

    @property
    def is_serving(self) -> bool:
        """Whether a request was handed to the application and its answer is not whole yet."""
        return bool(self._handlingRequest)

    @property
    def is_sending(self) -> bool:
        """Whether bytes of an answer are still to be taken."""
        return bool(self.transport.connected) and self.transport.unsent > 0

    def close_after_answer(self) -> None:
        """No request follows the one that is being served, if one is: an idle connection may ask once more."""
        if self._handlingRequest:
            self.persistent = 0

    # What comes in

    def connectionMade(self) -> None:
        self._stock.connectionMade()
        self._outlet = Outlet(self.transport, self.limits.stall)
        self.factory.channels.add(self)
        self._expect(self.limits.head)

    def connectionLost(self, reason: Any = connectionDone) -> None:
        self._stop_clocks()
        self.go_on()  # before the request learns of it: the cancel must find the application, not its send()
        self._stock.connectionLost(reason)

    def hand_over(self) -> Request:
        """The connection is a WebSocket from now on, and its end will not be told here. Returns what was asked."""
        self._stop_clocks()
        self.factory.channels.discard(self)
        self.transport.unregisterProducer()
        request: Request = self.requests[-1]
        return request

    def _stop_clocks(self) -> None:
        self._expect_nothing()
        self._outlet.stop_watching()
        if self._idle_clock is not None:
            self._idle_clock.cancel()
            self._idle_clock = None

    def dataReceived(self, data: bytes) -> None:
        """Reads on; whatever comes whole and at once never sees a clock."""
        self._stock.dataReceived(data)
        if self._deadline is not None or self._handlingRequest or self.transport.disconnecting:
            return
        if not self.transport.connected:
            return
        if not self.line_mode:
            self._expect(self.limits.body)
        elif self._is_begun:
            self._expect(self.limits.head)

    @property
    def _is_begun(self) -> bool:
        return bool(self._buffer) or hasattr(self, "_command")

    def _expect(self, seconds: float) -> None:
        self._waited_since = time.monotonic()
        self._deadline = self._stock.callLater(seconds, self._is_late)

    def _expect_nothing(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _is_late(self) -> None:
        self._deadline = None
        if not self.line_mode and self.requests:
            # By its rate and not by one fixed time: a large upload over a slow line is honest, a drip is not.
            allowed = self.limits.body + self.requests[-1].body_size / self.limits.body_rate
            left = self._waited_since + allowed - time.monotonic()
            if left > 0:
                self._deadline = self._stock.callLater(left, self._is_late)
                return
        if self._is_begun:
            logger.info("A request took too long to arrive.")
            body = envelope.failure("REQUEST_TIMEOUT", "The request took too long to arrive.")
            head = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Type: application/json\r\n"
            self.transport.write(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.loseConnection()
        self.flush()

    # Twisted stops the clock of an idle connection with each request, and starts it anew. This one runs on, and looks
    # then whether it is time.

    def setTimeout(self, period: int | None) -> int | None:
        """How long the connection may be idle from now on, in seconds; None while a request is served."""
        before, self.timeOut = self.timeOut, period
        self.resetTimeout()
        if period is not None and self._idle_clock is None and self.transport.connected:
            self._idle_clock = self._stock.callLater(period, self._look_whether_idle)
        return before

    def resetTimeout(self) -> None:
        """Something has come."""
        self._idle_since = time.monotonic()

    def _look_whether_idle(self) -> None:
        self._idle_clock = None
        if self.timeOut is None:
            return  # who serves a request says when it is done
        left = self._idle_since + self.timeOut - time.monotonic()
        if left > 0:
            self._idle_clock = self._stock.callLater(left, self._look_whether_idle)
        else:
            self._stock.timeoutConnection()

    def getHost(self) -> Any:
        """The address that the client has reached. It stays the same, so the system is asked once."""
        if self._host is None:
            self._host = self._stock.getHost()
        return self._host

    def isSecure(self) -> bool:
        """What the server listens on is TCP."""
        return False

    def allHeadersReceived(self) -> None:
        self._expect_nothing()
        if self.length is not None and self.length > self.limits.body_bytes:
            self._refuse_body()
            self.length = 0  # it is answered without its body
        self._stock.allHeadersReceived()

    def allContentReceived(self) -> None:
        self._expect_nothing()
        self._stock.allContentReceived()

    def checkPersistence(self, request: Request, version: bytes) -> bool:
        persistent: bool = self._stock.checkPersistence(request, version)
        return persistent and not self._refused and not self.factory.is_draining

    def _maybeChooseTransferDecoder(self, header: bytes, data: bytes) -> bool:
        if header == b"Content-Length" and len(data) > _MOST_DIGITS:
            return bool(self._failChooseTransferDecoder())
        return bool(self._stock._maybeChooseTransferDecoder(header, data))

    # A body that is too large: the request is handed over as it is. The application refuses it in the shape of its
    # path, by the announced length or by what has come of it, long before the rest could have arrived.

    def _refuse_body(self) -> None:
        self._refused = True
        self.requests[-1].requestHeaders.removeHeader(b"expect")  # or it would be told to go on

    def refuse_rest(self) -> None:
        """Hands over the request that is arriving, though its body is not whole."""
        self._refuse_body()
        self.persistent = 0
        self.allContentReceived()

    def _finishRequestBody(self, data: bytes) -> None:
        if not self._refused:
            self._stock._finishRequestBody(data)

    def _respondToBadRequestAndDisconnect(self) -> None:
        if not self._refused:
            self._stock._respondToBadRequestAndDisconnect()

    def rawDataReceived(self, data: bytes) -> None:
        if self._refused:
            return
        self._stock.rawDataReceived(data)
        if self._handlingRequest and sum(map(len, self._dataBuffer)) > self._optimisticEagerReadSize:
            # Twisted would stop reading now, and never learn that the client has left.
            self.transport.abortConnection()

    def loseConnection(self) -> None:
        """Closes once everything is sent; where a body was refused, not before its client could see the answer."""
        if not self._refused:
            self._stock.loseConnection()
            return
        # Closing with bytes unread would reset the connection, and with it throw away the answer.
        self._networkProducer.unregisterProducer()
        self.transport.loseWriteConnection()
        if self._deadline is None:
            self._deadline = self._stock.callLater(self.limits.linger, self._end_linger)

    def _end_linger(self) -> None:
        self._deadline = None
        self.transport.abortConnection()

    # What goes out

    def writeHeaders(self, version: bytes, code: bytes, reason: bytes, headers: Headers) -> None:
        """Writes the head of an answer in one piece; Twisted writes some sixty, and looks at each."""
        named = [b"%b: %b" % (name, value) for name, values in headers.getAllRawHeaders() for value in values]
        self.transport.write(b"\r\n".join([b"%b %b %b" % (version, code, reason), *named, b"", b""]))

    def resumeProducing(self) -> None:
        """Twisted calls this when everything that was to be sent has been taken."""
        self._stock.resumeProducing()
        self.go_on()

    def go_on(self) -> None:
        """Lets whoever waits for room go on without."""
        self._outlet.go_on()

    @property
    def is_full(self) -> bool:
        """Whether the client has not taken much of what it was sent, and whoever sends more should wait."""
        return bool(self._waitingForTransport) and bool(self.transport.connected) and not self.factory.is_cutting

    async def room(self) -> None:
        """Waits until the client has taken everything, or is gone."""
        await self._outlet.room()

    def flush(self) -> None:
        """Sends what there is, and keeps an eye on what the client does not take."""
        self._outlet.flush()
