"""However a stream is cut and its lines end: the same events, at the byte that ends them, and not a byte lost."""

import re
from collections.abc import Iterable, Sequence
from itertools import cycle, pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from providers.sse import Event, EventReader

BOM = "\ufeff"
# What a stream says, with \n for any line end, and its events as (data, name).
FRAMES: dict[str, tuple[str, list[tuple[str, str]]]] = {
    "one": ("data: x\n\n", [("x", "")]),
    "no-space": ("data:x\n\n", [("x", "")]),
    "two-spaces": ("data:  x \n\n", [(" x ", "")]),
    "tab": ("data:\tx\n\n", [("\tx", "")]),
    "json": ('data: {"a": [1, "b:c"]}\n\n', [('{"a": [1, "b:c"]}', "")]),
    "two": ("data: x\n\ndata: y\n\n", [("x", ""), ("y", "")]),
    "done": ('data: {"a": 1}\n\ndata: [DONE]\n\n', [('{"a": 1}', ""), ("[DONE]", "")]),
    "two-lines": ("data: x\ndata: y\n\n", [("x\ny", "")]),
    "four-lines": ("data: a\ndata:b\ndata:\ndata: c\n\n", [("a\nb\n\nc", "")]),
    "many-lines-twice": ("data: a\ndata: b\n\ndata: c\ndata: d\n\n", [("a\nb", ""), ("c\nd", "")]),
    "empty": ("data:\n\n", [("", "")]),
    "empty-with-space": ("data: \n\n", [("", "")]),
    "empty-first": ("data:\ndata: x\n\n", [("\nx", "")]),
    "empty-last": ("data: x\ndata:\n\n", [("x\n", "")]),
    "only-empty-lines": ("data:\ndata\ndata: \n\n", [("\n\n", "")]),
    "without-colon": ("data\n\n", [("", "")]),
    "without-colon-twice": ("data\ndata\n\n", [("\n", "")]),
    "blank-lines": ("\n\n\ndata: x\n\n\n\ndata: y\n\n\n", [("x", ""), ("y", "")]),
    "only-blank-lines": ("\n\n\n", []),
    "comment": (": hello\ndata: x\n\n", [("x", "")]),
    "comment-between-lines": ("data: x\n: data: z\ndata: y\n\n", [("x\ny", "")]),
    "comments-alone": (": ping\n\n:\n\ndata: x\n\n: pong\n\n", [("x", "")]),
    "name": ("event: e\ndata: x\n\n", [("x", "e")]),
    "name-after-data": ("data: x\nevent:e\n\n", [("x", "e")]),
    "name-twice": ("event: a\nevent: b\ndata: x\n\n", [("x", "b")]),
    "name-taken-back": ("event: a\nevent\ndata: x\n\n", [("x", "")]),
    "name-for-one": ("event: a\ndata: x\n\ndata: y\n\n", [("x", "a"), ("y", "")]),
    "name-without-data": ("event: a\n\ndata: y\n\n", [("y", "")]),
    "names-of-two": ("event: a\ndata: x\n\nevent: ä\ndata: y\n\n", [("x", "a"), ("y", "ä")]),
    "id-and-retry": ("id: 7\nretry: 10\ndata: x\n\nid\nretry\n\n", [("x", "")]),
    "unknown-fields": ("DATA: a\n data: b\ndatas: c\ndat: d\n:data: e\ndata: x\n\n", [("x", "")]),
    "utf-8": ("data: Grüße ሰላም 🙂\n\n", [("Grüße ሰላም 🙂", "")]),
    "utf-8-over-lines": ("data: é\ndata: 🙂\n\n", [("é\n🙂", "")]),
    "other-separators": (
        "data: a\u2028b\u2029c\u0085d\v\f\x1c\x1d\x1ee\n\n",
        [("a\u2028b\u2029c\u0085d\v\f\x1c\x1d\x1ee", "")],
    ),
    "nul": ("data: a\0b\nevent: \0\n\n", [("a\0b", "\0")]),
    "byte-order-mark": (BOM + "data: x\n\n", [("x", "")]),
    "byte-order-mark-and-blank": (BOM + "\ndata: x\n\n", [("x", "")]),
    "byte-order-mark-and-comment": (BOM + ": hi\ndata: x\n\n", [("x", "")]),
    "two-byte-order-marks": (BOM + BOM + "data: x\n\ndata: y\n\n", [("y", "")]),
    "byte-order-mark-inside": ("data: x\n\n" + BOM + "data: y\n\ndata: " + BOM + "\n\n", [("x", ""), (BOM, "")]),
    "unfinished-event": ("data: x\n\ndata: y\n", [("x", "")]),
    "unfinished-line": ("data: x\n\ndata: y", [("x", "")]),
    "unfinished-character": ("data: x\n\n\u00ef", [("x", "")]),
    "nothing": ("", []),
}
# In this order, no CR stands before an LF that is another line's end.
ENDS = {
    "LF": [b"\n"],
    "CR": [b"\r"],
    "CRLF": [b"\r\n"],
    "mixed": [b"\n", b"\r", b"\r\n"],
    "odd": [b"\r\n", b"\n", b"\r"],
}


