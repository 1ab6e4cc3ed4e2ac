"""OpenAI's API, scripted: https://platform.openai.com/docs/api-reference

Chat echoes the last message; with tools and a `tool_choice` other than `auto` and `none` it calls the first tool. A
model named `stream-error` breaks off with an error event, `cut` without one; `status-N` and others: `Vendor.fault`.
Responses are in openai_responses.py.
"""

import base64
import json
import struct
from collections.abc import Iterator
from typing import Any

from tests.vendors import openai_responses
from tests.vendors.server import LEAK, Answer, Arrived, Vendor, as_json, sse, words

USAGE = {
    "prompt_tokens": 9,
    "completion_tokens": 8,
    "total_tokens": 17,
    "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 3, "audio_tokens": 0},
}
ARGUMENTS = {"city": "Addis Ababa", "days": 2}
VECTOR = [0.5, -0.25, 0.125]
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(64))
IMAGE_USAGE = {
    "input_tokens": 12,
    "input_tokens_details": {"text_tokens": 12, "image_tokens": 0},
    "output_tokens": 272,
    "total_tokens": 284,
}
AUDIO = [b"ID3\x04\x00" + bytes(range(256)) * 8, b"\xff\xfb\x90\x00" * 512, b"\x00\x01\x02\xfe\xff" * 100]
TRANSCRIPT = "Hello there"
SECONDS = 3
MODEL = "gpt-scripted-1"
_ERRORS = {
    400: ("invalid_request_error", None),
    401: ("invalid_request_error", "invalid_api_key"),
    404: ("invalid_request_error", "model_not_found"),
    429: ("requests", "rate_limit_exceeded"),
    529: ("server_error", "server_is_overloaded"),
}


class OpenAI(Vendor):
    base_path = "/v1"

    def error(self, status: int, message: str) -> Answer:
        limits = {"retry-after": "7", "x-ratelimit-remaining-requests": "0"} if status == 429 else {}
        return as_json({"error": _error(status, message)}, status, **limits)

    def chat(self, arrived: Arrived) -> Answer:
        asked = arrived.json
        if refusal := self._refused(asked, "messages"):
            return refusal
        if not asked.get("stream"):
            return as_json(_completion(asked))
        pieces = list(_chunks(asked))
        if asked["model"] in {"stream-error", "cut"}:
            pieces = pieces[:2]
        if asked["model"] == "stream-error":
            pieces.append(sse({"error": _error(500, "The server had an error")}))
        return Answer(kind="text/event-stream", pieces=pieces, first=2, cut=asked["model"] == "cut")

    def responses(self, arrived: Arrived) -> Answer:
        asked = arrived.json
        if refusal := self._refused(asked, "input"):
            return refusal
        if not asked.get("stream"):
            return as_json(openai_responses.whole(asked))
        return openai_responses.streamed(asked)

    def embeddings(self, arrived: Arrived) -> Answer:
        asked = arrived.json
        if refusal := self._refused(asked, "input"):
            return refusal
        inputs = asked["input"] if isinstance(asked["input"], list) else [asked["input"]]
        coded = base64.b64encode(struct.pack(f"<{len(VECTOR)}f", *VECTOR)).decode()
        vector = coded if asked.get("encoding_format") == "base64" else VECTOR
        data = [{"object": "embedding", "index": index, "embedding": vector} for index in range(len(inputs))]
        usage = {"prompt_tokens": 6, "total_tokens": 6}
        return as_json({"object": "list", "data": data, "model": asked["model"], "usage": usage})

    def images(self, arrived: Arrived) -> Answer:
        """The older models know addresses and no usage, those of the gpt-image family the other way round."""
        asked = arrived.json
        if refusal := self._refused(asked, "prompt"):
            return refusal
        body: dict[str, Any] = {"created": 1_760_000_000}
        if asked.get("response_format") == "url":
            return as_json({**body, "data": [{"url": "https://images.example/1.png", "revised_prompt": "A cat"}]})
        picture = {"b64_json": base64.b64encode(PNG).decode()}
        return as_json({**body, "data": [picture] * asked.get("n", 1), "usage": IMAGE_USAGE})

    def speech(self, arrived: Arrived) -> Answer:
        asked = arrived.json
        if refusal := self._refused(asked, "input", "voice"):
            return refusal
        if asked.get("stream_format") == "sse":
            deltas = [sse({"type": "speech.audio.delta", "audio": base64.b64encode(a).decode()}) for a in AUDIO]
            usage = {"input_tokens": 5, "output_tokens": 80, "total_tokens": 85}
            done = sse({"type": "speech.audio.done", "usage": usage})
            return Answer(kind="text/event-stream", pieces=[*deltas, done])
        return Answer(kind="audio/mpeg", pieces=AUDIO)

    def transcriptions(self, arrived: Arrived) -> Answer:
        asked = {name: value.decode("utf-8", "replace") for name, value in arrived.form.items()}
        if refusal := self._refused(asked, "file"):
            return refusal
        if asked.get("response_format") in {"text", "srt", "vtt"}:
            return Answer(f"{TRANSCRIPT}\n".encode(), kind="text/plain; charset=utf-8")
        done = {"text": TRANSCRIPT, "usage": {"type": "duration", "seconds": SECONDS}}
        if asked.get("stream") == "true":
            deltas = [sse({"type": "transcript.text.delta", "delta": word}) for word in words(TRANSCRIPT)]
            return Answer(kind="text/event-stream", pieces=[*deltas, sse({"type": "transcript.text.done", **done})])
        return as_json(done)

    def models(self, arrived: Arrived) -> Answer:
        return as_json({"object": "list", "data": [_model(MODEL)]})

    def model(self, arrived: Arrived, name: str) -> Answer:
        return self.fault(name) or as_json(_model(name))

    def _refused(self, asked: dict[str, Any], *needed: str) -> Answer | None:
        missing = [name for name in ("model", *needed) if name not in asked]
        if missing:
            return self.error(400, f"Missing required parameter: '{missing[0]}'.")
        return self.fault(asked["model"])

    headers = {"x-request-id": "req_1", "openai-processing-ms": "5", "x-ratelimit-limit-requests": "60"}
    routes = {
        "POST /v1/chat/completions": chat,
        "POST /v1/responses": responses,
        "POST /v1/embeddings": embeddings,
        "POST /v1/images/generations": images,
        "POST /v1/audio/speech": speech,
        "POST /v1/audio/transcriptions": transcriptions,
        "GET /v1/models": models,
        "GET /v1/models/([^/]+)": model,
    }


