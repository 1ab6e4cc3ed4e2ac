"""Answers that are read along: what the caller gets of them, what the ledger learns, and what is said of their end."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from providers.adapters.meters import Document, Events, Meter, Unread, summary
from providers.adapters.openai import OpenAIAdapter
from providers.errors import BrokenAnswer, Truncated
from providers.sse import LARGEST_EVENT, Event
from providers.types import Chunk, Endpoint, NativeRequest, ToolCallPiece, Usage

ADAPTER = OpenAIAdapter()
ENDPOINT = Endpoint("vendor", "openai", "https://api.example.com/v1", wire="openai")
HEAD = '{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-4.1","service_tier":"default",'


def said(delta: str, finish: str = "null") -> str:
    choice = f'{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{finish}}}'
    return f'data: {HEAD}"choices":[{choice}],"usage":null,"obfuscation":"aB3"}}\n\n'


WORDS = [
    said('{"role":"assistant","content":"","refusal":null}'),
    said('{"content":"ሰላም"}'),
    ": a comment, as some send to keep the connection\n\n",
    said('{"content":" \\"choices\\":[] \\"usage\\""}'),
    said("{}", '"stop"'),
]
LAST = (
    f'data: {HEAD}"choices":[],"usage":{{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,'
    '"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":3}}}\n\n'
)
DONE = "data: [DONE]\n\n"
RECORDED = "".join([*WORDS, LAST, DONE]).encode()
WITHOUT = "".join([*WORDS, DONE]).encode()
USED = Usage(19, 10, cached=4, reasoning=3)


def meter(body: dict[str, Any], kind: str = "text/event-stream", path: str = "/chat/completions") -> Meter:
    """Who reads the answer to a request along that came in by /v1."""
    content = json.dumps({"model": "p/m", "stream": True, **body}).encode()
    request = NativeRequest("openai", "POST", path, body=content, model="m")
    return ADAPTER.meter(ENDPOINT, request, httpx.Response(200, headers={"content-type": kind}))


def told(reader: Meter, *pieces: bytes) -> Chunk:
    """All that a meter says of an answer, its end included."""
    chunks = [*(reader.feed(piece) for piece in pieces), reader.finish()]
    assert [chunk.end for chunk in chunks] == [False] * len(pieces) + [True]
    return summary(chunks)


def halves(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    return ((data[:place], data[place:]) for place in range(len(data) + 1))


def test_the_recorded_stream_has_what_the_tests_look_for() -> None:
    assert RECORDED.replace(LAST.encode(), b"") == WITHOUT
    assert told(meter({"stream_options": {"include_usage": True}}), RECORDED).raw == RECORDED


@pytest.mark.parametrize("returns", [b"\n", b"\r\n", b"\r"])
def test_usage_is_withheld_wherever_the_stream_is_cut_into_pieces(returns: bytes) -> None:
    stream, expected = (data.replace(b"\n", returns) for data in (RECORDED, WITHOUT))
    for first, second in halves(stream):
        whole = told(meter({}), first, second)
        assert whole.raw == expected
        assert (whole.usage, whole.finish_reason, whole.flaw, whole.model) == (USED, "stop", None, "gpt-4.1")
        assert whole.text == 'ሰላም "choices":[] "usage"'


@pytest.mark.parametrize("returns", [b"\n", b"\r\n", b"\r"])
def test_usage_is_withheld_byte_by_byte(returns: bytes) -> None:
    stream, expected = (data.replace(b"\n", returns) for data in (RECORDED, WITHOUT))
    whole = told(meter({}), *(stream[place : place + 1] for place in range(len(stream))))
    assert (whole.raw, whole.usage, whole.flaw) == (expected, USED, None)


def test_the_line_feed_after_withheld_usage_goes_with_it_at_the_very_end_too() -> None:
    stream, withheld = (data.replace("\n", "\r\n").encode() for data in ("".join(WORDS), LAST))
    for rest in (b"", b"data: half", ERROR):
        assert told(meter({}), stream + withheld[:-1], b"\n" + rest).raw == stream + rest


def test_pieces_pass_at_once() -> None:
    """Only the event that is not complete yet is held, until it is."""
    reader = meter({})
    for word in WORDS[:2]:
        assert reader.feed(word.encode()).raw == word.encode()
    assert reader.feed(LAST.encode()[:-1]).raw == b""
    assert reader.feed(LAST.encode()[-1:]) == Chunk(usage=USED, model="gpt-4.1")
    assert reader.feed(DONE.encode()).raw == DONE.encode()


@pytest.mark.parametrize("options", [{"include_usage": True}, {"include_usage": True, "x": 1}])
def test_who_asked_for_usage_gets_every_piece_as_it_came(options: dict[str, Any]) -> None:
    for first, second in halves(RECORDED):
        reader = meter({"stream_options": options})
        chunks = [reader.feed(first), reader.feed(second), reader.finish()]
        assert [chunk.raw for chunk in chunks] == [first, second, b""]
        assert summary(chunks).usage == USED


USE = '"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}'


@pytest.mark.parametrize(
    "event",
    [
        f'{{"choices":[],{USE}}}',
        f'{{ {USE} ,\t"choices" :\t[ ] }}',
        f'{{"choices":null,{USE}}}',
        f'{{"model":"m",{USE}}}',
        f'{{"ch\\u006fices":[],{USE}}}',
    ],
)
def test_usage_alone_is_withheld_however_it_is_written(event: str) -> None:
    whole = told(meter({}), f"data: {event}\n\ndata: [DONE]\n\n".encode())
    assert (whole.raw, whole.usage) == (DONE.encode(), Usage(1, 2))


@pytest.mark.parametrize(
    "event",
    [
        f'{{"choices":[{{"delta":{{"content":"x"}}}}],{USE}}}',
        f'{{"choices":[{{"delta":{{}},"finish_reason":"stop"}}],{USE}}}',
        f'{{"choices":[{{"delta":{{"content":"x"}},"logprobs":{{"choices":[]}}}}],{USE}}}',
        '{"choices":[],"usage":null}',
        '{"choices":[],"prompt_filter_results":[]}',
        '{"choices":[],"usage":{"cost":0.01}}',
        '{"choices":[],"usage":"nonsense"}',
        '{"x_cost":{"currency":"USD"}}',
        "{}",
    ],
)
def test_what_is_not_usage_alone_passes(event: str) -> None:
    stream = f"data: {event}\n\ndata: [DONE]\n\n".encode()
    assert told(meter({}), stream).raw == stream


def test_usage_on_every_chunk() -> None:
    """As some servers send it: each passes with its choices, the last one counts, and only the one alone is ours."""
    chunks = [
        f'data: {{"choices":[{{"delta":{{"content":"{word}"}}}}],{USE.replace("2", str(count))}}}'
        for count, word in enumerate("abc", 1)
    ]
    alone = f'data: {{"choices":[],{USE}}}'
    whole = told(meter({}), "\n\n".join([*chunks, alone, "data: [DONE]", ""]).encode())
    assert whole.raw == "\n\n".join([*chunks, "data: [DONE]", ""]).encode()
    assert (whole.text, whole.usage, whole.flaw) == ("abc", Usage(1, 2), None)


GARBAGE = b'data: {"choices": [\n\n'
ERROR = b'data: {"error":{"message":"The server had an error","type":"server_error"}}\n\n'
LIST = b'data: {"choices":[{"delta":{"content":["x"]}}]}\n\n'


@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize("broken", [GARBAGE, ERROR, LIST, b"data: <html>\n\n", b"data: 5\n\n"])
def test_from_an_event_that_cannot_be_read_on_all_passes_as_it_came(broken: bytes, asked: bool) -> None:
    stream = WORDS[0].encode() + broken + LAST.encode() + b"data: and so on"
    for first, second in halves(stream):
        whole = told(meter({"stream_options": {"include_usage": asked}}), first, second)
        assert (whole.raw, whole.usage, type(whole.flaw)) == (stream, None, BrokenAnswer)


def test_what_was_used_before_an_error_counts() -> None:
    stream = LAST.encode() + ERROR
    whole = told(meter({}), stream)
    assert (whole.raw, whole.usage, type(whole.flaw)) == (ERROR, USED, BrokenAnswer)


@pytest.mark.parametrize("asked", [False, True])
def test_an_event_without_end_passes_unread(asked: bool) -> None:
    pieces = [b"data: " + b"x" * (LARGEST_EVENT // 2)] * 3
    whole = told(meter({"stream_options": {"include_usage": asked}}), WORDS[0].encode(), *pieces, b"\n\n")
    assert whole.raw == WORDS[0].encode() + b"".join(pieces) + b"\n\n"
    assert type(whole.flaw) is BrokenAnswer


@pytest.mark.parametrize(
    ("stream", "flaw"),
    [
        ("", Truncated),
        ("".join(WORDS[:3]), Truncated),
        (WORDS[0] + LAST, Truncated),
        (WORDS[0] + "data: [DONE]", Truncated),
        (WORDS[0] + DONE, type(None)),
        ("".join(WORDS), type(None)),
    ],
    ids=["nothing", "words", "usage", "half-a-mark", "mark", "finish-reason-but-no-mark"],
)
@pytest.mark.parametrize("asked", [False, True])
def test_a_stream_without_its_end_mark_is_cut(stream: str, flaw: type, asked: bool) -> None:
    whole = told(meter({"stream_options": {"include_usage": asked}}), stream.encode())
    assert type(whole.flaw) is flaw
    assert whole.raw == stream.replace(LAST, "" if not asked else LAST).encode()


def test_what_stands_after_the_last_event_reaches_the_caller() -> None:
    assert told(meter({}), RECORDED + b": bye\ndata: half").raw == WITHOUT + b": bye\ndata: half"


@pytest.mark.parametrize(
    "path", ["/chat/completions", "/chat/completions/", "/v1/chat/completions", "/x/chat/completions"]
)
def test_chat_is_read_at_whatever_address_and_untouched_for_the_pass_through(path: str) -> None:
    request = NativeRequest("openai", "POST", path, body=b'{"model":"m","stream":true}')
    reader = ADAPTER.meter(ENDPOINT, request, httpx.Response(200, headers={"content-type": "Text/Event-Stream; a=b"}))
    whole = told(reader, RECORDED)
    assert (whole.raw, whole.usage, whole.text) == (RECORDED, USED, 'ሰላም "choices":[] "usage"')
    cut = told(ADAPTER.meter(ENDPOINT, request, httpx.Response(200, headers={"content-type": "text/event-stream"})))
    assert type(cut.flaw) is Truncated


ANSWER = {
    "model": "gpt-4.1",
    "choices": [{"message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12},
}


def test_a_document_is_read_once_it_is_whole() -> None:
    body = json.dumps(ANSWER).encode()
    for first, second in halves(body):
        reader = meter({"stream": False}, "application/json")
        fed = [Chunk(raw=first, unread=len(first)), Chunk(raw=second, unread=len(body))]
        assert [reader.feed(first), reader.feed(second)] == fed
        assert reader.finish() == Chunk("Hello", "stop", Usage(7, 5), "gpt-4.1", end=True)


@pytest.mark.parametrize("body", [b"", b"{", b"<html>", b'{"error":{"message":"no"}}', b'{"choices":[]}', b"[]"])
def test_a_document_that_cannot_be_read_passes_and_is_flawed(body: bytes) -> None:
    whole = told(meter({}, "application/json"), body[:3], body[3:])
    assert (whole.raw, whole.usage, type(whole.flaw)) == (body, None, BrokenAnswer)


def test_a_document_that_is_too_large_to_keep_passes_unread() -> None:
    piece = b" " * (1024 * 1024)
    reader = Document(ADAPTER.read_whole)
    assert all(reader.feed(piece).raw is piece for _ in range(17))
    assert reader.finish() == Chunk(end=True)


@pytest.mark.parametrize("usage", [None, Usage(), Usage(measures={"characters": 11.0})])
def test_what_says_nothing_of_its_use(usage: Usage | None) -> None:
    assert told(Unread(usage), b"a", b"", b"b") == Chunk(raw=b"ab", usage=usage, end=True)


def test_the_last_word_of_several_chunks_counts_and_what_grows_is_joined() -> None:
    flaw = BrokenAnswer("x")
    piece = ToolCallPiece(0, "c", "f", "{")
    chunks = [
        Chunk("a", None, Usage(1, 1), "m", reasoning="r", raw=b"1", tool_calls=(piece,)),
        Chunk("", "stop", None, "", raw=b"2"),
        Chunk("b", None, Usage(2, 3), "n", reasoning="s", flaw=flaw, end=True),
        Chunk(tool_calls=(piece,)),
    ]
    assert summary(chunks) == Chunk(
        "ab",
        "stop",
        Usage(2, 3),
        "n",
        end=True,
        reasoning="rs",
        tool_calls=(piece, piece),
        raw=b"12",
        flaw=flaw,
        pieces=3,
    )
    assert summary([]) == Chunk()
    assert summary(iter(chunks[:1])) is chunks[0]


def test_events_of_no_use_to_anybody_say_nothing() -> None:
    def read(event: Event) -> Iterator[Chunk]:
        return iter(())

    assert told(Events(read, ends=False, withhold=lambda event, chunk: False), b"data: x\n\n") == Chunk(
        raw=b"data: x\n\n", end=True
    )
