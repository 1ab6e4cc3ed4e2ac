"""What Addis AI's relayed answers used, and that every byte of them passes."""

import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from providers.adapters.addis import AddisAdapter
from providers.errors import BrokenAnswer, Truncated
from providers.types import Chunk, Endpoint, NativeRequest, Usage

ADAPTER = AddisAdapter()
ENDPOINT = Endpoint(name="vendor", type="addis", base_url="https://api.example.com", key="sk_canary")
REPORTED = {"prompt_token_count": 12, "candidates_token_count": 45, "total_token_count": 57}
USED = Usage(12, 45)
ANSWER = {"response_text": "ሰላም", "finish_reason": "stop", "usage_metadata": REPORTED, "modelVersion": "Addis-፩-አሌፍ"}
LAST = json.dumps({"text": "", "finish_reason": "STOP", "usage_metadata": REPORTED}).encode()


def used(
    path: str, sent: bytes, pieces: list[bytes], headers: dict[str, str] | None = None, method: str = "POST"
) -> Chunk:
    """What the meter says of a relayed answer, once it is over; and that it passes every byte."""
    head = httpx.Response(200, headers={"content-type": "application/json", **(headers or {})})
    meter = ADAPTER.meter(ENDPOINT, NativeRequest("", method, path, body=sent), head)
    fed = [meter.feed(piece) for piece in pieces]
    last = meter.finish()
    assert b"".join(chunk.raw for chunk in (*fed, last)) == b"".join(pieces)
    assert last.end
    usage = next((chunk.usage for chunk in (last, *reversed(fed)) if chunk.usage), None)
    return replace(last, raw=b"", usage=usage)


CHAT = "/api/v1/chat_generate"
STREAM = b'{"prompt": "x", "generation_config": {"stream": true}}'


def encoded(data: Any) -> bytes:
    return json.dumps(data).encode()


@pytest.mark.parametrize(
    ("path", "sent", "answer", "usage"),
    [
        (CHAT, b"{}", encoded({"data": ANSWER}), USED),
        (CHAT, b"--form", encoded(ANSWER), USED),
        (CHAT, STREAM, b"data: %b\n\ndata: [DONE]\n\n" % LAST, USED),
        (CHAT, STREAM, LAST, USED),
        (
            "/api/v1/audio",
            b'{"text": "\xe1\x88\xb0\xe1\x88\x8b!"}',
            b'{"audio": ""}',
            Usage(measures={"characters": 3}, estimated=True),
        ),
        ("/api/v1/audio", b"nonsense", b'{"audio": ""}', Usage(measures={"characters": 0}, estimated=True)),
        (
            "/api/v1/voice/generations",
            b"{}",
            encoded({"data": {"billable_characters": 9, "duration_seconds": 1.5, "usage": {"credits_used": 0.2}}}),
            Usage(measures={"credits": 0.2, "characters": 9, "audio_seconds": 1.5}),
        ),
        (
            "/api/v1/voice/generations",
            b"{}",
            encoded({"data": {"usage": {"credits_used": 0.2}, "meta": {"idempotent_replay": True}}}),
            Usage(),
        ),
        ("/api/v1/voice/generations", b"{}", encoded({"data": {}}), None),
        (
            "/api/v2/stt",
            b"--form",
            encoded({"status": "success", "data": {"usage_metadata": {"totalBilledDuration": "15s"}}}),
            Usage(measures={"audio_seconds": 15.0}),
        ),
        ("/api/v2/stt", b"--form", encoded({"data": {"usage_metadata": {"totalBilledDuration": "soon"}}}), None),
        ("/api/v1/translate", b"{}", encoded({"data": {"translation": "x"}}), None),
    ],
)
def test_what_a_relayed_answer_used(path: str, sent: bytes, answer: bytes, usage: Usage | None) -> None:
    chunk = used(path, sent, [answer[:20], answer[20:]])
    assert (chunk.usage, chunk.flaw) == (usage, None)


def test_reading_costs_nothing() -> None:
    assert used("/api/v1/voice/generations", b"", [b"[]"], method="GET").usage == Usage()
    assert used(CHAT, b"", [b"[]"], method="GET").usage == Usage()


@pytest.mark.parametrize(
    ("path", "sent", "answer", "flaw"),
    [
        (CHAT, b"{}", b'{"status": "error", "error": {}}', BrokenAnswer),
        (CHAT, STREAM, b'data: {"status": "error"}\n\n', BrokenAnswer),
        (CHAT, STREAM, b"data: %b\n\n" % b'{"text": "x"}', Truncated),
        ("/api/v1/voice/generations", b"{}", b'{"error": {"code": "BUSY"}}', BrokenAnswer),
        ("/api/v2/stt", b"{}", b"<html>", BrokenAnswer),
    ],
)
def test_flaws_of_relayed_answers(path: str, sent: bytes, answer: bytes, flaw: type[Exception]) -> None:
    assert isinstance(used(path, sent, [answer[:20], answer[20:]]).flaw, flaw)


def frames(*audio: bytes) -> bytes:
    return b"".join(len(frame).to_bytes(4) + frame for frame in audio) + bytes(4)


SPEECH = frames(b"\xff\xfb" * 300, b"x", b"\0\0\0\0")
SUMMARY = encoded({"data": {"usage": {"credits_used": 0.25}}})
VOICE = "/api/v1/voice/generations/stream"
FRAMED = {"content-type": "application/octet-stream", "x-addis-audio-protocol": "mp3-frames-v1"}


@pytest.mark.parametrize("size", [1, 3, 64, 10_000])
def test_a_voice_in_frames_tells_its_cost_at_its_end(size: int) -> None:
    answer = SPEECH + SUMMARY
    chunk = used(VOICE, b"{}", [answer[at : at + size] for at in range(0, len(answer), size)], FRAMED)
    assert (chunk.usage, chunk.flaw) == (Usage(measures={"credits": 0.25}), None)


@pytest.mark.parametrize(
    ("answer", "flaw"),
    [
        (SPEECH[:-4], Truncated),
        (SPEECH, BrokenAnswer),
        (SPEECH + SUMMARY[:-1], BrokenAnswer),
        (SPEECH + b'{"error": {"code": "BUSY"}}', BrokenAnswer),
        (b"ID3\x04 an MP3 without frames", None),
        (SPEECH + b" " * 200_000, None),
    ],
)
def test_frames_that_make_no_sense(answer: bytes, flaw: type[Exception] | None) -> None:
    chunk = used(VOICE, b"{}", [answer], FRAMED)
    assert chunk.usage is None
    assert type(chunk.flaw) is (flaw or type(None))


def test_a_voice_that_was_made_before_is_not_paid_again() -> None:
    replay = encoded({"data": {"audio_url": "x", "usage": {"credits_used": 1}, "meta": {"idempotent_replay": True}}})
    assert used(VOICE, b"{}", [replay]).usage == Usage()
