"""Content encodings, as far as zlib can take them away, and without trust in what is inside.

Source: RFC 9110 section 8.4.
"""

import zlib
from collections.abc import Iterator

_WINDOW = 64 * 1024  # bytes that are decoded at a time
_ALWAYS = 1024 * 1024  # bytes that anything may grow to
_LARGEST = 16 * 1024 * 1024  # bytes that a body which is unpacked whole may grow to
_GROWTH = 100  # times its size that more than that may grow to; JSON grows by 20
_WITH_HEADER = {"gzip": 31, "x-gzip": 31, "deflate": 15}  # zlib's numbers for what it shall expect
_BARE = -15  # what some servers mean by deflate


class Unreadable(Exception):
    """It is encoded in another way than was said, in one that is not known here, or grows out of all proportion."""


class Unpacker:
    """Takes one or several encodings away, a piece at a time.

    Parameters: codings, the value of a Content-Encoding header; most, bytes that it may grow to in all.
    """

    def __init__(self, codings: str, most: int | None = None) -> None:
        self._names = _named(codings)
        self._names.reverse()  # what was done last comes off first
        self._left = most
        self._decoders: list[zlib._Decompress | None] = [None] * len(self._names)
        self._room = _ALWAYS

    def feed(self, piece: bytes) -> bytes:
        """What `piece` adds to the plain bytes. Raises Unreadable; it is of no use after that."""
        self._room += len(piece) * _GROWTH
        plain = bytearray()
        try:
            for part in self._without(0, piece):
                plain += part
        except zlib.error as error:
            raise Unreadable("not encoded as it says") from error
        return bytes(plain)

    def _without(self, layer: int, piece: bytes) -> Iterator[bytes]:
        """The piece without the encodings from a layer on inwards."""
        if layer == len(self._names):
            yield piece
            return
        decoder = self._decoders[layer] or self._begin(layer, piece)
        more = bool(piece)
        while more:
            plain = decoder.decompress(piece, _WINDOW)
            self._room -= len(plain)
            if self._left is not None:
                self._left -= len(plain)
            if self._room < 0 or (self._left is not None and self._left < 0):
                raise Unreadable("out of all proportion")
            piece = decoder.unconsumed_tail
            more = bool(piece) or len(plain) == _WINDOW
            yield from self._without(layer + 1, plain)

    def _begin(self, layer: int, piece: bytes) -> "zlib._Decompress":
        window = _WITH_HEADER.get(self._names[layer])
        if window is None:
            raise Unreadable("not known here")
        if window == 15 and piece and piece[0] & 0x0F != 8:  # RFC 1950 section 2.2: the method is 8
            window = _BARE
        decoder = self._decoders[layer] = zlib.decompressobj(window)
        return decoder


def _named(codings: str) -> list[str]:
    return [name for part in codings.split(",") if (name := part.strip().lower()) not in {"", "identity"}]


def known(codings: str) -> bool:
    """Whether all of these encodings can be taken away here, if the body is what they say."""
    return set(_named(codings)) <= _WITH_HEADER.keys()


def unpacked(body: bytes, codings: str) -> bytes:
    """A whole body without its content encodings; as it is, where they cannot be taken away or too much comes out."""
    try:
        return Unpacker(codings, _LARGEST).feed(body)
    except Unreadable:
        return body
