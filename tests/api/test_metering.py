"""What the ledger has of calls through the pass-through: each vendor's own count, read along from its answer."""

import json
from typing import Any

import pytest

from providers.sizes import text_size
from tests.api import metered, metered_openai
from tests.recorder import JSON, Caller, Recorder, Says

_FORM = [("Content-Type", "multipart/form-data; boundary=b")]
CASES = {**metered_openai.CASES, **metered.CASES}
_COLUMNS = ("input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens")


@pytest.mark.parametrize("name", CASES)
def test_what_the_ledger_has(caller: Caller, recorder: Recorder, name: str) -> None:
    case = CASES[name]
    streamed = isinstance(case.answer, list)
    pieces = case.answer if streamed else [case.answer if isinstance(case.answer, bytes) else _json(case.answer)]
    kind = case.kind or ("text/event-stream" if streamed else "application/json")
    framing = "chunked" if streamed else "length"
    recorder.says(Says(pieces, headers=[("Content-Type", kind), *case.headers.items()], framing=framing))
    body = case.asked if isinstance(case.asked, bytes) else _json(case.asked)
    headers = _FORM if isinstance(case.asked, bytes) else JSON
    answer = caller.ask("POST", f"/proxy/via-{name.partition(' ')[0].strip(',')}{case.path}", headers, body)
    assert (answer.status, answer.body) == (200, b"".join(pieces))
    assert recorder.arrived.body == body
    row = caller.row(answer)
    assert (row["state"], row["estimated"]) == (case.state, int(case.estimated))
    assert (row["model"], row["answered"]) == (case.model, case.answered or case.model)
    tokens = tuple(row[column] for column in _COLUMNS)
    if case.tokens is None:
        text = 0 if isinstance(case.asked, bytes) else text_size(case.asked)[1]
        assert tokens[0] == -(-text // 4), "a token for each four bytes of text, whatever else there is"
        assert (tokens[1] > 0) == (name != "openai transcription as text")
        assert tokens[2:] == (0, 0, 0)
    else:
        assert tokens == case.tokens
    assert (json.loads(row["measures"]) if row["measures"] else None) == case.measures


def test_what_is_free_is_counted_as_nothing(caller: Caller, recorder: Recorder) -> None:
    for vendor in ("openai", "anthropic", "gemini", "addis", "elevenlabs"):
        recorder.says(Says((b'{"data": [], "usage": {"prompt_tokens": 3, "completion_tokens": 3}}',)))
        row = caller.row(caller.ask("GET", f"/proxy/via-{vendor}/v1/models"))
        assert (row["state"], row["input_tokens"], row["output_tokens"], row["estimated"]) == ("done", 0, 0, 0)


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()
