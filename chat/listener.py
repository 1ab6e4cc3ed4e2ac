"""The one who waits for an answer at a socket: what becomes of it when they leave, as over HTTP."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from providers import kept
from providers.caller import READ_ON_BYTES, READ_ON_SECONDS, Caller
from providers.models.kept import KeptState
from providers.ndjson import encode
from providers.types import OnDisconnect
from storage.errors import StorageUnavailable

logger = logging.getLogger("gateway.calls")

_HEADERS = [("content-type", "application/x-ndjson")]


class Listener(Caller):
    """Hears the events of one answer. When they leave, it is cancelled or read on, as the provider wants it.

    What is kept for them is these events, one a line.

    Parameters: cancel, which ends the answer.
    """

    def __init__(self, cancel: Callable[[], None]) -> None:
        super().__init__()
        self._cancel = cancel
        self._due: asyncio.TimerHandle | None = None
        self._unheard = 0  # bytes since they left
        self._body = bytearray()
        self._state = KeptState.CUT  # until the end has come

    def leave(self) -> None:
        """They have gone; harmless the second time."""
        if self.left:
            return
        self.left = True
        if self.on_disconnect == OnDisconnect.CANCEL:
            self._cancel()
        else:
            self._due = asyncio.get_running_loop().call_later(READ_ON_SECONDS, self._cancel)

    def end(self) -> None:
        """Nothing more comes."""
        if self._due is not None:
            self._due.cancel()

    def hear(self, event: Mapping[str, Any], *, is_last: bool = False) -> None:
        """Notes what they are sent, or would be."""
        if not self.left and self.on_disconnect != OnDisconnect.KEEP:
            return
        line = encode(orjson.dumps(event))
        if self.left:
            self._unheard += len(line)
            if self._unheard > READ_ON_BYTES:
                self._cancel()
        if self.on_disconnect == OnDisconnect.KEEP and self._state != KeptState.TOO_LARGE:
            self._note(line, is_last=is_last)

    def _note(self, line: bytes, *, is_last: bool) -> None:
        self._body += line
        if len(self._body) > kept.LARGEST_BODY:
            self._body.clear()
            self._state = KeptState.TOO_LARGE
        elif is_last:
            self._state = KeptState.WHOLE

    async def announce(self) -> None:
        """Notes that the answer will be kept for them, where the provider wants that."""
        if self.left and self.call is not None and self.on_disconnect == OnDisconnect.KEEP:
            try:
                await kept.announce(*self.call)
            except StorageUnavailable as error:  # then who asks early hears that nothing is kept
                logger.warning("It could not be noted that an answer will be kept: %s", error)

    async def keep(self) -> None:
        """Writes down what came after all, where the provider wants that."""
        if self.left and self.call is not None and self.on_disconnect == OnDisconnect.KEEP:
            answer = kept.Answer(self._state, 200, _HEADERS, bytes(self._body))
            try:
                await asyncio.shield(kept.keep(*self.call, answer))
            except StorageUnavailable as error:
                logger.error("An answer could not be kept: %s", error)
