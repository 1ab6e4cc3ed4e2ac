"""Server-sent events, read and written, by the WHATWG rules (https://html.spec.whatwg.org/#event-stream-interpretation).

Bytes in, events out: a chunk may end anywhere, in the middle of a character too.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from providers.errors import BrokenAnswer

LARGEST_EVENT = 8 * 1024 * 1024  # bytes that the lines of one event may have together, their ends counted as one each
_WINDOW = 64 * 1024  # bytes that are cut into lines at a time: a line costs more than its bytes
_BOM = b"\xef\xbb\xbf"
_COLON = ord(":")


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `name` is empty where the stream gave none.

    `raw` is filled by a reader with `keep_raw`: the bytes of the stream from the end of the event before to the end of
    this one's blank line, with all that is no data: comments, blank lines, the byte order mark. A line feed that comes
    one piece later than the carriage return before it is the beginning of the next event's.
    """

    data: bytes
    name: str = ""
    raw: bytes = b""


class EventReader:
    """Cuts a byte stream into events, each as soon as its blank line is there.

    What stands after the last blank line is no event: the rules say that an unfinished one is dropped, and `unfinished`
    tells of it. With `keep_raw`, the `raw` of all events and `rest` are together what was fed, at any time.
    """

    def __init__(self, *, keep_raw: bool = False) -> None:
        self._kept = _Kept() if keep_raw else None
        self._line = bytearray()  # the beginning of a line that has not ended
        self._data: bytes | None = None  # the first data line of the event that has not ended
        self._more = bytearray()  # its other data lines, each after a line feed
        self._name = ""
        self._size = 0  # of its lines that have ended
        self._at_start = True  # no line has ended yet, so that the first may begin with a byte order mark
        self._after_return = False  # the last byte was a carriage return: a line feed that follows belongs to it

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """The events that `chunk` completes; to be read to their end before the next chunk is fed.

        Raises BrokenAnswer when an event grows over LARGEST_EVENT; the reader is of no use after that. Comments count
        until they end, and with `keep_raw` all that has come since the last event counts.
        """
        if self._kept:
            self._kept.add(chunk)
        if len(chunk) <= _WINDOW:
            return self._read(chunk)
        return chain.from_iterable(map(self._read, _windows(chunk)))

    @property
    def rest(self) -> bytes:
        """What was fed and is in no event's `raw`. Empty without `keep_raw`."""
        return self._kept.rest if self._kept else b""

    @property
    def unfinished(self) -> bool:
        """Whether data of an event that has not ended is waiting: a stream that ends here was cut.

        Half a line is data if it is a `data` line or may become one. A comment, a name or another field is none.
        """
        line = bytes(self._line[:8])
        if self._at_start:
            line = line.removeprefix(_BOM)
        return self._data is not None or (line != b"" and b"data:".startswith(line[:5]))

    def _read(self, piece: bytes) -> Iterator[Event]:
        kept = self._kept
        end = 0 if kept else 1  # what a line of `lines` is shorter by than it counts
        lines, beginning = self._lines(piece)
        size, data, self._data = self._size, self._data, None
        for line in lines:
            text = line.rstrip(b"\r\n") if kept else line
            size += len(line) + end
            if size > LARGEST_EVENT:
                raise _too_large()
            if text:
                if data is None and (value := text.removeprefix(b"data: ")) != text:
                    data = value
                else:
                    data = self._take(text, data)
                    size -= len(line) + end if text[0] == _COLON and not kept else 0
            elif data is not None:
                whole = self._joined(data) if self._more else data
                yield Event(whole, self._name, kept.cut(size) if kept else b"")
                data, self._name, size = None, "", 0
            else:
                self._name, size = "", size if kept else 0
        self._data, self._size = data, size
        if beginning:
            self._put_aside(beginning)

    def _lines(self, piece: bytes) -> tuple[list[bytes], bytes]:
        """The lines that end in `piece`, with their ends if bytes are kept, and the beginning of another."""
        if self._after_return and piece:
            self._after_return = False
            if piece.startswith(b"\n"):
                piece = piece[1:]
                if self._kept:
                    self._size += 1
        lines = piece.splitlines(self._kept is not None)  # of bytes: at LF, CR and CRLF, and nowhere else
        beginning = b""
        if piece.endswith((b"\n", b"\r")):
            self._after_return = piece.endswith(b"\r")
        elif lines:
            beginning = lines.pop()
        if lines and (self._line or self._at_start):
            lines[0] = self._first(lines[0])
        return lines, beginning

    def _first(self, end: bytes) -> bytes:
        """The whole of the line of which this is the last part. The byte order mark goes, and counts."""
        line = bytes(self._line) + end
        self._line = bytearray()
        if self._at_start:
            self._at_start = False
            if line.startswith(_BOM):
                self._size += len(_BOM)
                return line[len(_BOM) :]
        return line

    def _put_aside(self, beginning: bytes) -> None:
        self._line += beginning
        if self._size + len(self._line) > LARGEST_EVENT:
            raise _too_large()

    def _take(self, line: bytes, data: bytes | None) -> bytes | None:
        """Any line but a blank one. Returns the event's first data line, if it has one by now."""
        field, _, value = line.partition(b":")
        if field == b"data":
            value = value.removeprefix(b" ")
            if data is None:
                return value
            self._more += b"\n"
            self._more += value
        elif field == b"event":
            self._name = value.removeprefix(b" ").decode("utf-8", "replace")
        return data

    def _joined(self, data: bytes) -> bytes:
        """All the data of an event of several lines."""
        data += self._more
        self._more = bytearray()
        return data


class _Kept:
    """The bytes since the end of the last event: those of earlier pieces, and a part of the present piece."""

    def __init__(self) -> None:
        self._earlier = bytearray()
        self._piece = b""
        self._from = 0  # where in the piece the part begins

    def add(self, piece: bytes) -> None:
        self._earlier += self._piece[self._from :]
        self._piece, self._from = piece, 0

    def cut(self, size: int) -> bytes:
        """Takes out as many bytes, which end in the present piece."""
        end = self._from + size - len(self._earlier)
        cut = self._piece[self._from : end]
        self._from = end
        if self._earlier:
            cut = bytes(self._earlier) + cut
            self._earlier = bytearray()
        return cut

    @property
    def rest(self) -> bytes:
        return bytes(self._earlier) + self._piece[self._from :]


def _windows(chunk: bytes) -> Iterator[bytes]:
    """The parts of a large piece; no CRLF is parted."""
    start = 0
    while start < len(chunk):
        end = start + _WINDOW
        if chunk[end - 1 : end + 1] == b"\r\n":
            end += 1
        yield chunk[start:end]
        start = end


def _too_large() -> BrokenAnswer:
    return BrokenAnswer("an event is larger than any that is accepted")


def encode(data: bytes) -> bytes:
    """One event without a name. `data` must be free of line breaks, as compact JSON is."""
    return b"data: " + data + b"\n\n"