def with_ends(text: str, ends: Sequence[bytes]) -> bytes:
    *lines, last = text.encode().split(b"\n")
    return b"".join(line + end for line, end in zip(lines, cycle(ends), strict=False)) + last


def cut(stream: bytes, places: Iterable[int]) -> list[bytes]:
    bounds = [0, *sorted(places), len(stream)]
    return [stream[start:end] for start, end in pairwise(bounds)]


def by_the_book(stream: bytes) -> list[tuple[bytes, str, int]]:
    """The rules once more, as plainly as can be: data, name and where the event ends, of a stream that is all there."""
    found: list[tuple[bytes, str, int]] = []
    data, name, at = b"", "", 0
    for match in re.finditer(rb"\r\n|\n|\r", stream):
        line = stream[at : match.start()]
        if at == 0:
            line = line.removeprefix(b"\xef\xbb\xbf")
        at = match.end()
        if not line:
            if data:
                found.append((data[:-1], name, at))
            data, name = b"", ""
            continue
        field, _, value = line.partition(b":")
        value = value[1:] if value.startswith(b" ") else value
        if field == b"data":
            data += value + b"\n"
        elif field == b"event":
            name = value.decode("utf-8", "replace")
    return found


def check(stream: bytes, places: Iterable[int]) -> None:
    """Feeds the stream in pieces: after each, its events are out and all its bytes accounted for."""
    plain, keeping = EventReader(), EventReader(keep_raw=True)
    seen: list[Event] = []
    kept: list[Event] = []
    fed = b""
    for piece in cut(stream, places):
        fed += piece
        seen += plain.feed(piece)
        kept += keeping.feed(piece)
        told = by_the_book(fed)
        assert seen == [Event(data, name) for data, name, _ in told]
        assert [Event(event.data, event.name) for event in kept] == seen
        assert b"".join(event.raw for event in kept) + keeping.rest == fed
        assert plain.rest == b""
        assert plain.unfinished == keeping.unfinished
    end = 0
    for event, (_, _, by_book) in zip(kept, by_the_book(stream), strict=True):
        end += len(event.raw)
        late = stream[by_book - 2 : by_book] == b"\r\n" and by_book - 1 in places
        assert end == by_book - late


@pytest.mark.parametrize("ends", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize(("text", "expected"), FRAMES.values(), ids=FRAMES)
def test_every_cut_gives_the_same_events(text: str, expected: list[tuple[str, str]], ends: list[bytes]) -> None:
    stream = with_ends(text, ends)
    assert list(EventReader().feed(stream)) == [Event(data.encode(), name) for data, name in expected]
    for place in range(len(stream) + 1):
        check(stream, [place])
    check(stream, range(1, len(stream)))


@pytest.mark.parametrize("ends", ENDS.values(), ids=ENDS)
def test_all_frames_after_each_other(ends: list[bytes]) -> None:
    whole = [(text, expected) for text, expected in FRAMES.values() if text.endswith("\n\n") and BOM not in text]
    stream = with_ends("".join(text for text, _ in whole), ends)
    told = [Event(data.encode(), name) for _, expected in whole for data, name in expected]
    assert list(EventReader().feed(stream)) == told
    for size in (1, 2, 3, 5, 7, 64, len(stream)):
        check(stream, range(size, len(stream), size))


def test_empty_pieces_change_nothing() -> None:
    stream = with_ends("".join(text for text, _ in FRAMES.values()), ENDS["mixed"])
    check(stream, [place for place in range(len(stream)) for _ in "ab"])


@pytest.mark.parametrize("length", range(64 * 1024 - 12, 64 * 1024 + 4))
def test_a_large_piece_is_read_as_one(length: int) -> None:
    event = b"data: " + b"x" * (length - 6) + b"\r\n\r\n"
    for stream in (event * 3, (event + b"data: y\r\n\r\n") * 3, event.replace(b"\r\n", b"\r") * 3):
        check(stream, [])
        check(stream, [len(stream) // 2])


TOKENS = [
    b"\n",
    b"\r",
    b"\r\n",
    b"data",
    b"data: ",
    b"data:",
    b"event: ",
    b":",
    b" ",
    b"x",
    b"\xef",
    b"\xbb",
    b"\xbf",
    b"\0",
]
STREAMS = st.lists(st.sampled_from(TOKENS) | st.binary(max_size=3), max_size=40).map(b"".join)


@given(stream=STREAMS, places=st.lists(st.integers(0, 120), max_size=20))
@example(stream=b"data: x\r\n\r\n", places=[10])
@example(stream=b"data: x\r\n\r", places=[])
@example(stream=b"data: x\r\r", places=[])
@settings(max_examples=1500, deadline=None, database=None)
def test_any_bytes_cut_anywhere(stream: bytes, places: list[int]) -> None:
    check(stream, [place for place in places if place <= len(stream)])


@given(stream=st.binary(max_size=300), places=st.lists(st.integers(0, 300), max_size=20))
@settings(max_examples=300, deadline=None, database=None)
def test_noise_cut_anywhere(stream: bytes, places: list[int]) -> None:
    check(stream, [place for place in places if place <= len(stream)])
