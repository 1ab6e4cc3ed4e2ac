"""What the client of a socket is still to be sent. A slow one is sent more at once, and not more in all."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

MOST_WAITING = 64 * 1024  # characters of text, from which on more has to wait


@dataclass(slots=True)
class _Entry:
    """An event, or with a close code the end. pieces: of text that go out together as its content."""

    event: dict[str, Any] = field(default_factory=dict)
    pieces: list[str] | None = None
    close: int | None = None

    def encoded(self) -> str:
        event = self.event if self.pieces is None else {**self.event, "content": "".join(self.pieces)}
        return orjson.dumps(event).decode()


class Outbox:
    """A queue before a socket. Text of one kind that waits in it is joined, and more than MOST_WAITING is not let in.

    Parameters: send, which waits until there is room for more; close, which is given the close code.
    """

    def __init__(self, send: Callable[[str], Awaitable[None]], close: Callable[[int], Awaitable[None]]) -> None:
        self._send = send
        self._close = close
        self._entries: deque[_Entry] = deque()
        self._size = 0  # characters
        self._arrived = asyncio.Event()
        self._has_room = asyncio.Event()
        self._has_room.set()
        self.is_closing = False

    async def room(self) -> None:
        """Waits until more may be put in."""
        await self._has_room.wait()

    async def add(self, kind: str, id: str, text: str) -> None:
        """A piece of an answer's text. Waits for room first."""
        await self.room()
        if self.is_closing:
            return
        event, last = {"type": kind, "id": id}, self._entries[-1] if self._entries else None
        if last is not None and last.pieces is not None and last.event == event:
            last.pieces.append(text)
        else:
            self._entries.append(_Entry(event, [text]))
            self._arrived.set()
        self._size += len(text)
        if self._size >= MOST_WAITING:
            self._has_room.clear()

    def put(self, event: Mapping[str, Any]) -> None:
        """A whole event. Waits for nothing; who puts in many asks for room first."""
        if not self.is_closing:
            self._entries.append(_Entry(dict(event)))
            self._size += 1
            self._arrived.set()

    def close(self, code: int) -> None:
        """Nothing follows what is there already but the end. The first to say so decides on the code."""
        if not self.is_closing:
            self._entries.append(_Entry(close=code))
            self._arrived.set()
            self.is_closing = True

    def forget(self) -> None:
        """There is nobody to be sent anything any more."""
        self.is_closing = True
        self._entries.clear()
        self._entries.append(_Entry())
        self._arrived.set()
        self._has_room.set()

    async def deliver(self) -> None:
        """Sends until the end was sent, or there is nobody to send to."""
        while True:
            await self._arrived.wait()
            entry = self._entries.popleft()
            if not self._entries:
                self._arrived.clear()
            try:
                if entry.close is not None:
                    await self._close(entry.close)
                if not entry.event:
                    return
                await self._send(entry.encoded())
            except OSError:  # how ASGI servers say that the connection is gone
                self.forget()
            self._size -= 1 if entry.pieces is None else sum(map(len, entry.pieces))
            if self._size < MOST_WAITING:
                self._has_room.set()
