"""The messages of a socket that its application has not taken yet."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any


class Inbox:
    """A bounded queue between a socket and its application. Whoever fills it asks first whether it is full.

    Parameters: most_messages and most_bytes, from which on it is full; on_room, called when something was taken.
    """

    __slots__ = ("_arrived", "_bytes", "_messages", "_most_bytes", "_most_messages", "_on_room")

    def __init__(self, most_messages: int, most_bytes: int, on_room: Callable[[], None]) -> None:
        self._most_messages = most_messages
        self._most_bytes = most_bytes
        self._on_room = on_room
        self._messages: deque[tuple[int, dict[str, Any]]] = deque()
        self._bytes = 0
        self._arrived = asyncio.Event()

    @property
    def is_full(self) -> bool:
        return len(self._messages) >= self._most_messages or self._bytes >= self._most_bytes

    def put(self, message: dict[str, Any], size: int = 0) -> None:
        """Adds a message whose payload has `size` bytes. What tells of a beginning or an end is always let in."""
        self._messages.append((size, message))
        self._bytes += size
        self._arrived.set()

    async def get(self) -> dict[str, Any]:
        """ASGI's receive(). A text is decoded here, for it may take four times the room then."""
        while not self._messages:
            self._arrived.clear()
            await self._arrived.wait()
        size, message = self._messages.popleft()
        self._bytes -= size
        self._on_room()
        text = message.get("text")
        return message if text is None else {**message, "text": text.decode()}
