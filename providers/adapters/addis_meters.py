"""What Addis AI's endpoints report of their use, path by path.

Source: https://platform.addisassistant.com/docs and its OpenAPI document there, /openapi.json.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import httpx
import orjson

from providers.adapters.json_values import document, mapping, measure
from providers.adapters.meters import Document, Meter, Reported, Unread, summary
from providers.adapters.streams import EventLines
from providers.errors import BrokenAnswer, Truncated
from providers.sse import Event
from providers.types import Chunk, NativeRequest, Usage

_LARGEST_FRAME = 2 * 1024 * 1024  # bytes, of audio
_LARGEST_SUMMARY = 128 * 1024  # bytes, of what follows the audio


def chat(
    request: NativeRequest,
    head: httpx.Response,
    read_whole: Callable[[bytes], Chunk],
    read_event: Callable[[Event], Iterator[Chunk]],
) -> Meter:
    """Who reads a chat's answer along, whichever way it comes."""
    streamed = _kind(head).startswith(("text/event-stream", "application/x-ndjson", "application/ndjson"))
    if streamed or _object(_asked(request).get("generation_config")).get("stream") is True:
        return _Lines(read_event)
    return Document(read_whole, textual=True)


def other(
    request: NativeRequest, head: httpx.Response, read_usage: Callable[[Mapping[str, Any]], Usage | None]
) -> Meter:
    """Who reads any other answer along; what is neither speech nor a transcription costs what it says it does."""
    path = request.plain_path
    if request.method != "POST":
        return Unread(Usage())
    if path.endswith("/v1/audio"):  # which reports nothing
        characters = float(len(str(_asked(request).get("text", ""))))
        return Unread(Usage(measures={"characters": characters}, estimated=True))
    if path.endswith("/voice/generations/stream") and head.headers.get("x-addis-audio-protocol") == "mp3-frames-v1":
        return _Frames()
    if path.endswith(("/voice/generations", "/voice/generations/stream")):
        return Document(_clip)
    if path.endswith("/stt"):
        return Document(_transcription)
    return Reported(request, head, read_usage)


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _kind(head: httpx.Response) -> str:
    return str(head.headers.get("content-type", "")).lower()


def _asked(request: NativeRequest) -> Mapping[str, Any]:
    try:
        return _object(orjson.loads(request.body))
    except orjson.JSONDecodeError:
        return {}  # a form


def _clip(body: bytes) -> Chunk:
    """A voice's clip. One that was asked for before is given again and not charged again."""
    clip = _data(body)
    if mapping(clip.get("meta")).get("idempotent_replay") is True:
        return Chunk(usage=Usage())
    reported = {
        "credits": measure(mapping(clip.get("usage")).get("credits_used")),
        "characters": measure(clip.get("billable_characters")),
        "audio_seconds": measure(clip.get("duration_seconds")),
    }
    measures = {name: amount for name, amount in reported.items() if amount is not None}
    return Chunk(usage=Usage(measures=measures) if measures else None)


def _transcription(body: bytes) -> Chunk:
    """A transcription, which says how long it took the recording to be: `15s`."""
    seconds = billed_seconds(_data(body))
    return Chunk(usage=None if seconds is None else Usage(measures={"audio_seconds": seconds}))


def billed_seconds(transcription: Mapping[str, Any]) -> float | None:
    """The length that a transcription was billed for; None where it does not say."""
    billed = mapping(transcription.get("usage_metadata")).get("totalBilledDuration")
    return measure(billed.removesuffix("s") if isinstance(billed, str) else billed)


def _data(body: bytes) -> Mapping[str, Any]:
    said = document(body)
    if said.get("status") == "error" or said.get("error"):
        raise BrokenAnswer("an error inside a successful answer")
    return mapping(said.get("data"))


class _Lines:
    """For a chat's stream, in server-sent events or in JSON lines."""

    withholds = False
    textual = True

    def __init__(self, read: Callable[[Event], Iterator[Chunk]]) -> None:
        self._unread = 0
        self._read = read
        self._reader = EventLines()
        self._finished = False
        self._flaw: BrokenAnswer | None = None

    def feed(self, piece: bytes) -> Chunk:
        return self._said(self._reader.feed(piece), piece)

    def finish(self) -> Chunk:
        last = self._said(self._reader.finish(), b"")
        flaw = self._flaw or (None if self._finished else Truncated("the stream ended without its end mark"))
        return replace(last, end=True, flaw=flaw)

    def _said(self, events: Iterator[Event], raw: bytes) -> Chunk:
        said: list[Chunk] = []
        if self._flaw is None:  # else the rest passes as it is
            try:
                for event in events:
                    said += self._read(event)
            except BrokenAnswer as flaw:
                self._flaw = flaw
        whole = summary(said)
        self._finished = self._finished or whole.end or whole.finish_reason is not None
        self._unread += len(raw) if self._flaw is not None else 0
        return replace(whole, end=False, raw=raw, unread=self._unread)


class _Frames:
    """For a voice as it is made: frames of MP3, each after its length in four bytes; after one of none, the summary.

    Source: `mp3-frames-v1` in https://platform.addisassistant.com/docs/capabilities/text-to-speech/streaming
    """

    withholds = textual = False

    def __init__(self) -> None:
        self._length = b""  # the beginning of a frame's length
        self._left = 0  # bytes of a frame that have not come yet
        self._summary: bytearray | None = None
        self._lost = False  # it is not in this format, so that nothing of it is known

    def feed(self, piece: bytes) -> Chunk:
        place = 0
        while place < len(piece) and self._summary is None and not self._lost:
            if self._left:
                skipped = min(self._left, len(piece) - place)
                self._left -= skipped
                place += skipped
                continue
            missing = 4 - len(self._length)
            self._length += piece[place : place + missing]
            place += missing
            if len(self._length) == 4:
                self._begin(int.from_bytes(self._length))
        if self._summary is not None:
            self._summary += piece[place:]
            self._lost = self._lost or len(self._summary) > _LARGEST_SUMMARY
        return Chunk(raw=piece)

    def _begin(self, length: int) -> None:
        self._length = b""
        self._left = length
        self._lost = length > _LARGEST_FRAME
        if not length:
            self._summary = bytearray()

    def finish(self) -> Chunk:
        if self._lost:
            return Chunk(end=True)
        if self._summary is None:
            return Chunk(end=True, flaw=Truncated("the audio ended without its end mark"))
        try:
            return Chunk(usage=_clip(bytes(self._summary)).usage, end=True)
        except BrokenAnswer as flaw:
            return Chunk(end=True, flaw=flaw)
