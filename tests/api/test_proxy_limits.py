"""What the pass-through holds back: methods that echo, the provider's key, other models, prompts that are too long."""

import http.client
import json
from collections.abc import Iterator
from itertools import pairwise

import pytest

from tests.gateway import Gateway
from tests.recorder import CARRIERS, JSON, Caller, Recorder, Says, a_provider_of_each_type, at
from tests.vendors.server import KEY

_AUDIO = [("Content-Type", "audio/mpeg")]
_EVENTS = [("Content-Type", "text/event-stream")]
FORM = b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nlarge\r\n--b--'
SOUND = (
    b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nsmall\r\n--b\r\nContent-Disposition: form-data;'
    b' name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n%b\r\n--b--\r\n' % (b"\0" * 100_000)
)
ESCAPED = "".join(f"\\u{ord(sign):04X}" for sign in KEY)


@pytest.fixture(scope="module")
def caller(gateway: Gateway, user_token: str, staff_token: str, recorder: Recorder) -> Iterator[Caller]:
    with a_provider_of_each_type(gateway, staff_token, recorder.url):
        for kind in ("openai", "gemini", "fal"):
            made = {
                "name": f"listed-{kind}",
                "type": kind,
                "api_key": KEY,
                "base_url": recorder.url,
                "models": ["small", "fal-ai/flux/dev"],
                "default_model": "small",
                "max_prompt_chars": 50,
                "allow_private_network": True,
            }
            assert gateway.call(staff_token, made, "/api/providers").status_code == 201
        yield Caller(gateway, user_token)
        for kind in ("openai", "gemini", "fal"):
            gateway.call(staff_token, None, f"/api/providers/listed-{kind}", method="DELETE")


@pytest.mark.parametrize("target", [at("openai"), "/v1/nothing/here"])
@pytest.mark.parametrize("method", ["TRACE", "FOO"])
def test_other_methods_are_refused(caller: Caller, recorder: Recorder, method: str, target: str) -> None:
    recorder.says(Says())
    answer = caller.ask(method, target)
    assert answer.status == 405
    assert answer.headers["allow"] == "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
    assert recorder.requests == []


def test_options_is_relayed(caller: Caller, recorder: Recorder) -> None:
    recorder.says(Says())
    assert caller.ask("OPTIONS", at("openai")).status == 200
    assert recorder.arrived.method == "OPTIONS"


@pytest.mark.parametrize("vendor", CARRIERS)
@pytest.mark.parametrize("status", [200, 404])
def test_a_header_with_the_key_is_dropped(caller: Caller, recorder: Recorder, vendor: str, status: int) -> None:
    recorder.says(Says(status=status, headers=[*JSON, ("ETag", f'"{KEY}"'), ("X-Ratelimit-Key", KEY), ("Vary", "A")]))
    answer = caller.ask("POST", at(vendor), JSON, b"{}")
    assert (answer.status, answer.headers["vary"]) == (status, "A")
    assert KEY not in repr(answer)
    assert "etag" not in answer.headers


@pytest.mark.parametrize("vendor", CARRIERS)
@pytest.mark.parametrize("words", [ESCAPED, ESCAPED.lower(), json.dumps(json.dumps(ESCAPED))[1:-1], f"\\/{ESCAPED}"])
def test_an_error_that_quotes_the_key_with_escapes(caller: Caller, recorder: Recorder, vendor: str, words: str) -> None:
    recorder.says(Says((f'{{"error": "{words}"}}'.encode(),), 400))
    answer = caller.ask("POST", at(vendor), JSON, b"{}")
    assert answer.status == 502
    assert words not in repr(answer)


@pytest.mark.parametrize("vendor", CARRIERS)
def test_a_whole_answer_with_the_key_is_none(caller: Caller, recorder: Recorder, vendor: str) -> None:
    recorder.says(Says((b'{"you": "sent %b"}' % KEY.encode(),)))
    answer = caller.ask("POST", at(vendor), JSON, b"{}")
    assert (answer.status, KEY in repr(answer)) == (502, False)
    assert caller.row(answer)["state"] == "upstream_error"


@pytest.mark.parametrize("cuts", [(0, len(KEY)), (0, 1, len(KEY)), (0, 9, len(KEY)), tuple(range(len(KEY) + 1))])
def test_an_answer_breaks_off_before_the_key(caller: Caller, recorder: Recorder, cuts: tuple[int, ...]) -> None:
    parts = [KEY[start:end].encode() for start, end in pairwise(cuts)]
    recorder.says(Says((b"\0" * 30, b"\1" + parts[0], *parts[1:], b"after"), headers=_AUDIO, framing="chunked"))
    with caller.open("POST", at("openai"), JSON, b"{}") as answer:
        assert answer.status == 200
        with pytest.raises(http.client.IncompleteRead) as broken:
            answer.rest()
        assert (b"\0" * 30 + b"\1").startswith(broken.value.partial), "no letter of it"
    assert caller.row(answer)["state"] == "upstream_error"


def test_what_only_begins_like_the_key_passes(caller: Caller, recorder: Recorder) -> None:
    pieces = (KEY[:-1].encode(), b"!" + KEY[:5].encode(), KEY[:9].encode())
    recorder.says(Says(pieces, headers=_AUDIO, framing="chunked"))
    answer = caller.ask("POST", at("openai"), JSON, b"{}")
    assert answer.body == b"".join(pieces)
    assert caller.row(answer)["state"] == "done"