def _error(status: int, message: str) -> dict[str, Any]:
    kind, code = _ERRORS.get(status, ("server_error", None))
    return {"message": f"{LEAK}: {message}", "type": kind, "param": None, "code": code}


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 1_760_000_000, "owned_by": "scripted"}


def text_of(content: Any) -> str:
    """The text in a message's content, which may be a list of parts."""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def _tool_call(asked: dict[str, Any]) -> dict[str, Any] | None:
    if not asked.get("tools") or asked.get("tool_choice", "auto") in ("auto", "none"):
        return None
    function = {"name": asked["tools"][0]["function"]["name"], "arguments": json.dumps(ARGUMENTS)}
    return {"id": "call_1", "type": "function", "function": function}


def _completion(asked: dict[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": None, "refusal": None}
    if call := _tool_call(asked):
        message["tool_calls"] = [call]
    else:
        message["content"] = f"Answer to: {text_of(asked['messages'][-1]['content'])}"
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if call else "stop", "logprobs": None}
    return {**_head(asked, "chat.completion"), "choices": [choice], "usage": USAGE}


def _head(asked: dict[str, Any], kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "object": kind, "created": 1_760_000_000, "model": asked["model"]}


def _chunks(asked: dict[str, Any]) -> Iterator[bytes]:
    wants_usage = (asked.get("stream_options") or {}).get("include_usage")
    head = {**_head(asked, "chat.completion.chunk"), **({"usage": None} if wants_usage else {})}

    def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
        return sse({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

    message = _completion(asked)["choices"][0]["message"]
    yield chunk({"role": "assistant", "content": "" if message["content"] else None})
    for word in words(message["content"] or ""):
        yield chunk({"content": word})
    for call in message.get("tool_calls", []):
        arguments = call["function"]["arguments"]
        yield chunk({"tool_calls": [{"index": 0, **call, "function": {**call["function"], "arguments": ""}}]})
        for piece in (arguments[:9], arguments[9:]):
            yield chunk({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
    yield chunk({}, "tool_calls" if "tool_calls" in message else "stop")
    if wants_usage:
        yield sse({**head, "choices": [], "usage": USAGE})
    yield sse("[DONE]")
