"""Answers that are read along behind a content encoding."""

import gzip
import random
import zlib
from collections.abc import Callable, Sequence

import pytest

from providers.adapters.codings import unpacked
from providers.adapters.meters import Decoded, Events
from providers.errors import BrokenAnswer, Truncated
from providers.types import Chunk
from tests.unit.test_meters import ADAPTER, RECORDED, USED, halves, told

CODINGS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress, "GZIP": gzip.compress}


@pytest.mark.parametrize("coding", CODINGS)
def test_behind_an_encoding_the_caller_gets_what_came(coding: str) -> None:
    packed = CODINGS[coding](RECORDED)
    for first, second in halves(packed):
        whole = told(Decoded(Events(ADAPTER.read_event), coding), first, second)
        assert (whole.raw, whole.usage, whole.flaw) == (packed, USED, None)
        assert whole.text == 'ሰላም "choices":[] "usage"'


def packed_pieces(*, lie_at: int) -> Sequence[bytes]:
    packed = gzip.compress(RECORDED)
    return packed[:lie_at], b"<html>this is no gzip</html>", packed[lie_at:]


@pytest.mark.parametrize("lie_at", [0, 10, 100])
def test_an_encoding_that_is_a_lie_passes_unread(lie_at: int) -> None:
    pieces = packed_pieces(lie_at=lie_at)
    whole = told(Decoded(Events(ADAPTER.read_event), "gzip"), *pieces)
    assert (whole.raw, whole.usage, whole.flaw) == (b"".join(pieces), None, None)


def test_a_cut_encoding_is_a_cut_answer() -> None:
    packed = gzip.compress(RECORDED)[:150]
    whole = told(Decoded(Events(ADAPTER.read_event), "gzip"), packed)
    assert whole.raw == packed
    assert type(whole.flaw) is Truncated


class Counting:
    """A meter that counts what it sees."""

    withholds = textual = False

    def __init__(self) -> None:
        self.size = self.largest = 0

    def feed(self, piece: bytes) -> Chunk:
        self.size += len(piece)
        self.largest = max(self.largest, len(piece))
        return Chunk(raw=piece)

    def finish(self) -> Chunk:
        return Chunk(end=True)


def test_a_bomb_is_bounded_and_passes() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    blanks = b" " * (1024 * 1024)
    packed = b"".join(packer.compress(blanks) for _ in range(200)) + packer.flush()
    assert len(packed) < 300_000
    seen = Counting()
    assert told(Decoded(seen, "gzip"), packed[:100_000], packed[100_000:]).raw == packed
    assert seen.size <= 64 * 1024 * 1024


def test_a_whole_body_is_unpacked_to_a_size_that_is_bounded() -> None:
    block = random.Random(1).randbytes(1024) + b" " * 31 * 1024  # not so much smaller that this alone is refused
    fits, larger = (gzip.compress(block * 32 * size, 1) for size in (16, 17))
    assert len(unpacked(fits, "gzip")) == 16 * 1024 * 1024
    assert unpacked(larger, "gzip") == larger


def test_where_something_is_withheld_a_lie_about_the_encoding_ends_the_answer() -> None:
    reader = Decoded(Events(ADAPTER.read_event, withhold=lambda event, chunk: chunk.usage is not None), "gzip")
    packed = gzip.compress(RECORDED)
    reader.feed(packed[:50])
    with pytest.raises(BrokenAnswer):
        reader.feed(b"<html>this is no gzip</html>")


def test_what_is_not_known_here_passes_with_all_that_is_in_it() -> None:
    reader = Decoded(Events(ADAPTER.read_event, withhold=lambda event, chunk: True), "br")
    assert not reader.withholds
    whole = told(reader, b"\x8b\x00", b"xyz")
    assert (whole.raw, whole.unread, whole.usage) == (b"\x8b\x00xyz", 5, None)
