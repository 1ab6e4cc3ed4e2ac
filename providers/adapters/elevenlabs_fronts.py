"""OpenAI's speech and transcriptions for ElevenLabs.

Sources: https://elevenlabs.io/docs/api-reference/text-to-speech/stream and
https://elevenlabs.io/docs/api-reference/speech-to-text/convert
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from providers.adapters.json_values import an_object, document, measure, sequence, text
from providers.adapters.openai_media import WIRE, Recording, read_recording, read_speech, transcript
from providers.adapters.translation import Said, Translated, Translation, in_form, in_json
from providers.errors import BrokenAnswer, RequestNotPossible
from providers.types import Endpoint, NativeRequest

_OWN = "elevenlabs"
# OpenAI's `pcm` has 24 kHz, and so has its `wav`. For a `wav` there is no stream: its header names its length.
_FORMATS = {"mp3": "mp3_44100_128", "opus": "opus_48000_128", "pcm": "pcm_24000", "wav": "wav_24000"}
_SLOWEST, _FASTEST = 0.7, 1.2


def speech(endpoint: Endpoint, request: NativeRequest) -> Translated:
    """POST /audio/speech; the audio is the caller's as it arrives."""
    asked = read_speech(request, slowest=_SLOWEST, fastest=_FASTEST)
    named = asked.format or "mp3"
    if named not in _FORMATS:
        raise RequestNotPossible(f"`response_format` must be one of {', '.join(_FORMATS)} with this provider.")
    content: dict[str, Any] = {"text": asked.text}
    if request.model:
        content["model_id"] = request.model
    if asked.speed is not None:
        content["voice_settings"] = {"speed": asked.speed}
    path = f"/v1/text-to-speech/{_voice(asked.voice)}{'' if named == 'wav' else '/stream'}"
    return Translated(in_json(_OWN, path, content, f"output_format={_FORMATS[named]}"))


def transcription(endpoint: Endpoint, request: NativeRequest) -> Translated:
    """POST /audio/transcriptions."""
    asked = read_recording(request)
    if not request.model:
        raise RequestNotPossible(f"`model`: name one, such as `{endpoint.name}/scribe_v1`.")
    fields = {"model_id": request.model}
    if asked.language:
        fields["language_code"] = asked.language
    if asked.temperature is not None:
        fields["temperature"] = f"{asked.temperature:g}"
    files = {"file": (asked.name, asked.content, asked.kind)}
    return Translated(in_form(_OWN, "/v1/speech-to-text", fields, files), lambda body: _transcript(asked, body))


def _voice(named: str) -> str:
    """A voice's id as it stands in a path."""
    if not named:
        raise RequestNotPossible("`voice` is missing: the id of one of this provider's voices.")
    if named in {".", ".."} or any(sign in "/\\" or not sign.isprintable() for sign in named):
        raise RequestNotPossible("`voice` must be the id of one of this provider's voices, and has no slash.")
    return quote(named, safe="")


def _transcript(asked: Recording, body: bytes) -> Said:
    said = document(body)
    if not isinstance(said.get("text"), str):
        raise BrokenAnswer("a transcription without text")
    heard = [an_object(word) for word in sequence(said.get("words"))]
    words = [_word(word) for word in heard if word.get("type") == "word"]
    seconds = measure(said.get("audio_duration_secs"))
    language = asked.language or text(said.get("language_code"))
    return transcript(asked, said["text"], language=language, seconds=seconds, words=words)


def _word(word: Mapping[str, Any]) -> dict[str, Any]:
    return {"word": text(word.get("text")), "start": word.get("start"), "end": word.get("end")}


FRONTS: Mapping[tuple[str, str], Translation] = {
    (WIRE, "/audio/speech"): speech,
    (WIRE, "/audio/transcriptions"): transcription,
}
