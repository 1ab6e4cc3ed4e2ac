"""Server-sent events, read and written, by the WHATWG rules (https://html.spec.whatwg.org/#event-stream-interpretation).

Bytes in, events out: a chunk may end anywhere, in the middle of a character too.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from providers.errors import BrokenAnswer

LARGEST_EVENT = 8 * 1024 * 1024  # bytes that one event may have before it ends
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `name` is empty where the stream gave none."""

    data: bytes
    name: str = ""


class EventReader:
    """Cuts a byte stream into events.

    Raises BrokenAnswer when an event grows over LARGEST_EVENT. What stands after the last blank line is no event: the
    rules say that an unfinished one is dropped, and a cut stream must not look whole.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []
        self._size = 0
        self._name = ""
        self._at_start = True

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Yields the events that `chunk` completes."""
        text = self._rest + chunk
        if self._at_start:
            if len(text) < len(_BOM) and _BOM.startswith(text):
                self._rest = text
                return
            text = text.removeprefix(_BOM)
            self._at_start = False
        # A carriage return at the very end may be half of a CRLF: it waits for the next chunk.
        held = b"\r" if text.endswith(b"\r") else b""
        body = text[: len(text) - len(held)]
        if b"\r" in body:
            body = body.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, last = body.split(b"\n")
        self._rest = last + held
        if len(self._rest) + self._size > LARGEST_EVENT:
            raise BrokenAnswer("an event is larger than any that is accepted")
        for line in lines:
            event = self._take(line)
            if event is not None:
                yield event

    def _take(self, line: bytes) -> Event | None:
        if not line:
            event = Event(b"\n".join(self._data), self._name) if self._data else None
            self._data, self._size, self._name = [], 0, ""
            return event
        field, _, value = line.partition(b":")
        if field == b"data":
            self._data.append(value.removeprefix(b" "))
            self._size += len(value)
        elif field == b"event":
            self._name = value.removeprefix(b" ").decode("utf-8", "replace")
        return None


def encode(data: bytes) -> bytes:
    """One event without a name. `data` must be free of line breaks, as compact JSON is."""
    return b"data: " + data + b"\n\n"
