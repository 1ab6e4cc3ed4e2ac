"""Reading a relayed answer along, for what it used, without changing it.

A meter is fed the pieces of an answer as they pass and says of each what the caller gets and what was learned. The one
thing that it may hold back is an event that the caller did not ask for.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Protocol

from providers.adapters.codings import Unpacker, Unreadable
from providers.errors import BrokenAnswer, Truncated
from providers.sse import Event, EventReader
from providers.types import Chunk, Usage

_LARGEST_DOCUMENT = 16 * 1024 * 1024  # bytes of a document that are kept for reading; of a larger one, nothing is


class Meter(Protocol):
    """Sees every piece of a relayed answer. `withholds`: the caller may get less of it than came."""

    withholds: bool

    def feed(self, piece: bytes) -> Chunk:
        """What the caller gets of this piece (`raw`), with what it says."""
        ...

    def finish(self) -> Chunk:
        """The end, with what only the whole says, and with `flaw` where the answer is not whole."""
        ...


class Unread:
    """For an answer that says nothing of its use: a list, a file, audio. `usage` is known from elsewhere, or nothing.

    With `usage` None the use is estimated.
    """

    withholds = False

    def __init__(self, usage: Usage | None) -> None:
        self._usage = usage

    def feed(self, piece: bytes) -> Chunk:
        return Chunk(raw=piece)

    def finish(self) -> Chunk:
        return Chunk(usage=self._usage, end=True)


class Document:
    """For an answer that is one document, read once it is whole. `read` raises BrokenAnswer for what it cannot read."""

    withholds = False

    def __init__(self, read: Callable[[bytes], Chunk]) -> None:
        self._read = read
        self._pieces: list[bytes] = []
        self._size = 0

    def feed(self, piece: bytes) -> Chunk:
        self._size += len(piece)
        if self._size <= _LARGEST_DOCUMENT:
            self._pieces.append(piece)
        else:
            self._pieces.clear()
        return Chunk(raw=piece)

    def finish(self) -> Chunk:
        if self._size > _LARGEST_DOCUMENT:
            return Chunk(end=True)
        try:
            read = self._read(b"".join(self._pieces))
        except BrokenAnswer as flaw:
            return Chunk(end=True, flaw=flaw)
        return read if read.end else replace(read, end=True)


class Events:
    """For an answer that is a stream of events.

    Parameters: read, what an event says; ends, whether its format has an end mark, without which the answer is cut;
    withhold, which events the caller does not get.
    """

    def __init__(
        self,
        read: Callable[[Event], Iterator[Chunk]],
        *,
        ends: bool = True,
        withhold: Callable[[Event, Chunk], bool] | None = None,
    ) -> None:
        self.withholds = withhold is not None
        self._read = read
        self._withhold = withhold
        self._reader: EventReader | None = EventReader(keep_raw=withhold is not None)
        self._passing = _Passing()
        self._finished = not ends
        self._flaw: BrokenAnswer | None = None

    def feed(self, piece: bytes) -> Chunk:
        reader = self._reader
        if reader is None:
            return Chunk(raw=piece)
        kept: list[bytes] = []
        said: list[Chunk] = []
        unread = b""
        try:
            for event in reader.feed(piece):
                unread = event.raw
                chunk = summary(self._read(event))
                said.append(chunk)
                if self._withhold is not None:
                    kept.append(self._passing.take(event.raw, withheld=self._withhold(event, chunk)))
                unread = b""
        except BrokenAnswer as flaw:  # from here on the answer passes as it is
            self._flaw, self._finished, self._reader = flaw, True, None
            kept.append(self._passing.take(unread + reader.rest, withheld=False))
        whole = summary(said)
        self._finished = self._finished or whole.end or whole.finish_reason is not None
        return replace(whole, raw=piece if self._withhold is None else b"".join(kept), end=False)

    def finish(self) -> Chunk:
        rest = self._passing.take(self._reader.rest, withheld=False) if self._reader is not None else b""
        flaw = self._flaw or (None if self._finished else Truncated("the stream ended without its end mark"))
        return Chunk(raw=rest, end=True, flaw=flaw)


class _Passing:
    """The bytes of a stream without those of the events that are withheld.

    A line feed that comes a piece later than the carriage return before it is among the next event's bytes. It goes
    the way of the event that it ends.
    """

    def __init__(self) -> None:
        self._after_return = self._withheld = False

    def take(self, raw: bytes, *, withheld: bool) -> bytes:
        """What the caller gets of these bytes: of an event, or of what comes after the last."""
        late = b"\n" if self._after_return and raw.startswith(b"\n") else b""
        passed = b"" if self._withheld else late
        self._after_return, self._withheld = raw.endswith(b"\r"), withheld
        return passed if withheld else passed + raw[len(late) :]


def summary(chunks: Iterable[Chunk]) -> Chunk:
    """Several chunks as one: their text together, and the last that each says of anything else."""
    whole: Chunk | None = None
    for chunk in chunks:
        if whole is None:
            whole = chunk
            continue
        whole = replace(
            chunk,
            text=whole.text + chunk.text,
            reasoning=whole.reasoning + chunk.reasoning,
            tool_calls=whole.tool_calls + chunk.tool_calls,
            finish_reason=chunk.finish_reason or whole.finish_reason,
            usage=chunk.usage or whole.usage,
            model=chunk.model or whole.model,
            end=whole.end or chunk.end,
            raw=whole.raw + chunk.raw,
            flaw=chunk.flaw or whole.flaw,
        )
    return whole or Chunk()


class Decoded:
    """Another meter behind content encodings: the caller gets what came, the meter sees it decoded.

    What cannot be decoded, or grows out of all proportion, is passed on unread.
    """

    withholds = False

    def __init__(self, inner: Meter, codings: str) -> None:
        self._inner: Meter = inner
        self._unpacker = Unpacker(codings)

    def feed(self, piece: bytes) -> Chunk:
        try:
            plain = self._unpacker.feed(piece)
        except Unreadable:
            self._inner, self._unpacker = Unread(None), Unpacker("")
            return Chunk(raw=piece)
        return replace(self._inner.feed(plain), raw=piece) if plain else Chunk(raw=piece)

    def finish(self) -> Chunk:
        return replace(self._inner.finish(), raw=b"")
