"""A scripted Addis AI over real sockets: which of its documented shapes it answers in is chosen by the model's name.

Without one it answers in an envelope and streams server-sent events. `flat` and `ndjson` are the others; `cut` and
`error` at a name's end break a stream after two words.
"""

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from tests.vendors.server import LEAK, Answer, Arrived, Vendor, as_json, sse

WORDS = ["ሰላም", " እንዴት", " ነህ", "?"]
AUDIO = b"RIFF\x00\x00\x00\x00WAVE" + bytes(range(256)) * 8
USAGE = {"prompt_token_count": 11, "candidates_token_count": 6, "total_token_count": 17}
CAMEL_USAGE = {"promptTokenCount": 11, "candidatesTokenCount": 6, "totalTokenCount": 17}


def asked(arrived: Arrived) -> dict[str, Any]:
    """What was asked for, from the JSON or from the form."""
    if arrived.headers.get("content-type", "").startswith("multipart/"):
        wanted: dict[str, Any] = json.loads(arrived.form["request_data"])
        return wanted
    return arrived.json


class AddisUpstream(Vendor):
    """Chats, and tells what was spent on voices."""

    headers: ClassVar[Mapping[str, str]] = {"X-Addis-Request": "r1"}

    def key_in(self, arrived: Arrived) -> str:
        assert "authorization" not in arrived.headers
        return arrived.headers.get("x-api-key", "")

    def error(self, status: int, message: str) -> Answer:
        code = {"code": "INVALID_INPUT", "message": f"{message} {LEAK}"}
        return as_json({"status": "error", "error": code}, status, Retry_After="7")

    def chat(self, arrived: Arrived) -> Answer:
        wanted = asked(arrived)
        model = wanted.get("model", "")
        if refusal := self.fault(model):
            return refusal
        if model == "error-inside":
            return as_json({"status": "error", "error": {"code": "BUSY", "message": LEAK}})
        if wanted["generation_config"].get("stream"):
            return _stream(model)
        answer = {"response_text": f"Answer to: {wanted['prompt']}", "modelVersion": "Addis-፩-አሌፍ"}
        if model == "flat":
            return as_json({**answer, "finish_reason": "stop", "usage_metadata": CAMEL_USAGE})
        return as_json({"status": "success", "data": {**answer, "finish_reason": "STOP", "usage_metadata": USAGE}})

    def speak(self, arrived: Arrived) -> Answer:
        """What cannot be spoken is told inside a success, as the vendor's older paths do."""
        if arrived.json["text"] == "error":
            return as_json({"status": "error", "error": {"code": "TTS_FAILED", "message": LEAK}})
        if arrived.json["text"] == "status":
            return self.error(429, "RATE_LIMITED")
        return as_json({"audio": f"data:audio/wav;base64,{base64.b64encode(AUDIO).decode()}"})

    def hear(self, arrived: Arrived) -> Answer:
        language = json.loads(arrived.form["request_data"])["language_code"]
        used = {"totalBilledDuration": "15s", "requestId": "r1"}
        return as_json({"status": "success", "data": {"transcription": f"In {language}", "usage_metadata": used}})

    def spent(self, arrived: Arrived) -> Answer:
        return as_json({"data": {"balance": 5, "currency": "ETB"}})

    routes: ClassVar[Mapping[str, Callable[..., Answer]]] = {
        "POST /api/v1/chat_generate": chat,
        "POST /api/v1/audio": speak,
        "POST /api/v2/stt": hear,
        "GET /api/v1/voice/usage": spent,
    }


def _stream(model: str) -> Answer:
    said: list[Any] = [{"type": "content", "text": word, "finish_reason": None} for word in WORDS]
    if model.endswith(("cut", "error")):
        said = said[:2]
    else:
        said.append({"type": "content", "text": "", "finish_reason": "MAX_TOKENS", "usage_metadata": USAGE})
    if model.endswith("error"):
        said.append({"status": "error", "error": {"message": LEAK}})
    if model.startswith("ndjson"):
        pieces = [json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in said]
        return Answer(kind="application/x-ndjson", pieces=pieces, cut=model.endswith("cut"))
    pieces = [sse(event) for event in said] + [sse("[DONE]", "done")] * (not model)
    return Answer(kind="text/event-stream", pieces=pieces, cut=model.endswith("cut"))
