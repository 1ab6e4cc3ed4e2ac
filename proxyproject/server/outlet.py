"""The way out of a connection: who sends waits here for room, and a client that takes nothing at all is let go."""

import asyncio
import logging
import time
from typing import Any

logger = logging.getLogger("gateway.server")

SENDS_PER_TURN = 64  # how many pieces an application may send before others get a turn, even if it waits for nothing
_LOOKS_PER_STALL = 8  # how often a connection that does not take what it is sent is looked at within the limit


class Outlet:
    """What has been written to a connection and not been taken yet.

    Parameters: transport, a PromptTransport; stall, how many seconds it may lie there without one byte being taken.
    """

    __slots__ = ("_flushed", "_moved_at", "_stall", "_transport", "_unsent", "_watch")

    def __init__(self, transport: Any, stall: float) -> None:
        self._transport = transport
        self._stall = stall
        self._flushed: asyncio.Event | None = None
        self._watch: Any = None
        self._unsent = 0
        self._moved_at = 0.0

    async def room(self) -> None:
        """Waits until the client has taken everything, or is gone."""
        if self._flushed is None:
            self._flushed = asyncio.Event()
        await self._flushed.wait()

    def go_on(self) -> None:
        """Lets whoever waits for room go on without."""
        if self._flushed is not None:
            self._flushed.set()
            self._flushed = None

    def flush(self) -> None:
        """Sends what there is, and keeps an eye on what the client does not take."""
        if self._transport.flush():
            self.watch()

    def watch(self) -> None:
        """Keeps an eye on what the client does not take."""
        if self._watch is None:
            self._look_again(self._transport.unsent)

    def stop_watching(self) -> None:
        """The connection is gone, or somebody else's."""
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def _look_again(self, unsent: int) -> None:
        self._unsent, self._moved_at = unsent, time.monotonic()
        self._look_later()

    def _look_later(self) -> None:
        self._watch = self._transport.reactor.callLater(self._stall / _LOOKS_PER_STALL, self._look)

    def _look(self) -> None:
        """Ends a connection that takes nothing at all. One that is slow is let be: it costs no more than its buffer."""
        self._watch = None
        unsent = self._transport.unsent
        if not self._transport.connected or not unsent:
            return
        if unsent != self._unsent:
            self._look_again(unsent)
        elif time.monotonic() - self._moved_at < self._stall:
            self._look_later()
        else:
            logger.info("A client took nothing for %s seconds; its connection was ended.", self._stall)
            self._transport.abortConnection()  # closing it would wait for what cannot be sent
