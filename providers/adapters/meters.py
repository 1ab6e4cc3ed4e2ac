"""Reading a relayed answer along, for what it used, without changing it.

A meter is fed the pieces of an answer as they pass and says of each what the caller gets and what was learned. The one
thing that it may hold back is an event that the caller did not ask for.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Protocol

import httpx

from providers.adapters.codings import Unpacker, Unreadable, known
from providers.adapters.json_values import document
from providers.asks import QUEUED
from providers.errors import BrokenAnswer, Truncated
from providers.paths import is_free
from providers.sse import Event, EventReader
from providers.types import Chunk, NativeRequest, Usage

_LARGEST_DOCUMENT = 16 * 1024 * 1024  # bytes of a document that are kept for reading; of a larger one, nothing is
_UNMADE = ("queued", "in_progress")  # https://platform.openai.com/docs/guides/background
_WRAPPERS = ("response", "message", "data")  # what some answers and events have their usage in


class Meter(Protocol):
    """Sees every piece of a relayed answer.

    withholds: the caller may get less of it than came. textual: where it cannot be read, its length is what is known.
    """

    withholds: bool
    textual: bool

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
    textual = False

    def __init__(self, usage: Usage | None) -> None:
        self._usage = usage

    def feed(self, piece: bytes) -> Chunk:
        return Chunk(raw=piece)

    def finish(self) -> Chunk:
        return Chunk(usage=self._usage, end=True)


class Document:
    """For an answer that is one document, read once it is whole. `read` raises BrokenAnswer for what it cannot read.

    textual: what it costs grows with its length, so that by this it is estimated when it cannot be read.
    """

    withholds = False

    def __init__(self, read: Callable[[bytes], Chunk], *, textual: bool = False) -> None:
        self.textual = textual
        self._read = read
        self._pieces: list[bytes] = []
        self._size = 0

    def feed(self, piece: bytes) -> Chunk:
        self._size += len(piece)
        if self._size <= _LARGEST_DOCUMENT:
            self._pieces.append(piece)
        else:
            self._pieces.clear()
        return Chunk(raw=piece, unread=self._unread)

    def finish(self) -> Chunk:
        if self._size > _LARGEST_DOCUMENT:
            return Chunk(end=True, unread=self._unread)
        try:
            read = self._read(b"".join(self._pieces))
        except BrokenAnswer as flaw:
            return Chunk(end=True, flaw=flaw, unread=self._unread)
        return read if read.end else replace(read, end=True)

    @property
    def _unread(self) -> int:
        return self._size if self.textual else 0


class Events:
    """For an answer that is a stream of events.

    Parameters: read, what an event says; ends, whether its format has an end mark, without which the answer is cut;
    withhold, which events the caller does not get; textual, as for a Document.
    """

    def __init__(
        self,
        read: Callable[[Event], Iterator[Chunk]],
        *,
        ends: bool = True,
        withhold: Callable[[Event, Chunk], bool] | None = None,
        textual: bool = True,
    ) -> None:
        self.withholds = withhold is not None
        self.textual = textual
        self._read = read
        self._withhold = withhold
        self._reader: EventReader | None = EventReader(keep_raw=withhold is not None)
        self._passing = _Passing()
        self._finished = not ends
        self._flaw: BrokenAnswer | None = None
        self._unread = 0

    def feed(self, piece: bytes) -> Chunk:
        reader = self._reader
        if reader is None:
            self._unread += len(piece) if self.textual else 0
            return Chunk(raw=piece, unread=self._unread)
        kept: list[bytes] = []
        said: list[Chunk] = []
        unread = b""
        try:
            for event in reader.feed(piece):
                unread, before = event.raw, len(said)
                said.extend(self._read(event))  # what was said before an error in the same event counts
                if self._withhold is not None:
                    withheld = self._withhold(event, summary(said[before:]))
                    kept.append(self._passing.take(event.raw, withheld=withheld))
                unread = b""
        except BrokenAnswer as flaw:  # from here on the answer passes as it is
            self._flaw, self._finished, self._reader = flaw, True, None
            kept.append(self._passing.take(unread + reader.rest, withheld=False))
            self._unread = len(piece) if self.textual else 0
        whole = summary(said)
        self._finished = self._finished or whole.end or whole.finish_reason is not None
        raw = piece if self._withhold is None else b"".join(kept)
        return replace(whole, raw=raw, end=False, unread=self._unread)

    def finish(self) -> Chunk:
        rest = self._passing.take(self._reader.rest, withheld=False) if self._reader is not None else b""
        flaw = self._flaw or (None if self._finished else Truncated("the stream ended without its end mark"))
        return Chunk(raw=rest, end=True, flaw=flaw, unread=self._unread)


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
            pieces=whole.pieces * whole.says + chunk.pieces * chunk.says or 1,
        )  # `unread` is a sum already
    return whole or Chunk()


class Decoded:
    """Another meter behind content encodings: the caller gets what came, the meter sees it decoded.

    What cannot be decoded, or grows out of all proportion, is passed on unread. Where the other meter withholds, and
    the encodings are known here, the caller gets it decoded too, for of what is encoded no part can be taken out; then
    `feed` raises BrokenAnswer for what cannot be decoded.
    """

    def __init__(self, inner: Meter, codings: str) -> None:
        self.textual = inner.textual
        self.withholds = inner.withholds and known(codings)
        self._inner: Meter = inner
        self._unpacker: Unpacker | None = Unpacker(codings)
        self._unread = 0

    def feed(self, piece: bytes) -> Chunk:
        if self._unpacker is not None:
            try:
                plain = self._unpacker.feed(piece)
            except Unreadable as error:
                if self.withholds:
                    raise BrokenAnswer("the answer's content-encoding is not true") from error
                self._inner, self._unpacker = Unread(None), None
            else:
                fed = self._inner.feed(plain) if plain else Chunk(unread=self._unread)
                self._unread = fed.unread
                return fed if self.withholds else replace(fed, raw=piece)
        self._unread += len(piece) if self.textual else 0
        return Chunk(raw=piece, unread=self._unread)

    def finish(self) -> Chunk:
        last = self._inner.finish()
        if self._unpacker is None:
            return replace(last, unread=self._unread)
        return last if self.withholds else replace(last, raw=b"")


class Reported:
    """For the answer of a path that nothing is known of: it used what it says it did.

    Where it says nothing, a path that is known to be free used nothing; of any other, what passed is what is known.
    Parameters: read, what a JSON object reports, or None.
    """

    withholds = False

    def __init__(
        self, request: NativeRequest, head: httpx.Response, read: Callable[[Mapping[str, Any]], Usage | None]
    ) -> None:
        kind = head.headers.get("content-type", "").lower().partition(";")[0].strip()
        free = is_free(request.plain_path)
        self.textual = not free and (kind.startswith("text/") or kind.endswith("json") or not kind)
        self._read = read
        self._usage = Usage() if free else None
        self._unread = 0
        self._inner: Meter = Unread(None)
        if kind == "text/event-stream":
            self._inner = Events(lambda event: iter((self._said(event.data),)))
        elif kind.endswith("json"):
            self._inner = Document(self._said)

    def feed(self, piece: bytes) -> Chunk:
        self._usage = self._inner.feed(piece).usage or self._usage
        self._unread += len(piece) if self.textual else 0
        return Chunk(raw=piece, usage=self._usage, unread=self._unread)

    def finish(self) -> Chunk:
        last = self._inner.finish()
        self._usage = last.usage or self._usage
        made_later = last.finish_reason if self._usage is None else None
        return Chunk(finish_reason=made_later, usage=self._usage, end=True, unread=self._unread)

    def _said(self, data: bytes) -> Chunk:
        try:
            answer = document(data)
            wrapped = next((one for name in _WRAPPERS if isinstance(one := answer.get(name), dict)), {})
            used = self._read(answer) or self._read(wrapped)
            return Chunk(finish_reason=QUEUED if used is None and is_unmade(answer) else None, usage=used)
        except BrokenAnswer:
            return Chunk()


def is_unmade(answer: Mapping[str, Any]) -> bool:
    """Whether a document is not the answer yet, but a promise of it."""
    return answer.get("status") in _UNMADE
