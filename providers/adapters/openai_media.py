"""Speech, transcriptions and the like in OpenAI's words: read for vendors with words of their own, and answered.

Source: https://platform.openai.com/docs/api-reference/audio and the types of https://pypi.org/project/openai/. Whatever
says something and is not read here is refused.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from providers.adapters.forms import parts_of
from providers.adapters.translation import Said
from providers.asked import a_number, a_string, refuse_unknown
from providers.errors import RequestNotPossible
from providers.types import NativeRequest

WIRE = "openai"
JSON = "application/json"

# They tell the vendor about the caller; the answer is the same without them.
_WITHOUT_EFFECT = frozenset({"user", "safety_identifier", "metadata"})
# Values that ask for nothing that would not be so anyway.
_USUAL: Mapping[str, Collection[Any]] = {
    "stream": (False, "false"),
    "stream_format": ("audio",),
    "chunking_strategy": ("auto",),
    "quality": ("auto",),
    "background": ("auto",),
    "moderation": ("auto",),
}
_SUBTITLES = ("srt", "vtt")


@dataclass(frozen=True, slots=True)
class Speech:
    """What is to be spoken. voice, format: as the caller calls them, or empty. speed: 1 is usual; None is not said."""

    text: str
    voice: str
    format: str
    speed: float | None


@dataclass(frozen=True, slots=True)
class Recording:
    """What is to be transcribed: a file with its name and media type. words: the time of each word is wanted."""

    content: bytes = field(repr=False)
    name: str
    kind: str
    language: str
    format: str
    temperature: float | None
    words: bool


def fields_of(request: NativeRequest, *known: str) -> Mapping[str, Any]:
    """A JSON body. Raises RequestNotPossible where another field than the known ones says something."""
    try:
        body = orjson.loads(request.body)
    except orjson.JSONDecodeError:
        body = None
    if not isinstance(body, dict):
        raise RequestNotPossible("The body must be a JSON object.")
    _refuse_others(body, {"model", *known})
    return body


def read_speech(request: NativeRequest, *, slowest: float, fastest: float) -> Speech:
    """POST /audio/speech. Raises RequestNotPossible."""
    body = fields_of(request, "input", "voice", "response_format", "speed")
    text = a_string("input", body.get("input"))
    if not text:
        raise RequestNotPossible("`input` must not be empty.")
    voice = body.get("voice")
    if isinstance(voice, dict):  # a voice of one's own is named in an object
        voice = voice.get("id")
    return Speech(
        text,
        a_string("voice", voice or ""),
        a_string("response_format", body.get("response_format") or ""),
        a_number("speed", body.get("speed"), slowest, fastest),
    )


def read_recording(request: NativeRequest) -> Recording:
    """POST /audio/transcriptions. Raises RequestNotPossible."""
    kind = request.headers.get("content-type", "")
    found: dict[str, list[Any]] = {}
    for part in parts_of(request.body, kind):
        content = request.body[part.start : part.end]
        for name in (raw.decode("utf-8", "replace") for raw in part.names):
            said = (content, part) if name == "file" else content.decode("utf-8", "replace")
            found.setdefault(name.removesuffix("[]"), []).append(said)
    granularities = found.pop("timestamp_granularities", [])
    doubled = [name for name, values in found.items() if len(values) > 1]
    if doubled:
        raise RequestNotPossible(f"The form must have one part named `{doubled[0]}` only.")
    form = {name: values[0] for name, values in found.items()}
    if "file" not in form:
        raise RequestNotPossible("The form needs a part named `file`: the recording.")
    _refuse_others(form, {"model", "file", "language", "response_format", "temperature"})
    content, part = form["file"]
    words = _wants_words(granularities, form.get("response_format", ""))
    return Recording(
        content,
        part.file_name or "audio",
        part.content_type or "application/octet-stream",
        form.get("language", ""),
        _text_format(form.get("response_format", "")),
        _temperature(form.get("temperature", "")),
        words,
    )


def transcript(
    asked: Recording, text: str, *, language: str, seconds: float | None, words: Sequence[Mapping[str, Any]] = ()
) -> Said:
    """The answer in the format that was asked for. seconds: how long the recording is, if that is known."""
    if asked.format == "text":
        return text.encode(), "text/plain; charset=utf-8"
    answer: dict[str, Any] = {"text": text}
    if asked.format == "verbose_json":
        answer = {"task": "transcribe", "language": language, "duration": seconds or 0.0, **answer}
        if asked.words:
            answer["words"] = words
    if seconds is not None:
        answer["usage"] = {"type": "duration", "seconds": seconds}
    return orjson.dumps(answer), JSON


def _refuse_others(said: Mapping[str, Any], known: Collection[str]) -> None:
    unusual = {name: value for name, value in said.items() if value not in _USUAL.get(name, ())}
    refuse_unknown(unusual, known, _WITHOUT_EFFECT)


def _text_format(named: str) -> str:
    if named in _SUBTITLES:
        raise RequestNotPossible("`response_format`: this provider makes no subtitles. Ask for `verbose_json`.")
    if named not in {"", "json", "text", "verbose_json"}:
        raise RequestNotPossible("`response_format` must be `json`, `text` or `verbose_json` with this provider.")
    return named or "json"


def _wants_words(granularities: Sequence[str], named: str) -> bool:
    if granularities and (named != "verbose_json" or set(granularities) != {"word"}):
        raise RequestNotPossible(
            "`timestamp_granularities`: this provider knows the times of words only. Ask for `word`, with the"
            " `response_format` `verbose_json`."
        )
    return bool(granularities)


def _temperature(said: str) -> float | None:
    try:
        return a_number("temperature", float(said), 0, 1) if said else None
    except ValueError:
        raise RequestNotPossible("`temperature` must be a number from 0 to 1.") from None
