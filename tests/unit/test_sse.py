"""Server-sent events by the WHATWG rules: what each line means, what is too much, and how long it takes.

How a stream may be cut is in test_sse_framing.py.
"""

import time
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, repeat

import pytest

from providers.errors import BrokenAnswer
from providers.sse import LARGEST_EVENT, Event, EventReader, encode

BOM = b"\xef\xbb\xbf"
MIB = 1 << 20


def events(*pieces: bytes) -> list[Event]:
    """What a reader makes of a stream that arrives in these pieces."""
    reader = EventReader()
    return [event for piece in pieces for event in reader.feed(piece)]


def pieces_of(stream: bytes, size: int) -> list[bytes]:
    return [stream[start : start + size] for start in range(0, len(stream), size)]


@contextmanager
def memory(most: int) -> Iterator[None]:
    """Fails when more bytes than `most` are held at any time beyond what is held now."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= most, f"{peak / MIB:.1f} MiB"


@contextmanager
def seconds(most: float) -> Iterator[None]:
    """Fails when this process computes for longer."""
    start = time.process_time()
    yield
    assert time.process_time() - start < most


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        pytest.param(b"event: \xff\ndata: x\n\n", [Event(b"x", "\ufffd")], id="name-that-is-not-utf8"),
        pytest.param(b"data: \xff\x00\n\n", [Event(b"\xff\x00")], id="data-stays-bytes"),
        pytest.param(b"data: \xe2\x80\n\ndata: \xa8\n\n", [Event(b"\xe2\x80"), Event(b"\xa8")], id="half-characters"),
        pytest.param(b"data: x\n\xc2\xa0\n\n", [Event(b"x")], id="a-space-of-unicode-is-no-blank-line"),
        pytest.param(b"data: x\n \n\n", [Event(b"x")], id="a-space-is-no-blank-line"),
        pytest.param(BOM + BOM + b"data: x\n\n", [], id="only-one-byte-order-mark-goes"),
        pytest.param(BOM[:2] + b"data: x\n\n", [], id="two-thirds-of-a-byte-order-mark"),
        pytest.param(BOM[:2], [], id="the-beginning-of-a-byte-order-mark"),
        pytest.param(BOM, [], id="only-a-byte-order-mark"),
        pytest.param(b"", [], id="nothing"),
    ],
)
def test_bytes_that_are_no_text(stream: bytes, expected: list[Event]) -> None:
    assert events(stream) == expected
    assert events(*pieces_of(stream, 1)) == expected


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        pytest.param([b"data: x\n", b"\n"], [0, 1], id="LF"),
        pytest.param([b"data: x\r", b"\r", b"data: y\r\r"], [0, 1, 1], id="CR"),
        pytest.param([b"data: x\r\n\r", b"\ndata: y\r\n\r\n"], [1, 1], id="CRLF-with-its-LF-later"),
        pytest.param([b"data: x\r", b"\n", b"\r", b"\n", b"\n"], [0, 0, 1, 0, 0], id="CRLF-in-bytes"),
        pytest.param([b"data: x\r", b"", b"\n\n"], [0, 0, 1], id="an-empty-piece-within-CRLF"),
    ],
)
def test_an_event_is_given_out_as_soon_as_its_blank_line_is_there(pieces: list[bytes], expected: list[int]) -> None:
    reader = EventReader()
    assert [len(list(reader.feed(piece))) for piece in pieces] == expected


@pytest.mark.parametrize(
    ("stream", "raws", "rest"),
    [
        pytest.param(b"data: x\n\ndata: y\r\n\r\n", [b"data: x\n\n", b"data: y\r\n\r\n"], b"", id="events"),
        pytest.param(BOM + b": hi\n\n\nid: 1\ndata\n\n", [BOM + b": hi\n\n\nid: 1\ndata\n\n"], b"", id="all-before-it"),
        pytest.param(b"data: x\r\r: bye\r\r", [b"data: x\r\r"], b": bye\r\r", id="a-comment-after-the-last"),
        pytest.param(b"data: x\n\ndata: y\ndat", [b"data: x\n\n"], b"data: y\ndat", id="unfinished"),
    ],
)
def test_the_bytes_of_an_event(stream: bytes, raws: list[bytes], rest: bytes) -> None:
    reader = EventReader(keep_raw=True)
    assert [event.raw for event in reader.feed(stream)] == raws
    assert reader.rest == rest
    assert [event.raw for event in EventReader().feed(stream)] == [b""] * len(raws)


def test_between_two_events_of_a_piece_the_reader_is_between_them() -> None:
    first, second = b"data: x\n", b"\n: c\n\ndata: y\n\ndata: z"
    reader = EventReader(keep_raw=True)
    assert list(reader.feed(first)) == []
    assert (reader.unfinished, reader.rest) == (True, first)
    given = b""
    for event in reader.feed(second):
        given += event.raw
        assert (reader.unfinished, given + reader.rest) == (False, first + second)
    assert (reader.unfinished, reader.rest) == (True, b"data: z")


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"", False),
        (b"data: x\n\n", False),
        (b"data: x\r\r", False),
        (b"data: x\r\n\r", False),
        (b"data: x\n\n: ping\n", False),
        (b"data: x\n\n: data: y", False),
        (b"data: x\n\nid: 1\nevent: e\nretry", False),
        (b"data: x\n\ndatabase: y", False),
        (BOM, False),
        (b"data: x", True),
        (b"data: x\n", True),
        (b"data: x\r\n", True),
        (b"data\n", True),
        (b"data: x\n: ping\nid: 1\n", True),
        (b"data: x\n\nda", True),
        (b"data: x\n\ndata", True),
        (b"data: x\n\nevent: e\ndata:", True),
        (BOM + b"dat", True),
    ],
    ids=repr,
)
def test_whether_an_event_is_unfinished(stream: bytes, expected: bool) -> None:
    for size in (1, max(len(stream), 1)):
        reader = EventReader()
        for piece in pieces_of(stream, size):
            list(reader.feed(piece))
        assert reader.unfinished is expected


def sized(size: int, line: bytes = b"id: 1\n") -> bytes:
    """An event of this size: a data line, another line, and the blank one."""
    return b"data: " + b"x" * (size - 6 - 1 - len(line) - 1) + b"\n" + line + b"\n"


@pytest.mark.parametrize("size", [2 * LARGEST_EVENT, MIB, 64 * 1024 + 1], ids=["one-piece", "MiB", "odd-pieces"])
@pytest.mark.parametrize("keep_raw", [False, True], ids=["plain", "keep_raw"])
def test_the_largest_event(size: int, keep_raw: bool) -> None:
    largest, larger = sized(LARGEST_EVENT), sized(LARGEST_EVENT + 1)
    reader = EventReader(keep_raw=keep_raw)
    taken = [event for _ in "ab" for piece in pieces_of(largest, size) for event in reader.feed(piece)]
    assert [event.data == b"x" * (LARGEST_EVENT - 14) for event in taken] == [True, True]
    assert [event.raw == largest for event in taken] == [keep_raw, keep_raw]
    with pytest.raises(BrokenAnswer):
        for piece in pieces_of(larger, size):
            assert list(reader.feed(piece)) == []
    assert larger.startswith(reader.rest)


def test_events_before_one_that_is_too_large_are_given_out() -> None:
    stream = b"data: x\n\ndata: y\n\n" + b"data: " + b"x" * LARGEST_EVENT + b"\n\n"
    reader = EventReader(keep_raw=True)
    seen: list[Event] = []
    with pytest.raises(BrokenAnswer):
        seen.extend(reader.feed(stream))  # extends as it goes
    assert [event.data for event in seen] == [b"x", b"y"]
    assert b"".join(event.raw for event in seen) + reader.rest == stream


def test_many_events_may_be_larger_together() -> None:
    event = sized(LARGEST_EVENT // 4)
    assert len(events(*repeat(event, 10))) == len(events(event * 10)) == 10


BITS = b"x" * MIB
ALMOST = b"data: " + BITS * 7 + b"\n"
TOO_MUCH: dict[str, Callable[[], Iterable[bytes]]] = {
    "one-piece": lambda: [b"data: " + BITS * 64 + b"\n\n"],
    "one-line": lambda: chain([b"data: "], repeat(BITS, 64), [b"\n\n"]),
    "one-line-after-another": lambda: chain([ALMOST], repeat(BITS, 57)),
    "lines": lambda: repeat(b"data: " + BITS + b"\n", 64),
    "short-lines": lambda: chain([ALMOST], repeat(b"data:ab\r\n" * 10_000, 700)),
    "short-lines-in-one-piece": lambda: [ALMOST + b"data:ab\n" * (7 * MIB)],
    "empty-lines": lambda: chain([ALMOST], repeat(b"data\n" * 10_000, 1200)),
    "names": lambda: repeat(b"event: " + BITS + b"\n", 64),
    "lines-of-no-meaning": lambda: repeat(b"id: " + BITS + b"\n", 64),
    "a-comment": lambda: chain([b":"], repeat(BITS, 64), [b"\n\n"]),
    "a-comment-in-one-piece": lambda: [b":" + BITS * 64 + b"\n\n"],
}


@pytest.mark.parametrize("make", TOO_MUCH.values(), ids=TOO_MUCH)
def test_an_event_of_64_mib_is_refused_before_it_fills_the_memory(make: Callable[[], Iterable[bytes]]) -> None:
    reader = EventReader()
    pieces = make()
    fed: list[int] = []
    with memory(5 * LARGEST_EVENT), pytest.raises(BrokenAnswer):
        for piece in pieces:
            fed.append(len(piece))
            assert list(reader.feed(piece)) == []
    assert sum(fed[:-1]) <= LARGEST_EVENT * 9 // 8, "refused at the piece that is too much"


@pytest.mark.parametrize("size", [2, 64 * 1024, MIB])
def test_short_lines_in_pieces_of_any_size_take_little_more_memory_than_their_bytes(size: int) -> None:
    reader = EventReader(keep_raw=True)
    pieces = pieces_of(b"data:ab\n" * (MIB // 32), size)
    with memory(3 * MIB):
        for piece in pieces:
            list(reader.feed(piece))


def test_what_says_nothing_is_not_kept() -> None:
    reader = EventReader()
    with memory(2 * MIB):
        list(reader.feed(b"data: x\n"))
        for _ in range(300):
            assert list(reader.feed(b": " + b"ping" * 16_000 + b"\n")) == []
        assert list(reader.feed(b"\n")) == [Event(b"x")]
        for _ in range(300):
            assert list(reader.feed(b"event: e\nid: " + b"1" * 64_000 + b"\n\n")) == []


def test_kept_bytes_are_limited_also_where_no_event_comes() -> None:
    reader = EventReader(keep_raw=True)
    with memory(3 * LARGEST_EVENT), pytest.raises(BrokenAnswer):
        for _ in range(10 * LARGEST_EVENT // 32_000):
            assert list(reader.feed(b": " + b"ping" * 8_000 + b"\r\n\r\n")) == []


@pytest.mark.parametrize("keep_raw", [False, True], ids=["plain", "keep_raw"])
def test_the_time_grows_with_the_bytes_only(keep_raw: bool) -> None:
    reader = EventReader(keep_raw=keep_raw)
    line = b"data: " + b"x" * (4 * MIB)
    many = b"data: x\n" * 10_000 + b"\n"
    small = b'data: {"choices": [{"delta": {"content": "x"}}]}\r\n\r\n' * 2_000
    with seconds(1.0):
        long = [event for piece in pieces_of(line + b"\r\r", 128) for event in reader.feed(piece)]
        lines = [event for piece in pieces_of(many, 7) for event in reader.feed(piece)]
        together = list(reader.feed(small))
    assert [len(event.data) for event in long] == [4 * MIB]
    assert [event.data for event in lines] == [b"\n".join([b"x"] * 10_000)]
    assert len(together) == 2_000


@pytest.mark.parametrize("data", [b"{}", b"[DONE]", b"", "ሰላም".encode(), b" leading"], ids=repr)
def test_what_is_written_can_be_read(data: bytes) -> None:
    assert events(encode(data), encode(data)) == [Event(data), Event(data)]
