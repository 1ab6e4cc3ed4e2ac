"""What OpenAI's endpoints report of their use, path by path.

Source: https://platform.openai.com/docs/api-reference; its token counts include cached, reasoning and audio tokens.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx
import orjson

from providers.adapters.json_values import count, document, mapping, measure, sequence
from providers.adapters.meters import Document, Events, Meter, Reported, Unread, is_unmade
from providers.asks import QUEUED
from providers.errors import BrokenAnswer
from providers.sse import Event
from providers.types import Chunk, NativeRequest, Usage

_STREAMED = re.compile(rb'"stream"\s*:\s*true')
_USAGE_ASKED_FOR = re.compile(rb'"include_usage"\s*:\s*true')
_LAST_EVENTS = {"response.completed", "response.failed", "response.incomplete"}


def is_streamed(body: bytes) -> bool:
    """Whether a JSON request asks for a stream."""
    return _may_say(body, _STREAMED) and _decoded(body).get("stream") is True


def asks_for_usage(body: bytes) -> bool:
    """Whether a chat completion's request asks for the usage at the end of its stream."""
    if not _may_say(body, _USAGE_ASKED_FOR):
        return False
    options = _decoded(body).get("stream_options")
    return isinstance(options, dict) and options.get("include_usage") is True


def usage(reported: Any, **measures: float) -> Usage | None:
    """The usage object of any of the endpoints; None where there is none, or none that makes sense."""
    if not isinstance(reported, dict):
        return None
    seconds = measure(reported.get("seconds"))
    if seconds is not None:
        measures["audio_seconds"] = seconds
    sent = count(reported, "prompt_tokens", "input_tokens")
    received = count(reported, "completion_tokens", "output_tokens")
    if received is None and sent is not None and reported.get("total_tokens") == sent:
        received = 0  # embeddings have no output
    if (sent is None or received is None) and seconds is None:
        return None
    details = _first_of(reported, "prompt_tokens_details", "input_tokens_details", "input_token_details")
    thoughts = _first_of(reported, "completion_tokens_details", "output_tokens_details")
    for name, heard in (("audio_input_tokens", details), ("audio_output_tokens", thoughts)):
        if tokens := count(heard, "audio_tokens"):
            measures[name] = float(tokens)
    return Usage(
        sent or 0,
        received or 0,
        cached=count(details, "cached_tokens") or 0,
        cache_write=count(details, "cache_write_tokens") or 0,
        reasoning=count(thoughts, "reasoning_tokens") or 0,
        measures=measures,
    )


def _first_of(reported: Mapping[str, Any], *names: str) -> Any:
    return next((reported[name] for name in names if reported.get(name)), None)


def meter(request: NativeRequest, head: httpx.Response, read_chat: Callable[[bytes], Chunk]) -> Meter:
    """Who reads the answer of a path along: streams of chat completions are the adapter's, the rest is here."""
    if request.method != "POST":
        return Unread(Usage())
    path = request.plain_path
    if path.endswith("/chat/completions"):
        return Document(read_chat, textual=True)
    streamed = head.headers.get("content-type", "").lower().startswith("text/event-stream")
    if streamed and path.endswith((*_WRITING, *_REPORTING, _SPEECH)):
        return Events(_event, ends=path.endswith("/responses"), textual=path.endswith(_WRITING))
    if path.endswith(_SPEECH):
        characters = float(len(str(_decoded(request.body).get("input", ""))))
        return Unread(Usage(measures={"characters": characters}, estimated=True))
    if path.endswith((*_WRITING, *_REPORTING)):
        return Document(_document, textual=path.endswith(_WRITING))
    return Reported(request, head, lambda answer: usage(answer.get("usage")))


_SPEECH = "/audio/speech"
_WRITING = ("/responses", "/completions")
_REPORTING = (
    "/embeddings",
    "/images/generations",
    "/images/edits",
    "/images/variations",
    "/audio/transcriptions",
    "/audio/translations",
)


def _document(body: bytes) -> Chunk:
    if not body.lstrip().startswith(b"{"):
        return Chunk()  # a transcription as plain text or subtitles says nothing of its use
    answer = document(body)
    images = sequence(answer.get("data")) if "created" in answer and "object" not in answer else []
    measures = {"images": float(len(images))} if images else {}
    seconds = measure(answer.get("duration"))
    if seconds is not None:
        measures["audio_seconds"] = seconds
    found = usage(answer.get("usage"), **measures)
    if found is None and measures:
        found = Usage(measures=measures, estimated=seconds is None)  # pictures are counted here, and not by the vendor
    made_later = QUEUED if is_unmade(answer) and found is None else None
    return Chunk(finish_reason=made_later, usage=found, model=str(answer.get("model") or ""))


def _event(event: Event) -> Iterator[Chunk]:
    """An event of the streams that have named events: responses, images, speech, transcriptions."""
    if event.data == b"[DONE]":
        yield Chunk(end=True)
        return
    said = document(event.data)
    kind = str(said.get("type") or event.name)
    if kind == "error" or said.get("error"):
        raise BrokenAnswer("an error inside the stream")
    if kind in _LAST_EVENTS:
        answer = mapping(said.get("response"))
        yield Chunk(usage=usage(answer.get("usage")), model=str(answer.get("model") or ""), end=True)
    else:
        delta = said.get("delta")
        yield Chunk(delta if isinstance(delta, str) else "", usage=usage(said.get("usage")))


def _may_say(body: bytes, field: re.Pattern[bytes]) -> bool:
    """Whether it is worth while to decode a body; letters of a name may be escaped."""
    return bool(field.search(body)) or b"\\u00" in body


def _decoded(body: bytes) -> Mapping[str, Any]:
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return content if isinstance(content, dict) else {}
