"""How a vendor's stream is cut into events, for all but server-sent events as the standard has them."""

from collections.abc import Iterator
from typing import Protocol

from providers.ndjson import LineReader
from providers.sse import Event, EventReader


class StreamReader(Protocol):
    """Bytes in, events out. Raises BrokenAnswer for an event that is larger than any that is accepted."""

    def feed(self, chunk: bytes, /) -> Iterator[Event]:
        """The events that `chunk` completes; to be read to their end before the next chunk is fed."""
        ...

    def finish(self) -> Iterator[Event]:
        """The events that only the end of the stream completes."""
        ...


class ServerSentEvents(EventReader):
    """The standard's framing, in which the end of the stream completes nothing."""

    def finish(self) -> Iterator[Event]:
        return iter(())


class EventLines:
    """One event on each line, with `data:` before it or without: JSON lines, and server-sent events of one line each.

    An `event:` line names the next event. Lines that are neither that nor data nor a JSON object say nothing.
    """

    def __init__(self) -> None:
        self._lines = LineReader()
        self._name = ""

    def feed(self, chunk: bytes, /) -> Iterator[Event]:
        for line in self._lines.feed(chunk):
            yield from self._event(line)

    def finish(self) -> Iterator[Event]:
        """The last line, where it has no end."""
        last = self._lines.finish()
        if last is not None:
            yield from self._event(last)

    def _event(self, line: bytes) -> Iterator[Event]:
        field, colon, value = line.partition(b":")
        if line.startswith((b"{", b"[DONE]")):
            data = line
        elif colon and field == b"data":
            data = value.strip()
        elif colon and field == b"event":
            self._name = value.strip().decode("utf-8", "replace")
            return
        else:
            return
        name, self._name = self._name, ""
        if data:
            yield Event(data, name)
