"""The client of one request in the gateway lane: whether it is still there, and what becomes of its answer when not."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, cast

from accounts.calls import Hold
from providers import kept
from providers.caller import CLIENT_LEFT, READ_ON_BYTES, READ_ON_SECONDS, Caller
from providers.models.kept import KeptState
from providers.types import OnDisconnect
from proxyproject.request_log import Receive, Send
from storage.errors import StorageUnavailable
from web import answer_headers, rate_limits

_WATCHED_AFTER = 0.1  # seconds

logger = logging.getLogger("gateway.calls")


class Client(Caller):
    """Watches for the client's leaving, and does then what the provider says that is being asked.

    To cancel, it cancels the task that serves the request. To read on, it lets that task go on as if somebody read
    very fast, and drops what it sends, or keeps it; after READ_ON_SECONDS or READ_ON_BYTES it cancels all the same.

    It looks only at what takes longer than _WATCHED_AFTER: most calls are over by then, and a task for each costs. But
    where an answer shall be read on, it looks at once.
    """

    def __init__(self, receive: Receive, send: Send) -> None:
        super().__init__()
        self._receive = receive
        self._send = send
        self._serving = cast("asyncio.Task[None]", asyncio.current_task())
        self._answered = self._cancelled = False
        self._dropped = 0  # bytes
        self._recording: _Recording | None = None
        self._watching: asyncio.Task[None] | None = None
        self._due = asyncio.get_running_loop().call_later(_WATCHED_AFTER, self._watch)

    def admitted(self, hold: Hold) -> None:
        super().admitted(hold)
        told = [("x-call-id", str(hold.call_id))]
        if hold.admission.surface != "proxy":  # there the headers are the vendor's
            told += rate_limits.headers(hold.grant.standings, hold.opened_at)
        answer_headers.add(told)

    def asks(self, on_disconnect: OnDisconnect) -> None:
        super().asks(on_disconnect)
        if on_disconnect != OnDisconnect.CANCEL:
            self._watch()
        if on_disconnect == OnDisconnect.KEEP:
            self._recording = self._recording or _Recording()

    @property
    def read_on(self) -> bool:
        """Whether what is served now goes on without the client."""
        return self.on_disconnect != OnDisconnect.CANCEL

    def _watch(self) -> None:
        if self._watching is None:
            self._watching = asyncio.ensure_future(self._wait())

    async def _wait(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._leave()
        if self.left and self.call is not None and self.on_disconnect == OnDisconnect.KEEP:
            try:
                await kept.announce(*self.call)
            except StorageUnavailable as error:  # then who asks early hears that nothing is kept
                logger.warning("It could not be noted that an answer will be kept: %s", error)

    def _leave(self) -> None:
        if self._answered or self.left:  # servers report the end of a response as a disconnect too
            return
        self.left = True
        if self.read_on:
            self._due.cancel()
            self._due = asyncio.get_running_loop().call_later(READ_ON_SECONDS, self._cancel)
        else:
            self._cancel()

    def _cancel(self) -> None:
        self._cancelled = True
        self._serving.cancel(CLIENT_LEFT)

    async def send(self, message: Mapping[str, Any]) -> None:
        """Sends for as long as there is a client; for answers that are read on without one."""
        if self._recording is not None:
            self._recording.note(message)
        if not self.left:
            self._answered = _is_last(message)
            try:
                await self._send(message)
            except OSError:  # how ASGI servers say that the connection is gone
                self._answered = False
                self._leave()
            return
        self._dropped += len(message.get("body", b""))
        if self._dropped > READ_ON_BYTES:
            self._cancel()
            await asyncio.sleep(0)  # where the cancel arrives

    def take_cancel_back(self) -> bool:
        """Takes back the cancel of the serving task; False where it was not this that cancelled it, or not alone."""
        return self._cancelled and not self._serving.uncancel()

    def end(self) -> None:
        """The request was served."""
        self._due.cancel()
        if self._watching is not None:
            self._watching.cancel()

    async def keep(self) -> None:
        """Writes down what came of the call that the client has left, where the provider wants that kept."""
        if self._recording is None or self.call is None or self.on_disconnect != OnDisconnect.KEEP:
            return
        try:
            await asyncio.shield(kept.keep(*self.call, self._recording.answer()))
        except StorageUnavailable as error:
            logger.error("An answer could not be kept: %s", error)


class _Recording:
    """An answer as it is sent, up to the size that is kept."""

    def __init__(self) -> None:
        self._status = 0
        self._headers: list[tuple[str, str]] = []
        self._body = bytearray()
        self._state = KeptState.CUT  # until its end has come

    def note(self, message: Mapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = [(name.decode("ascii"), value.decode("latin-1")) for name, value in message["headers"]]
        elif self._state != KeptState.TOO_LARGE:
            self._body += message.get("body", b"")
            if len(self._body) > kept.LARGEST_BODY:
                self._body.clear()
                self._state = KeptState.TOO_LARGE
            elif _is_last(message):
                self._state = KeptState.WHOLE

    def answer(self) -> kept.Answer:
        return kept.Answer(self._state, self._status, self._headers, bytes(self._body))


def _is_last(message: Mapping[str, Any]) -> bool:
    return message["type"] == "http.response.body" and not message.get("more_body")
