"""Newline-delimited JSON, read and written (https://github.com/ndjson/ndjson-spec): one document on each line.

Bytes in, lines out: a chunk may end anywhere, in the middle of a character too.
"""

from collections.abc import Iterator

from providers.errors import BrokenAnswer
from providers.sse import LARGEST_EVENT

_SPACE = b" \t\r\n"  # what JSON takes for space


class LineReader:
    """Cuts a byte stream into the lines that say something, without the space around them. They end at LF or CRLF.

    A line with more than LARGEST_EVENT bytes before its line feed raises BrokenAnswer; the reader is of no use after
    that.
    """

    def __init__(self) -> None:
        self._line = bytearray()  # the beginning of a line that has not ended

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yields the lines that end in `chunk`; to be read to their end before the next chunk is fed."""
        start = 0
        while (end := chunk.find(b"\n", start)) >= 0:
            self._check(end - start)
            line = chunk[start:end]
            start = end + 1
            if self._line:
                line = bytes(self._line) + line
                self._line = bytearray()
            line = line.strip(_SPACE)
            if line:
                yield line
        self._check(len(chunk) - start)
        self._line += chunk[start:]

    def finish(self) -> bytes | None:
        """The last line, if it says something and has no end. To be asked for when the stream has ended."""
        line = bytes(self._line).strip(_SPACE)
        self._line = bytearray()
        return line or None

    def _check(self, more: int) -> None:
        if len(self._line) + more > LARGEST_EVENT:
            raise BrokenAnswer("a line is larger than any that is accepted")


def encode(data: bytes) -> bytes:
    """One line. `data` must be free of line breaks, as compact JSON is."""
    return data + b"\n"
