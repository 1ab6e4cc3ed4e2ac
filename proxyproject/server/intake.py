"""What has come over a socket and has not been parsed yet."""

import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from proxyproject.server.websocket import GatewaySocket

logger = logging.getLogger("gateway.server")

_STEPS_PER_TURN = 128  # of the parser, which takes two for a frame, before others get a turn: some milliseconds
_PIECE = 8192  # bytes; the parser copies what it has been given for every frame that it takes off


class Intake:
    """Gives autobahn's parser what has come, in small pieces, a few frames at a time and only while they are taken.

    Meanwhile nothing more is read from the connection, so that no more than one read's bytes wait here.
    """

    __slots__ = ("_is_due", "_is_hungry", "_socket", "_transport", "_waiting", "is_paused")

    def __init__(self, socket: "GatewaySocket", transport: Any) -> None:
        self._socket = socket
        self._transport = transport
        self._waiting = bytearray()
        self._is_hungry = True  # whether the parser has nothing that it could go on with
        self._is_due = False
        self.is_paused = False

    def add(self, data: bytes) -> None:
        """Something has come."""
        self._waiting += data
        if not self._is_due:
            self._read()

    def go_on(self) -> None:
        """There may be room again: goes on in a turn of its own."""
        if self.is_paused and not self._is_due:
            self._is_due = True
            self._transport.reactor._asyncioEventloop.call_soon(self._read_on)

    def _read_on(self) -> None:
        self._is_due = False
        try:
            self._read()
        except Exception:
            logger.exception("What came over a socket could not be read.")
            self._transport.abortConnection()

    def _read(self) -> None:
        for _ in range(_STEPS_PER_TURN):
            if self._socket.is_deaf:
                self._waiting.clear()
                break
            if not self._socket.is_taking:
                self._pause()
                return
            if self._is_hungry and not self._waiting:
                break
            self._step()
        else:
            self._pause()
            self.go_on()
            return
        if self.is_paused:
            self.is_paused = False
            self._transport.resumeProducing()

    def _step(self) -> None:
        if self._is_hungry:
            self._socket.data += bytes(self._waiting[:_PIECE])
            del self._waiting[:_PIECE]
        self._is_hungry = not self._socket.processData()

    def _pause(self) -> None:
        if not self.is_paused:
            self.is_paused = True
            self._transport.pauseProducing()
