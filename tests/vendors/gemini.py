"""Gemini's API, scripted: https://ai.google.dev/api/generate-content

The answer echoes the last text; with tools and the mode `ANY` it calls the first function. A model named `stream-error`
breaks off with an error, `cut` without one; `status-N` and others: `Vendor.fault`. A wrong key is a 400 here, as there.
"""

import json
from collections.abc import Iterator
from typing import Any

from tests.vendors.server import LEAK, Answer, Arrived, Vendor, as_json, sse, words

# Input includes what was cached; thoughts are counted beside the candidates, not within.
USAGE = {
    "promptTokenCount": 13,
    "cachedContentTokenCount": 4,
    "candidatesTokenCount": 6,
    "thoughtsTokenCount": 2,
    "totalTokenCount": 21,
}
ARGUMENTS = {"city": "Addis Ababa", "days": 2}
MODEL = "gemini-scripted-1"
VECTOR = [0.5, -0.25, 0.125]
_ERRORS = {
    400: "INVALID_ARGUMENT",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class Gemini(Vendor):
    def key_in(self, arrived: Arrived) -> str:
        return arrived.headers.get("x-goog-api-key", "")

    def error(self, status: int, message: str) -> Answer:
        status, reason = (400, "API_KEY_INVALID") if status == 401 else (status, "")
        return as_json({"error": _error(status, message, reason)}, status)

    def generate(self, arrived: Arrived, model: str) -> Answer:
        return self._refused(arrived, model) or as_json(_whole(arrived.json, model))

    def stream(self, arrived: Arrived, model: str) -> Answer:
        if refusal := self._refused(arrived, model):
            return refusal
        pieces = list(_pieces(arrived.json, model))
        if model in {"stream-error", "cut"}:
            pieces = pieces[:1]
        if model == "stream-error":
            pieces.append({"error": _error(503, "The model is overloaded")})
        cut = model == "cut"
        if "alt=sse" in arrived.query.split("&"):
            return Answer(kind="text/event-stream", pieces=[sse(piece) for piece in pieces], cut=cut)
        begun = [(b"[" if i == 0 else b",\r\n") + json.dumps(piece).encode() for i, piece in enumerate(pieces)]
        return Answer(pieces=[*begun, b"]"] if not cut else begun, cut=cut)

    def count_tokens(self, arrived: Arrived, model: str) -> Answer:
        return self._refused(arrived, model) or as_json({"totalTokens": 13})

    def embed(self, arrived: Arrived, model: str) -> Answer:
        """A vector for each text. A model named `counted` says what it used, as not all do."""
        if fault := self.fault(model):
            return fault
        asked = arrived.json["requests"]
        if any(one["model"] != f"models/{model}" or not one["content"]["parts"][0]["text"] for one in asked):
            return self.error(400, "* BatchEmbedContentsRequest.requests: invalid")
        answer: dict[str, Any] = {
            "embeddings": [{"values": VECTOR[: one.get("outputDimensionality")]} for one in asked]
        }
        return as_json({**answer, "usageMetadata": {"promptTokenCount": 9}} if model == "counted" else answer)

    def models(self, arrived: Arrived) -> Answer:
        return as_json({"models": [_model(MODEL)]})

    def model(self, arrived: Arrived, name: str) -> Answer:
        return self.fault(name) or as_json(_model(name))

    def _refused(self, arrived: Arrived, model: str) -> Answer | None:
        if not arrived.json.get("contents"):
            return self.error(400, "* GenerateContentRequest.contents: contents is not specified")
        return self.fault(model)

    headers = {"x-goog-canary": "gfe"}
    routes = {
        "POST /v1(?:beta)?/models/([^/:]+):generateContent": generate,
        "POST /v1(?:beta)?/models/([^/:]+):streamGenerateContent": stream,
        "POST /v1(?:beta)?/models/([^/:]+):countTokens": count_tokens,
        "POST /v1(?:beta)?/models/([^/:]+):batchEmbedContents": embed,
        "GET /v1(?:beta)?/models": models,
        "GET /v1(?:beta)?/models/([^/:]+)": model,
    }


def _error(status: int, message: str, reason: str = "") -> dict[str, Any]:
    details: list[dict[str, Any]] = []
    if reason:
        info = "type.googleapis.com/google.rpc.ErrorInfo"
        details.append({"@type": info, "reason": reason, "domain": "googleapis.com"})
    if status == 429:
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7s"})
    name = _ERRORS.get(status, "UNKNOWN")
    return {"code": status, "message": f"{LEAK}: {message}", "status": name, "details": details}


def _model(name: str) -> dict[str, Any]:
    methods = ["generateContent", "countTokens"]
    return {"name": f"models/{name}", "displayName": "Scripted", "supportedGenerationMethods": methods}


def _parts(asked: dict[str, Any]) -> list[dict[str, Any]]:
    """The answer in the pieces in which it is streamed."""
    mode = asked.get("toolConfig", {}).get("functionCallingConfig", {}).get("mode")
    if asked.get("tools") and mode == "ANY":
        name = asked["tools"][0]["functionDeclarations"][0]["name"]
        return [{"functionCall": {"name": name, "args": ARGUMENTS}}]
    said = "".join(part.get("text", "") for part in asked["contents"][-1]["parts"])
    return [{"text": word} for word in words(f"Answer to: {said}")]


def _response(model: str, parts: list[dict[str, Any]], usage: dict[str, int], end: bool) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}, "index": 0}
    if end:
        candidate["finishReason"] = "STOP"
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": model, "responseId": "r1"}


def _whole(asked: dict[str, Any], model: str) -> dict[str, Any]:
    parts = _parts(asked)
    joined = [{"text": "".join(part["text"] for part in parts)}] if "text" in parts[0] else parts
    return _response(model, joined, USAGE, end=True)


def _pieces(asked: dict[str, Any], model: str) -> Iterator[dict[str, Any]]:
    """Each carries the usage up to it."""
    parts = _parts(asked)
    for position, part in enumerate(parts, 1):
        last = position == len(parts)
        usage = (
            USAGE
            if last
            else {"promptTokenCount": 13, "candidatesTokenCount": position, "totalTokenCount": 13 + position}
        )
        yield _response(model, [part], usage, end=last)
