"""Server-sent events by the WHATWG rules, however the bytes are cut."""

import re
import tracemalloc
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.errors import BrokenAnswer
from providers.sse import LARGEST_EVENT, Event, EventReader, encode

BOM = b"\xef\xbb\xbf"
# Ten frames: every line end, a name, comments, empty data, several lines, characters of two to four bytes.
STREAM = (
    BOM
    + b"data: plain\n\n"
    + b"data: crlf\r\n\r\n"
    + b"data: cr\r\rdata: after cr\n\n"
    + b': a comment\nevent: named\ndata: {"a": 1}\n\n'
    + "data: Grüße\ndata: ሰላም\r\ndata: 🙂\r\n\r\n".encode()
    + b"id: 7\nretry: 10\ndata:no space\n\n"
    + b"data\n\n"
    + b"event: without data\n\n"
    + b"data: mixed\r\rdata: ends\r\n\ndata: here\n\r\n"
    + b"data: [DONE]\n\ndata: never finished\n"
)
EVENTS = [
    Event(b"plain"),
    Event(b"crlf"),
    Event(b"cr"),
    Event(b"after cr"),
    Event(b'{"a": 1}', "named"),
    Event("Grüße\nሰላም\n🙂".encode()),
    Event(b"no space"),
    Event(b""),
    Event(b"mixed"),
    Event(b"ends"),
    Event(b"here"),
    Event(b"[DONE]"),
]


def events(*pieces: bytes) -> list[Event]:
    """What a reader makes of a stream that arrives in these pieces."""
    reader = EventReader()
    return [event for piece in pieces for event in reader.feed(piece)]


def cut(stream: bytes, places: Sequence[int]) -> list[bytes]:
    bounds = [0, *sorted(places), len(stream)]
    return [stream[start:end] for start, end in pairwise(bounds)]


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"], ids=["LF", "CR", "CRLF"])
def test_line_ends(end: bytes) -> None:
    stream = end.join([b"event: e", b"data: one", b"data: two", b"", b"data: three", b"", b": last", b""])
    assert events(stream) == [Event(b"one\ntwo", "e"), Event(b"three")]


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        pytest.param(b"data: x\n\n", [Event(b"x")], id="one"),
        pytest.param(b"data:x\n\n", [Event(b"x")], id="no-space"),
        pytest.param(b"data:  x \n\n", [Event(b" x ")], id="only-one-space-goes"),
        pytest.param(b"data: a:b: c\n\n", [Event(b"a:b: c")], id="colons-in-the-value"),
        pytest.param(b"data: a\ndata: b\ndata:\ndata: c\n\n", [Event(b"a\nb\n\nc")], id="several-data-lines"),
        pytest.param(b"data:\n\n", [Event(b"")], id="empty-data"),
        pytest.param(b"data\n\n", [Event(b"")], id="field-without-colon"),
        pytest.param(b"data\ndata\n\n", [Event(b"\n")], id="two-fields-without-colon"),
        pytest.param(b"\n\n\ndata: x\n\n\n\n", [Event(b"x")], id="blank-lines-are-no-events"),
        pytest.param(b": hello\n:\ndata: x\n:data: y\n\n", [Event(b"x")], id="comments"),
        pytest.param(b":\n\n:\n\n", [], id="keep-alive-comments"),
        pytest.param(b"event: a\ndata: x\n\n", [Event(b"x", "a")], id="name"),
        pytest.param(b"event: a\nevent: b\ndata: x\n\n", [Event(b"x", "b")], id="last-name-counts"),
        pytest.param(b"event: a\ndata: x\n\ndata: y\n\n", [Event(b"x", "a"), Event(b"y")], id="name-is-for-one-event"),
        pytest.param(b"event: a\n\ndata: y\n\n", [Event(b"y")], id="name-without-data-is-forgotten"),
        pytest.param("event: é\ndata: x\n\n".encode(), [Event(b"x", "é")], id="name-in-utf8"),
        pytest.param(b"event: \xff\ndata: x\n\n", [Event(b"x", "\ufffd")], id="name-that-is-not-utf8"),
        pytest.param(b"id: 1\nretry: 5\nfoo: x\nDATA: y\n data: z\ndata: x\n\n", [Event(b"x")], id="other-fields"),
        pytest.param(BOM + b"data: x\n\n", [Event(b"x")], id="byte-order-mark"),
        pytest.param(BOM + BOM + b"data: x\n\n", [], id="only-one-byte-order-mark-goes"),
        pytest.param(b"data: x\n\n" + BOM + b"data: y\n\n", [Event(b"x")], id="byte-order-mark-inside"),
        pytest.param(b"data: \xff\x00\n\n", [Event(b"\xff\x00")], id="data-stays-bytes"),
        pytest.param(b"data: x\n\ndata: y", [Event(b"x")], id="unfinished-line-is-dropped"),
        pytest.param(b"data: x\n\ndata: y\n", [Event(b"x")], id="unfinished-event-is-dropped"),
        pytest.param(b"", [], id="nothing"),
        pytest.param(BOM[:2], [], id="half-a-byte-order-mark"),
    ],
)
def test_rules(stream: bytes, expected: list[Event]) -> None:
    assert events(stream) == expected
    assert events(*cut(stream, range(1, len(stream)))) == expected, "byte by byte"


