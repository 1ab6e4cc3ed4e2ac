"""Use that is counted where an answer, or the way it was asked for, is not the usual one."""

import gzip
import json
from http.client import IncompleteRead
from typing import Any

import pytest

from tests.api.metered import ADDIS, ANTHROPIC, CANDIDATE, CHAT, GEMINI, sse
from tests.api.metered_openai import DELTA, MESSAGE, OPENAI, STOP
from tests.recorder import JSON, Caller, Recorder, Says

SSE = [("Content-Type", "text/event-stream")]
ASKED = json.dumps(CHAT).encode()
WHOLE = {"model": "m-1", "choices": [{"message": MESSAGE, "finish_reason": "stop"}], "usage": OPENAI}
CLAUDE = {"type": "message", "content": [{"type": "text", "text": "said"}], "model": "m-1", "usage": ANTHROPIC}
FINISHED = {"candidates": [{**CANDIDATE, "finishReason": "STOP"}], "usageMetadata": GEMINI}
ADDIS_SAID = {"data": {"response_text": "said", "finish_reason": "stop", "usage_metadata": ADDIS}}


@pytest.mark.parametrize(
    ("vendor", "path", "answer", "tokens"),
    [
        ("openai", "/chat/completion%73", WHOLE, (30, 12)),
        ("openai", "/chat/completions;x", WHOLE, (30, 12)),
        ("openai", "/chat//completions/", WHOLE, (30, 12)),
        ("openai", "/new/words", WHOLE, (30, 12)),
        ("openai", "/files", {"id": "f"}, (0, 0)),
        ("anthropic", "//v1/messages", CLAUDE, (22, 12)),
        ("anthropic", "/v1;x/messages", CLAUDE, (22, 12)),
        ("anthropic", "/v2/messages", CLAUDE, (22, 12)),
        ("gemini", "/v1beta/models/g-1:generateConten%74;x", FINISHED, (30, 12)),
        ("gemini", "/v1beta/models/g-1:newVerb", FINISHED, (30, 12)),
        ("addis", "/api/v1/chat_generat%65", ADDIS_SAID, (30, 12)),
        ("addis", "/api/v9/new", ADDIS_SAID, (30, 12)),
    ],
)
def test_another_spelling_or_an_unknown_path(
    caller: Caller, recorder: Recorder, vendor: str, path: str, answer: Any, tokens: tuple[int, int]
) -> None:
    recorder.says(Says((json.dumps(answer).encode(),)))
    row = caller.row(caller.ask("POST", f"/proxy/via-{vendor}{path}", JSON, ASKED))
    assert (row["state"], row["input_tokens"], row["output_tokens"], row["estimated"]) == ("done", *tokens, 0)


@pytest.mark.parametrize("path", ["/v1/text-to-%73peech/v", "//v1/text-to-speech/v", "/v1/text-to-speech;x/v"])
def test_speech_under_another_spelling(caller: Caller, recorder: Recorder, path: str) -> None:
    recorder.says(Says((b"\xff",), headers=[("Content-Type", "audio/mpeg"), ("character-cost", "7")]))
    row = caller.row(caller.ask("POST", f"/proxy/via-elevenlabs{path}", JSON, b'{"text":"x"}'))
    assert json.loads(row["measures"]) == {"characters": 7.0}


def test_an_unknown_stream_says_what_it_used(caller: Caller, recorder: Recorder) -> None:
    recorder.says(Says(sse({"x": 1}, {"type": "y", "response": {"usage": OPENAI}}), headers=SSE, framing="chunked"))
    row = caller.row(caller.ask("POST", "/proxy/via-openai/new/words", JSON, ASKED))
    assert (row["state"], row["input_tokens"], row["output_tokens"], row["estimated"]) == ("done", 30, 12, 0)


LONG = "word " * 40  # 200 bytes, so 50 tokens
EARLY = {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10}
CUT = {
    "openai": (
        "/chat/completions",
        sse({"choices": [{"delta": {"content": LONG}}], "usage": EARLY}, {"choices": []}),
    ),
    "gemini": (
        "/v1beta/models/g:streamGenerateContent?alt=sse",
        sse(
            {
                "candidates": [{"content": {"parts": [{"text": LONG}]}}],
                "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 1},
            }
        ),
    ),
}


