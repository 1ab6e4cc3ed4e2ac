"""ElevenLabs' API, scripted: https://elevenlabs.io/docs/api-reference/text-to-speech/convert

A `model_id` of `status-N` and others make errors (`Vendor.fault`), `cut` ends in the middle of the audio.
"""

from typing import Any

from tests.vendors.server import LEAK, Answer, Arrived, Vendor, as_json

AUDIO = [b"ID3\x04\x00" + bytes(range(256)) * 8, b"\xff\xfb\x90\x00" * 512, b"\x00\x01\x02\xfe\xff" * 100]
COST = "17"
VOICE = {"voice_id": "21m00Tcm4TlvDq8ikWAM", "name": "Rachel", "category": "premade", "labels": {}}
MODEL = "eleven_multilingual_v2"
TRANSCRIPT = {
    "language_code": "eng",
    "language_probability": 0.98,
    "text": "Hello there",
    "words": [{"text": "Hello", "start": 0.0, "end": 0.5, "type": "word", "speaker_id": "speaker_0", "logprob": -0.1}],
    "transcription_id": "t1",
    "audio_duration_secs": 2.5,
}
_ERRORS = {
    400: ("validation_error", "invalid_parameters", "invalid_parameters"),
    401: ("authentication_error", "unauthorized", "invalid_api_key"),
    404: ("not_found", "voice_not_found", "voice_not_found"),
    429: ("rate_limit_error", "concurrent_limit_exceeded", "too_many_concurrent_requests"),
}


class ElevenLabs(Vendor):
    def key_in(self, arrived: Arrived) -> str:
        return arrived.headers.get("xi-api-key", "")

    def error(self, status: int, message: str) -> Answer:
        kind, code, name = _ERRORS.get(status, ("internal_error", "internal_error", "internal_error"))
        detail = {"type": kind, "code": code, "message": f"{LEAK}: {message}", "status": name, "request_id": "r1"}
        return as_json({"detail": detail}, status)

    def speech(self, arrived: Arrived, voice: str, streamed: str | None) -> Answer:
        asked = arrived.json
        if voice == "no-such-voice":
            return self.error(404, "A voice was not found")
        return self._refused(asked) or _audio(streamed is not None, asked.get("model_id", MODEL) == "cut")

    def sound(self, arrived: Arrived) -> Answer:
        return self._refused(arrived.json) or _audio(streamed=True)

    def transcript(self, arrived: Arrived) -> Answer:
        form = arrived.form
        missing = [name for name in ("model_id", "file") if name not in form]
        if missing:
            return self.error(400, f"missing {missing}")
        return self.fault(form["model_id"].decode()) or as_json(TRANSCRIPT)

    def voices(self, arrived: Arrived) -> Answer:
        return as_json({"voices": [VOICE], "has_more": False, "total_count": 1, "next_page_token": None})

    def models(self, arrived: Arrived) -> Answer:
        rates = {"character_cost_multiplier": 1.0, "cost_discount_multiplier": 1.0}
        return as_json([{"model_id": MODEL, "name": "Multilingual", "languages": [], "model_rates": rates}])

    def _refused(self, asked: dict[str, Any]) -> Answer | None:
        if not asked.get("text"):
            unset = {"loc": ["body", "text"], "msg": "Field required", "type": "missing"}
            return as_json({"detail": [unset]}, 422)
        return self.fault(asked.get("model_id", MODEL))

    headers = {"x-trace-id": "trace1", "x-region": "us-central1"}
    routes = {
        "POST /v1/text-to-speech/([^/]+)(/stream)?": speech,
        "POST /v1/sound-generation": sound,
        "POST /v1/speech-to-text": transcript,
        "GET /v[12]/voices": voices,
        "GET /v1/models": models,
    }


def _audio(streamed: bool, cut: bool = False) -> Answer:
    headers = {"character-cost": COST, "request-id": "req1", "current-concurrent-requests": "1"}
    if cut:
        return Answer(kind="audio/mpeg", headers=headers, pieces=AUDIO[:1], cut=True)
    if streamed:
        return Answer(kind="audio/mpeg", headers=headers, pieces=AUDIO)
    return Answer(b"".join(AUDIO), kind="audio/mpeg", headers=headers)
