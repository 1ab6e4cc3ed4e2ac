"""Requests to OpenAI and what it answers: for test_metering.py."""

from typing import Any

from tests.api.metered import CHAT, Case, form, sse

OPENAI: dict[str, Any] = {
    "prompt_tokens": 30,
    "completion_tokens": 12,
    "total_tokens": 42,
    "prompt_tokens_details": {"cached_tokens": 8, "cache_write_tokens": 4},
    "completion_tokens_details": {"reasoning_tokens": 5},
}
OPENAI_TOKENS = (30, 12, 8, 4, 5)
RESPONSES: dict[str, Any] = {"input_tokens": 30, "output_tokens": 12, "total_tokens": 42}
RESPONSES |= {"input_tokens_details": {"cached_tokens": 8, "cache_write_tokens": 4}}
RESPONSES |= {"output_tokens_details": {"reasoning_tokens": 5}}
MESSAGE = {"role": "assistant", "content": "said"}
DELTA = {"model": "m-1", "choices": [{"index": 0, "delta": {"content": "eight by"}}]}
STOP = {"model": "m-1", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
DONE = {"id": "r", "status": "completed", "model": "m-1", "usage": RESPONSES}
CASES = {
    "openai chat": Case(
        "/chat/completions",
        CHAT,
        {"model": "m-1", "choices": [{"message": MESSAGE, "finish_reason": "stop"}], "usage": OPENAI},
        OPENAI_TOKENS,
        model="asked",
        answered="m-1",
    ),
    "openai chat without usage": Case(
        "/chat/completions",
        CHAT,
        {"model": "m-1", "choices": [{"message": {**MESSAGE, "content": "eight by"}, "finish_reason": "stop"}]},
        None,
        model="asked",
        answered="m-1",
        estimated=True,
    ),
    "openai chat, streamed": Case(
        "/chat/completions",
        {**CHAT, "stream": True},
        sse(DELTA, STOP, {"model": "m-1", "choices": [], "usage": OPENAI}, "[DONE]"),
        OPENAI_TOKENS,
        model="asked",
        answered="m-1",
    ),
    "openai chat, streamed without usage": Case(
        "/chat/completions",
        {**CHAT, "stream": True},
        sse(DELTA, STOP, "[DONE]"),
        None,
        model="asked",
        answered="m-1",
        estimated=True,
    ),
    "openai chat, an error in the stream": Case(
        "/chat/completions",
        {**CHAT, "stream": True},
        sse(DELTA, {"error": {"message": "overloaded"}}),
        None,
        model="asked",
        answered="m-1",
        estimated=True,
        state="upstream_error",
    ),
    "openai responses": Case(
        "/responses", {"model": "a", "input": "x"}, DONE, OPENAI_TOKENS, model="a", answered="m-1"
    ),
    "openai responses, streamed": Case(
        "/responses",
        {"model": "a", "input": "x", "stream": True},
        sse(
            {"type": "response.output_text.delta", "delta": "said"},
            {"type": "response.completed", "response": DONE},
            names=("response.output_text.delta", "response.completed"),
        ),
        OPENAI_TOKENS,
        model="a",
        answered="m-1",
    ),
    "openai embeddings": Case(
        "/embeddings",
        {"model": "e-1", "input": ["x"]},
        {"object": "list", "data": [{"embedding": [0.5]}], "usage": {"prompt_tokens": 6, "total_tokens": 6}},
        (6, 0, 0, 0, 0),
        model="e-1",
    ),
    "openai pictures": Case(
        "/images/generations",
        {"model": "i-1", "prompt": "x", "n": 2},
        {"created": 1, "data": [{"url": "u"}, {"url": "u"}], "usage": {"input_tokens": 6, "output_tokens": 90}},
        (6, 90, 0, 0, 0),
        {"images": 2.0},
        "i-1",
    ),
    "openai pictures without usage": Case(
        "/images/edits",
        form(model="i-1"),
        {"created": 1, "data": [{"url": "u"}]},
        measures={"images": 1.0},
        model="i-1",
        estimated=True,
    ),
    "openai pictures, streamed": Case(
        "/images/generations",
        {"model": "i-1", "prompt": "x", "stream": True},
        sse({"type": "image_generation.completed", "usage": {"input_tokens": 6, "output_tokens": 90}}),
        (6, 90, 0, 0, 0),
        model="i-1",
    ),
    "openai transcription": Case(
        "/audio/transcriptions",
        form(model="w-1", file="\u1230"),
        {"text": "x", "usage": {"type": "duration", "seconds": 3.5}},
        measures={"audio_seconds": 3.5},
        model="w-1",
    ),
    "openai transcription in tokens": Case(
        "/audio/transcriptions",
        form(file="x", model="w-1"),
        {"text": "x", "usage": {"type": "tokens", "input_tokens": 14, "output_tokens": 3, "total_tokens": 17}},
        (14, 3, 0, 0, 0),
        model="w-1",
    ),
    "openai transcription as text": Case(
        "/audio/transcriptions", form(model="w-1"), b"said", None, model="w-1", estimated=True, kind="text/plain"
    ),
    "openai transcription, streamed": Case(
        "/audio/transcriptions",
        form(model="w-1", stream="true"),
        sse(
            {"type": "transcript.text.delta", "delta": "x"},
            {"type": "transcript.text.done", "text": "x", "usage": {"input_tokens": 14, "output_tokens": 3}},
        ),
        (14, 3, 0, 0, 0),
        model="w-1",
    ),
    "openai speech": Case(
        "/audio/speech",
        {"model": "t-1", "input": "\u1230\u120b\u121d!"},
        b"\xff\xfb\x00",
        measures={"characters": 4.0},
        model="t-1",
        kind="audio/mpeg",
        estimated=True,
    ),
    "openai speech in events": Case(
        "/audio/speech",
        {"model": "t-1", "input": "x", "stream_format": "sse"},
        sse({"type": "speech.audio.done", "usage": {"input_tokens": 14, "output_tokens": 101, "total_tokens": 115}}),
        (14, 101, 0, 0, 0),
        model="t-1",
    ),
}
