"""Newline-delimited JSON, however the bytes are cut."""

import time
import tracemalloc
from collections.abc import Callable, Iterable
from itertools import chain, pairwise, repeat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.errors import BrokenAnswer
from providers.ndjson import LineReader, encode
from providers.sse import LARGEST_EVENT

MIB = 1 << 20


def read(stream: bytes, places: Iterable[int] = ()) -> tuple[list[bytes], bytes | None]:
    """The lines of a stream that is cut at these places, and what `finish` says."""
    reader = LineReader()
    bounds = [0, *sorted(places), len(stream)]
    lines = [line for start, end in pairwise(bounds) for line in reader.feed(stream[start:end])]
    return lines, reader.finish()


@pytest.mark.parametrize(
    ("stream", "lines", "last"),
    [
        pytest.param(b'{"a": 1}\n', [b'{"a": 1}'], None, id="LF"),
        pytest.param(b'{"a": 1}\r\n{"b": 2}\r\n', [b'{"a": 1}', b'{"b": 2}'], None, id="CRLF"),
        pytest.param(b"1\n2\r\n3\n", [b"1", b"2", b"3"], None, id="both"),
        pytest.param(b"1\n2", [b"1"], b"2", id="no-end"),
        pytest.param(b"1\n2\r", [b"1"], b"2", id="half-an-end"),
        pytest.param(b"1", [], b"1", id="only-a-last-line"),
        pytest.param(b"1\n \t", [b"1"], None, id="space-at-the-end"),
        pytest.param(b" 1\t\n\t{ } \r\n", [b"1", b"{ }"], None, id="space-around"),
        pytest.param(b"\n\r\n  \n1\n\n\n2\n\n", [b"1", b"2"], None, id="blank-lines"),
        pytest.param('"é ሰላም 🙂"\n'.encode(), ['"é ሰላም 🙂"'.encode()], None, id="utf-8"),
        pytest.param(
            '"\u2028\u2029\u0085"\n"\0\v\f"\n'.encode(),
            ['"\u2028\u2029\u0085"'.encode(), b'"\0\v\f"'],
            None,
            id="other",
        ),
        pytest.param(b'{"a":\r1}\n', [b'{"a":\r1}'], None, id="CR-is-no-end"),
        pytest.param(b"\xff\n\xfe", [b"\xff"], b"\xfe", id="not-utf-8"),
        pytest.param(b"", [], None, id="nothing"),
    ],
)
def test_lines(stream: bytes, lines: list[bytes], last: bytes | None) -> None:
    assert read(stream) == (lines, last)
    assert read(stream, range(1, len(stream))) == (lines, last), "byte by byte"
    for place in range(len(stream) + 1):
        assert read(stream, [place]) == (lines, last), f"cut after byte {place}"


TOKENS = st.sampled_from([b"\n", b"\r\n", b"\r", b" ", b"{}", "é".encode()])


@given(
    stream=st.lists(TOKENS | st.binary(max_size=3), max_size=30).map(b"".join),
    places=st.lists(st.integers(0, 90), max_size=15),
)
@settings(max_examples=300, deadline=None, database=None)
def test_any_bytes_cut_anywhere(stream: bytes, places: list[int]) -> None:
    *lines, last = (line.strip(b" \t\r") for line in stream.split(b"\n"))
    expected = [line for line in lines if line], last or None
    assert read(stream, [place for place in places if place <= len(stream)]) == expected


def test_a_line_is_given_out_as_soon_as_it_ends() -> None:
    reader = LineReader()
    assert [list(reader.feed(piece)) for piece in (b"1", b"\r", b"\n", b"2\n3")] == [[], [], [b"1"], [b"2"]]
    assert reader.finish() == b"3"
    assert reader.finish() is None


@pytest.mark.parametrize("places", [[], range(MIB, LARGEST_EVENT, MIB)], ids=["one-piece", "pieces"])
def test_the_largest_line(places: Iterable[int]) -> None:
    line = b"x" * LARGEST_EVENT
    assert read(line + b"\n" + line, places) == ([line], line)
    for stream in (line + b"x\n", line + b"x", b"1\n" + line + b"x"):
        with pytest.raises(BrokenAnswer):
            read(stream, places)


TOO_MUCH: dict[str, Callable[[], Iterable[bytes]]] = {
    "pieces": lambda: repeat(b"x" * MIB, 64),
    "one-piece": lambda: [b"x" * (64 * MIB)],
    "one-piece-with-an-end": lambda: [b"x" * (64 * MIB) + b"\n"],
    "space": lambda: chain([b"\n"], repeat(b" " * MIB, 64)),
}


@pytest.mark.parametrize("make", TOO_MUCH.values(), ids=TOO_MUCH)
def test_a_line_of_64_mib_is_refused_before_it_fills_the_memory(make: Callable[[], Iterable[bytes]]) -> None:
    reader = LineReader()
    pieces = make()
    tracemalloc.start()
    try:
        with pytest.raises(BrokenAnswer):
            for piece in pieces:
                assert list(reader.feed(piece)) == []
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3 * LARGEST_EVENT


def test_the_time_grows_with_the_bytes_only() -> None:
    reader = LineReader()
    start = time.process_time()
    for _ in range(4 * MIB // 128):
        assert list(reader.feed(b"x" * 128)) == []
    assert [len(line) for line in reader.feed(b"\n" + b"{}\n" * 10_000)] == [4 * MIB, *[2] * 10_000]
    assert time.process_time() - start < 1


def test_what_is_written_can_be_read() -> None:
    assert read(encode(b"{}") + encode(b"[1]")) == ([b"{}", b"[1]"], None)