@pytest.mark.parametrize("vendor", CUT)
def test_usage_out_of_the_middle_of_a_cut_stream_is_an_estimate(
    caller: Caller, recorder: Recorder, vendor: str
) -> None:
    path, pieces = CUT[vendor]
    recorder.says(Says(pieces, headers=SSE, framing="chunked"))
    row = caller.row(caller.ask("POST", f"/proxy/via-{vendor}{path}", JSON, ASKED))
    assert (row["state"], row["input_tokens"], row["output_tokens"], row["estimated"]) == ("truncated", 9, 50, 1)


def test_an_answer_that_cannot_be_read_is_estimated_by_its_size(caller: Caller, recorder: Recorder) -> None:
    body = bytes(range(128, 228)) * 4
    recorder.says(Says((body,), headers=[*JSON, ("Content-Encoding", "br")]))
    row = caller.row(caller.ask("POST", "/proxy/via-openai/chat/completions", JSON, ASKED))
    assert (row["state"], row["output_tokens"], row["estimated"]) == ("done", 100, 1)
    recorder.says(Says((json.dumps(WHOLE).encode()[:40],), length=4000, cut=True))
    with caller.open("POST", "/proxy/via-openai/chat/completions", JSON, ASKED) as opened:
        with pytest.raises(IncompleteRead):
            opened.rest()
        assert caller.row(opened)["output_tokens"] == 10


def test_audio_that_is_cut_is_no_text(caller: Caller, recorder: Recorder) -> None:
    recorder.says(Says((b"\xff" * 400,), headers=[("Content-Type", "audio/mpeg")], length=4000, cut=True))
    with caller.open("POST", "/proxy/via-openai/audio/speech", JSON, ASKED) as opened:
        with pytest.raises(IncompleteRead):
            opened.rest()
        assert caller.row(opened)["output_tokens"] == 0


@pytest.mark.parametrize("coding", ["gzip", "identity"])
def test_usage_that_nobody_asked_for_is_withheld_behind_an_encoding(
    caller: Caller, recorder: Recorder, coding: str
) -> None:
    plain = b"".join(sse(DELTA, STOP, {"choices": [], "usage": OPENAI}, "[DONE]"))
    packed = gzip.compress(plain) if coding == "gzip" else plain
    recorder.says(Says((packed[:50], packed[50:]), headers=[*SSE, ("Content-Encoding", coding)], framing="chunked"))
    body = json.dumps({**CHAT, "model": "via-openai/m", "stream": True}).encode()
    answer = caller.ask("POST", "/v1/chat/completions", JSON, body)
    assert answer.headers.get("content-encoding", "identity") == "identity"
    assert answer.body == b"".join(sse(DELTA, STOP, "[DONE]"))
    row = caller.row(answer)
    assert (row["state"], row["input_tokens"], row["output_tokens"], row["estimated"]) == ("done", 30, 12, 0)


PARTS = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "said"}]


@pytest.mark.parametrize("stream", [False, True])
def test_content_in_parts(caller: Caller, recorder: Recorder, stream: bool) -> None:
    whole = {**WHOLE, "choices": [{"message": {"content": PARTS}, "finish_reason": "stop"}]}
    events = sse({"choices": [{"delta": {"content": PARTS}}]}, STOP, {"choices": [], "usage": OPENAI}, "[DONE]")
    says = Says(events, headers=SSE, framing="chunked") if stream else Says((json.dumps(whole).encode(),))
    recorder.says(says)
    asked = json.dumps({**CHAT, "stream": stream}).encode()
    row = caller.row(caller.ask("POST", "/proxy/via-openai/chat/completions", JSON, asked))
    assert (row["state"], row["output_tokens"], row["estimated"]) == ("done", 12, 0)
    recorder.says(says)
    body = json.dumps({"provider": "via-openai", "prompt": "x", "stream": stream}).encode()
    answer = caller.ask("POST", "/api/generate", JSON, body)
    assert (answer.status, b"said" in answer.body) == (200, True)
    assert caller.row(answer)["state"] == "done"


def test_a_failed_answer_was_used_all_the_same(caller: Caller, recorder: Recorder) -> None:
    failed = {"candidates": [{"finishReason": "MALFORMED_FUNCTION_CALL"}], "usageMetadata": GEMINI}
    recorder.says(Says((json.dumps(failed).encode(),)))
    answer = caller.ask("POST", "/api/generate", JSON, b'{"provider":"via-gemini","prompt":"x"}')
    assert answer.status == 502
    row = caller.row(answer)
    assert (row["state"], row["input_tokens"], row["output_tokens"]) == ("upstream_error", 30, 12)
    assert row["estimated"] == 0
