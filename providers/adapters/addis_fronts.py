"""OpenAI's speech and transcriptions for Addis AI, which has one model for each, so that `model` says nothing there.

Source: https://platform.addisassistant.com/docs/capabilities/text-to-speech and its OpenAPI document, /openapi.json.
"""

import base64
import binascii
from collections.abc import Collection, Mapping

import orjson

from providers.adapters.addis_meters import billed_seconds
from providers.adapters.json_values import document, mapping
from providers.adapters.openai_media import WIRE, Recording, read_recording, read_speech, transcript
from providers.adapters.translation import Said, Translated, Translation, in_form, in_json
from providers.errors import BrokenAnswer, RequestNotPossible
from providers.types import Endpoint, NativeRequest

_OWN = "addis"
_SPOKEN = ("am", "om")
_HEARD = ("am", "om", "ti", "en", "ha", "sw")


def speech(endpoint: Endpoint, request: NativeRequest) -> Translated:
    """POST /audio/speech, in the language of the provider's settings."""
    asked = read_speech(request, slowest=1, fastest=1)
    if asked.format not in {"", "wav"}:
        raise RequestNotPossible("`response_format` must be `wav` with this provider.")
    content = {"text": asked.text, "language": _language(endpoint, "", _SPOKEN), "stream": False}
    if asked.voice:
        content["voice_id"] = asked.voice
    return Translated(in_json(_OWN, "/api/v1/audio", content), _audio)


def transcription(endpoint: Endpoint, request: NativeRequest) -> Translated:
    """POST /audio/transcriptions."""
    asked = read_recording(request)
    if asked.temperature or asked.words:
        raise RequestNotPossible("This provider has no `temperature` and no times of words. Leave them out.")
    language = _language(endpoint, asked.language, _HEARD)
    fields = {"request_data": orjson.dumps({"language_code": language}).decode()}
    files = {"audio": (asked.name, asked.content, asked.kind)}
    return Translated(in_form(_OWN, "/api/v2/stt", fields, files), lambda body: _transcript(asked, language, body))


def _language(endpoint: Endpoint, named: str, known: Collection[str]) -> str:
    language = named or str(endpoint.config.get("target_language") or "am")
    if language not in known:
        raise RequestNotPossible(f"Provider '{endpoint.name}' can do that in {', '.join(known)}, not in '{language}'.")
    return language


def _audio(body: bytes) -> Said:
    """WAV in base64, with or without the beginning of a data URL."""
    said = document(body)
    encoded = said.get("audio") or mapping(said.get("data")).get("audio")
    if not isinstance(encoded, str):
        raise BrokenAnswer("an answer without audio")
    if encoded.startswith("data:"):
        encoded = encoded.partition(",")[2]
    try:
        return base64.b64decode(encoded, validate=True), "audio/wav"
    except binascii.Error as error:
        raise BrokenAnswer("audio that is not base64") from error


def _transcript(asked: Recording, language: str, body: bytes) -> Said:
    heard = mapping(document(body).get("data"))
    if not isinstance(heard.get("transcription"), str):
        raise BrokenAnswer("a transcription without text")
    return transcript(asked, heard["transcription"], language=language, seconds=billed_seconds(heard))


FRONTS: Mapping[tuple[str, str], Translation] = {
    (WIRE, "/audio/speech"): speech,
    (WIRE, "/audio/transcriptions"): transcription,
}