def test_the_whole_stream_in_one_piece() -> None:
    assert events(STREAM) == EVENTS


def test_every_split_gives_the_same_events() -> None:
    for place in range(len(STREAM) + 1):
        assert events(STREAM[:place], STREAM[place:]) == EVENTS, f"cut after byte {place}"


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 64])
def test_pieces_of_any_size_give_the_same_events(size: int) -> None:
    assert events(*cut(STREAM, range(size, len(STREAM), size))) == EVENTS


def test_empty_pieces_change_nothing() -> None:
    pieces = [piece for byte in cut(STREAM, range(1, len(STREAM))) for piece in (b"", byte)]
    assert events(*pieces) == EVENTS


@given(places=st.lists(st.integers(0, len(STREAM)), max_size=30))
@settings(max_examples=200, deadline=None, database=None)
def test_random_splits(places: list[int]) -> None:
    assert events(*cut(STREAM, places)) == EVENTS


def by_the_book(stream: bytes) -> list[Event]:
    """The rules once more, as plainly as they can be written, for a stream that is there as a whole."""
    found: list[Event] = []
    data, name = b"", ""
    for line in re.split(rb"\r\n|\n|\r", stream)[:-1]:
        if not line:
            if data:
                found.append(Event(data[:-1], name))
            data, name = b"", ""
            continue
        field, _, value = line.partition(b":")
        value = value[1:] if value.startswith(b" ") else value
        if field == b"data":
            data += value + b"\n"
        elif field == b"event":
            name = value.decode("utf-8", "replace")
    return found


LINES = st.sampled_from([b"", b"", b"data: x", b"data:", b"data", b"event: e", b": c", b"id: 1", "data: é".encode()])
ENDS = st.sampled_from([b"\n", b"\r", b"\r\n"])


@given(lines=st.lists(st.tuples(LINES, ENDS), max_size=30), places=st.lists(st.integers(0, 400), max_size=10))
@settings(max_examples=300, deadline=None, database=None)
def test_random_streams_are_read_by_the_book(lines: list[tuple[bytes, bytes]], places: list[int]) -> None:
    stream = b"".join(line + end for line, end in lines) + b": the end\n"
    pieces = cut(stream, [place for place in places if place <= len(stream)])
    assert events(*pieces) == by_the_book(stream)


def test_an_event_is_given_out_as_soon_as_its_blank_line_is_there() -> None:
    reader = EventReader()
    assert list(reader.feed(b"data: x\n")) == []
    assert list(reader.feed(b"\n")) == [Event(b"x")]


def test_an_event_of_almost_the_largest_size_is_taken() -> None:
    data = b"x" * (LARGEST_EVENT - 100)
    pieces = cut(b"data: " + data + b"\n\n", range(1 << 20, LARGEST_EVENT, 1 << 20))
    assert [event.data == data for event in events(*pieces)] == [True]


@pytest.mark.parametrize(
    ("first", "piece"),
    [
        pytest.param(b"data: ", b"x" * (1 << 19), id="one-line-without-end"),
        pytest.param(b"", b"data: " + b"x" * (1 << 19) + b"\n", id="lines-without-a-blank-one"),
        pytest.param(b": ", b"x" * (1 << 19), id="a-comment-without-end"),
    ],
)
def test_an_event_without_end_is_refused_before_it_fills_the_memory(first: bytes, piece: bytes) -> None:
    reader = EventReader()
    list(reader.feed(first))
    fed = 0
    tracemalloc.start()
    try:
        with pytest.raises(BrokenAnswer):
            while fed < 10 * LARGEST_EVENT:
                fed += len(piece)
                assert list(reader.feed(piece)) == []
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert LARGEST_EVENT <= fed <= LARGEST_EVENT + 2 * len(piece)
    assert peak < 5 * LARGEST_EVENT


def test_many_events_may_be_larger_together() -> None:
    reader = EventReader()
    event = b"data: " + b"x" * (LARGEST_EVENT // 4) + b"\n\n"
    assert sum(len(list(reader.feed(event))) for _ in range(10)) == 10


@pytest.mark.parametrize("data", [b"{}", b"[DONE]", b"", "ሰላም".encode(), b" leading"], ids=repr)
def test_what_is_written_can_be_read(data: bytes) -> None:
    assert events(encode(data), encode(data)) == [Event(data), Event(data)]
