"""Whether there is still somebody at the other end of a socket."""

import logging
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from proxyproject.server.websocket import GatewaySocket

logger = logging.getLogger("gateway.server")


class Pulse:
    """Asks a client that is silent for a sign of life, and ends its connection when it gives none.

    Parameters: socket; ping, after how many seconds of silence it is asked; pong, how many it has to answer, with
    whatever it sends.
    """

    __slots__ = ("_clock", "_heard_at", "_ping", "_pinged_at", "_pong", "_socket")

    def __init__(self, socket: "GatewaySocket", ping: float, pong: float) -> None:
        self._socket = socket
        self._ping = ping
        self._pong = pong
        self._heard_at = self._pinged_at = 0.0
        self._clock: Any = None

    def start(self) -> None:
        """The socket is open."""
        self.heard()
        self._look_in(self._ping)

    def stop(self) -> None:
        """The connection is gone."""
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def heard(self) -> None:
        """Something has come."""
        self._heard_at = time.monotonic()

    def _look_in(self, seconds: float) -> None:
        self._clock = self._socket.transport.reactor.callLater(seconds, self._look)

    def _look(self) -> None:
        self._clock = None
        if not self._socket.is_live:
            return  # closing has a limit of its own
        now = time.monotonic()
        if not self._socket.can_answer:
            self._heard_at = now  # it may well have spoken; and one that takes nothing is the outlet's affair
        if self._pinged_at > self._heard_at:
            logger.info("A client gave no sign of life for %s seconds; its socket was ended.", self._pong)
            self._socket.transport.abortConnection()
        elif (left := self._heard_at + self._ping - now) > 0:
            self._look_in(left)
        else:
            self._pinged_at = now
            self._socket.sendPing()
            self._look_in(self._pong)