@pytest.mark.parametrize(
    ("vendor", "path", "kind", "body"),
    [
        ("openai", "/chat/completions", JSON[0][1], b'{"model": "large"}'),
        ("openai", "/chat/completions", "text/plain", b'{"metadata": {"model": "small"}, "model": "large"}'),
        ("openai", "/x", "Multipart/form-data; boundary=b", FORM),
        ("gemini", "/v1beta/models/large:generateContent", JSON[0][1], b"{}"),
        ("fal", "/fal.run/fal-ai/flux", JSON[0][1], b"{}"),
    ],
)
def test_only_listed_models(caller: Caller, recorder: Recorder, vendor: str, path: str, kind: str, body: bytes) -> None:
    recorder.says(Says())
    answer = caller.ask("POST", f"/proxy/listed-{vendor}{path}", [("Content-Type", kind)], body)
    assert answer.status == 404, answer.body
    if vendor == "openai":
        assert json.loads(answer.body)["error"]["code"] == "model_not_found"
    assert recorder.requests == []
    assert caller.rows(answer.request_id) == []


def test_listed_models_pass(caller: Caller, recorder: Recorder) -> None:
    for method, target, body in [
        ("POST", "listed-openai/chat/completions", b'{"messages": [{"model": "x"}], "model": "small"}'),
        ("GET", "listed-openai/models", b""),
        ("POST", "listed-gemini/v1beta/models/small:generateContent", b"{}"),
        ("POST", "listed-fal/queue.fal.run/fal-ai/flux/dev", b"{}"),
        ("GET", "listed-fal/queue.fal.run/fal-ai/flux/requests/1/status", b""),
    ]:
        recorder.says(Says())
        assert caller.ask(method, f"/proxy/{target}", JSON, body).status == 200, target
        assert len(recorder.requests) == 1


@pytest.mark.parametrize(
    "body",
    [
        b'{"model": "small", "Model": "large"}',
        b'{"model": "small", "n": 1e999, "mod\\u0065l": "large"}',
        b'{"model": "small", "tools": [{"type": "advisor", "model": "large"}]}',
        b'{"messages": []}',
        b"",
    ],
)
def test_a_model_in_doubt_is_none_that_is_listed(caller: Caller, recorder: Recorder, body: bytes) -> None:
    recorder.says(Says())
    assert caller.ask("POST", "/proxy/listed-openai/chat/completions", JSON, body).status == 400
    assert recorder.requests == []


def test_an_encoded_body_hides_no_model(caller: Caller, recorder: Recorder) -> None:
    recorder.says(Says())
    headers = [*JSON, ("Content-Encoding", "gzip")]
    assert caller.ask("POST", "/proxy/listed-openai/chat/completions", headers, b"\x1f\x8b").status == 400
    assert recorder.requests == []


@pytest.mark.parametrize("kind", ["application/json", "application/vnd.x+json", "text/plain", ""])
def test_a_prompt_that_is_too_long(caller: Caller, recorder: Recorder, kind: str) -> None:
    for length, status in ((51, 400), (40, 200)):
        recorder.says(Says())
        body = json.dumps({"model": "small", "messages": [{"role": "user", "content": "x" * length}]}).encode()
        headers = [("Content-Type", kind)] if kind else []
        answer = caller.ask("POST", "/proxy/listed-openai/chat/completions", headers, body)
        assert (answer.status, len(recorder.requests)) == (status, int(status == 200))


def test_a_file_is_no_prompt(caller: Caller, recorder: Recorder) -> None:
    recorder.says(Says((b"text",), headers=[("Content-Type", "text/plain")]))
    answer = caller.ask(
        "POST",
        "/proxy/listed-openai/audio/transcriptions",
        [("Content-Type", "multipart/form-data; boundary=b")],
        SOUND,
    )
    assert (answer.status, caller.row(answer)["input_tokens"]) == (200, 0)


def test_the_ledger_has_the_body_s_own_model(caller: Caller, recorder: Recorder) -> None:
    recorder.says(Says())
    answer = caller.ask("POST", at("openai"), JSON, b'{"metadata": {"model": "cheap"}, "model": "dear"}')
    assert caller.row(answer)["model"] == "dear"


def test_a_front_keeps_the_query(caller: Caller, recorder: Recorder) -> None:
    recorder.says(Says())
    body = b'{"model": "via-anthropic/m", "max_tokens": 1, "messages": [{"role": "user", "content": "x"}]}'
    caller.ask("POST", "/v1/messages?beta=true&key=canary", JSON, body)
    assert recorder.arrived.path == "/base/v1/messages?beta=true"


@pytest.mark.parametrize(
    ("headers", "buffering", "caching"),
    [
        (_EVENTS, "no", "no-cache"),
        ([*_EVENTS, ("Cache-Control", "private")], "no", "private"),
        ([("Content-Type", "application/x-ndjson")], "no", "no-cache"),
        (_AUDIO, None, None),
        ([*_AUDIO, ("Cache-Control", "max-age=7"), ("Date", "Sat, 01 Jan 2000 00:00:00 GMT")], None, "max-age=7"),
    ],
)
def test_only_events_and_lines_are_kept_from_caches(
    caller: Caller, recorder: Recorder, headers: list[tuple[str, str]], buffering: str | None, caching: str | None
) -> None:
    recorder.says(Says((b"a\n", b"b\n"), headers=headers, framing="chunked"))
    answer = caller.ask("POST", at("elevenlabs"), JSON, b"{}")
    assert (answer.headers.get("x-accel-buffering"), answer.headers.get("cache-control")) == (buffering, caching)
    assert "2000" not in answer.headers.get("date", "")
