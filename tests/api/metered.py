"""Requests to each vendor, what it answers, and what of it is to be in the ledger: for test_metering.py."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Case:
    """A request, what the vendor answers, and what the ledger has of it. An answer that is a list is a stream.

    tokens: input, output, cached, cache_write, reasoning; None where they are an estimate. model: the one that was
    asked for; answered, the one that answered, where it says so.
    """

    path: str
    asked: Any
    answer: Any
    tokens: tuple[int, ...] | None = (0, 0, 0, 0, 0)
    measures: Mapping[str, float] | None = None
    model: str = ""
    answered: str = ""
    estimated: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    kind: str = ""
    state: str = "done"


def sse(*events: Any, names: Sequence[str] = ()) -> list[bytes]:
    """A stream in pieces that begin and end within events."""
    raw = b""
    for place, event in enumerate(events):
        raw += f"event: {names[place]}\n".encode() if names else b""
        raw += b"data: " + (event.encode() if isinstance(event, str) else json.dumps(event).encode()) + b"\n\n"
    third = len(raw) // 3
    return [raw[:third], raw[third : -third // 2], raw[-third // 2 :]]


def form(**fields: str) -> bytes:
    parts = (
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()
    )
    return "".join(parts).encode() + b"--b--\r\n"


CHAT = {"model": "asked", "messages": [{"role": "user", "content": "\u1230\u120b\u121d"}]}
ANTHROPIC: dict[str, Any] = {
    "input_tokens": 10,
    "cache_creation_input_tokens": 4,
    "cache_read_input_tokens": 8,
    "output_tokens": 12,
}
ANTHROPIC |= {"output_tokens_details": {"thinking_tokens": 5}}
TEXT = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "said"}}
MESSAGES: list[dict[str, Any]] = [
    {"type": "message_start", "message": {"model": "m-1", "usage": {**ANTHROPIC, "output_tokens": 1}}},
    TEXT,
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 12}},
    {"type": "message_stop"},
]
GEMINI = {"promptTokenCount": 30, "candidatesTokenCount": 7, "totalTokenCount": 42, "cachedContentTokenCount": 8}
GEMINI |= {"thoughtsTokenCount": 5}
CANDIDATE = {"content": {"role": "model", "parts": [{"text": "said"}]}, "index": 0}
FINISHED = {"candidates": [{**CANDIDATE, "finishReason": "STOP"}], "usageMetadata": GEMINI, "modelVersion": "m-1"}
ADDIS = {"prompt_token_count": 30, "candidates_token_count": 12, "total_token_count": 42}
SAID = {"type": "content", "text": "said", "finish_reason": None}

CASES = {
    "anthropic": Case(
        "/v1/messages",
        CHAT,
        {"type": "message", "content": [{"type": "text", "text": "said"}], "model": "m-1", "usage": ANTHROPIC},
        (22, 12, 8, 4, 5),
        model="asked",
        answered="m-1",
    ),
    "anthropic, streamed": Case(
        "/v1/messages",
        {**CHAT, "stream": True},
        sse(*MESSAGES, names=[str(one["type"]) for one in MESSAGES]),
        (22, 12, 8, 4, 5),
        model="asked",
        answered="m-1",
    ),
    "anthropic, streamed without usage": Case(
        "/v1/messages",
        {**CHAT, "stream": True},
        sse({"type": "message_start", "message": {"model": "m-1"}}, TEXT, MESSAGES[3]),
        None,
        model="asked",
        answered="m-1",
        estimated=True,
    ),
    "anthropic counts tokens": Case("/v1/messages/count_tokens", CHAT, {"input_tokens": 9}, model="asked"),
    "gemini": Case(
        "/v1beta/models/g-1:generateContent", {"contents": []}, FINISHED, (30, 12, 8, 0, 5), model="g-1", answered="m-1"
    ),
    "gemini, streamed": Case(
        "/v1beta/models/g-1:streamGenerateContent?alt=sse",
        {"contents": []},
        sse({"candidates": [CANDIDATE], "usageMetadata": {"promptTokenCount": 30}}, FINISHED),
        (30, 12, 8, 0, 5),
        model="g-1",
        answered="m-1",
    ),
    "gemini, streamed as a list": Case(
        "/v1beta/models/g-1:streamGenerateContent",
        {"contents": []},
        [json.dumps([{"candidates": [CANDIDATE]}])[:-1].encode() + b",\n", json.dumps(FINISHED).encode() + b"]"],
        (30, 12, 8, 0, 5),
        model="g-1",
        answered="m-1",
        kind="application/json",
    ),
    "gemini, streamed without usage": Case(
        "/v1beta/models/g-1:streamGenerateContent?alt=sse",
        {"contents": []},
        sse({"candidates": [{**CANDIDATE, "finishReason": "STOP"}]}),
        None,
        model="g-1",
        estimated=True,
    ),
    "addis": Case(
        "/api/v1/chat_generate",
        {"prompt": "x"},
        {"status": "success", "data": {"response_text": "said", "finish_reason": "stop", "usage_metadata": ADDIS}},
        (30, 12, 0, 0, 0),
    ),
    "addis, streamed": Case(
        "/api/v1/chat_generate",
        {"prompt": "x", "generation_config": {"stream": True}},
        sse(SAID, {"type": "content", "text": "", "finish_reason": "STOP", "usage_metadata": ADDIS}, "[DONE]"),
        (30, 12, 0, 0, 0),
    ),
    "addis, streamed without usage": Case(
        "/api/v1/chat_generate",
        {"prompt": "x", "generation_config": {"stream": True}},
        sse(SAID, {**SAID, "finish_reason": "STOP"}, "[DONE]"),
        None,
        estimated=True,
    ),
    "addis speaks": Case(
        "/api/v1/voice/generations",
        {"text": "x"},
        {"data": {"billable_characters": 4, "duration_seconds": 1.5, "usage": {"credits_used": 0.25}}},
        measures={"credits": 0.25, "characters": 4.0, "audio_seconds": 1.5},
    ),
    "elevenlabs speaks": Case(
        "/v1/text-to-speech/voice/stream?output_format=mp3_44100_128",
        {"text": "\u1230\u120b\u121d", "model_id": "t-1"},
        [b"\xff\xfb", b"\x00" * 30],
        measures={"characters": 7.0},
        model="t-1",
        headers={"character-cost": "7"},
        kind="audio/mpeg",
    ),
    "elevenlabs speaks without a cost": Case(
        "/v1/text-to-speech/voice",
        {"text": "\u1230\u120b\u121d", "model_id": "t-1"},
        b"\xff\xfb",
        measures={"characters": 3.0},
        model="t-1",
        estimated=True,
        kind="audio/mpeg",
    ),
    "elevenlabs listens": Case(
        "/v1/speech-to-text",
        form(model_id="scribe_v1", file="x"),
        {"text": "x", "audio_duration_secs": 12.25},
        measures={"audio_seconds": 12.25},
        model="scribe_v1",
    ),
    "fal runs": Case(
        "/fal.run/fal-ai/flux/dev",
        {"prompt": "x"},
        {"images": [{"url": "u"}]},
        measures={"billable_units": 2.5, "images": 1.0},
        model="fal-ai/flux/dev",
        headers={"x-fal-billable-units": "2.5"},
    ),
    "fal queues": Case(
        "/queue.fal.run/fal-ai/flux/dev", {"prompt": "x"}, {"status": "IN_QUEUE"}, model="fal-ai/flux/dev"
    ),
    "fal streams": Case(
        "/fal.run/fal-ai/flux/dev/stream",
        {"prompt": "x"},
        sse({"images": []}, {"images": [{"url": "u"}]}),
        measures={"billable_units": 2.5},
        model="fal-ai/flux/dev",
        headers={"x-fal-billable-units": "2.5"},
    ),
}
