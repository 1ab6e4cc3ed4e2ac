"""A credential that is good for some models: on no surface, and written in no way, does it get another one."""

import json
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.credentials import made
from tests.gateway import Gateway
from tests.recorder import JSON, Caller, Got, Recorder, Says

CHAT = "/proxy/via-openai/chat/completions"
SPEECH = "/proxy/via-elevenlabs/v1/text-to-speech/v"
TURN: dict[str, Any] = {"messages": [{"role": "user", "content": "x"}], "max_tokens": 5}
URLENCODED = "application/x-www-form-urlencoded"
FORM = "multipart/form-data; boundary=b"
TARGET = "x-fal-target-url"
DEAR = b'{"model":"dear","messages":[]}'
Ask = Callable[..., Got]


def gzipped(body: bytes, comment: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(body) + packer.flush()
    head = b"\x1f\x8b\x08\x10\0\0\0\0\x02\xff" + comment + b"\0"
    return head + packed + struct.pack("<II", zlib.crc32(body), len(body))


def field(name: str, value: str) -> str:
    return f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'


def turn(**more: Any) -> bytes:
    return json.dumps({**TURN, **more}).encode()


@pytest.fixture(scope="module", params=["token", "pass"])
def ask(request: pytest.FixtureRequest, gateway: Gateway, caller: Caller, recorder: Recorder) -> Iterator[Ask]:
    """Asks with a credential for cheap models, as JSON where nothing else is said."""
    limits = {"models": ["cheap", "fal-ai/cheap", "fal-ai/app/cheap"]}
    token = made(gateway.call(caller.token, {"name": "cheap", **limits}, "/api/tokens"))
    secret = token["token"]
    if request.param == "pass":
        secret = made(
            gateway.call(
                caller.token,
                {**limits, "endpoints": ["proxy", "openai", "anthropic", "generate", "chat"]},
                "/api/auth/browser-token",
            )
        )["token"]

    def asked(method: str, path: str, body: bytes = b"", **headers: str) -> Got:
        recorder.says(Says())
        named = {"content-type": JSON[0][1], **{name.replace("_", "-"): value for name, value in headers.items()}}
        return caller.ask(method, path, named.items(), body, credential=f"Authorization: Bearer {secret}")

    yield asked
    gateway.call(caller.token, None, f"/api/tokens/{token['id']}", method="DELETE")


@pytest.mark.parametrize(
    ("path", "body", "headers"),
    [
        (CHAT, DEAR, {}),
        (CHAT, b"{}", {}),
        (CHAT, b"", {}),
        (CHAT, gzipped(DEAR, b'"model":"cheap"'), {"content_encoding": "gzip"}),
        (CHAT, b'{"model":"cheap"}', {"content_encoding": "gzip"}),
        (CHAT, b'\xef\xbb\xbf{"model":"cheap","model":"dear"}', {}),
        (CHAT, b'{"model":"cheap","model":"dear"}', {}),
        (CHAT, b'{"model":"cheap","MODEL":"dear"}', {}),
        (CHAT, b'[{"model":"cheap"},{"model":"dear"}]', {}),
        (CHAT, b'model=dear&a="model":"cheap"', {"content_type": URLENCODED}),
        (CHAT, b'{"model":"cheap","a":"&model=dear&"}', {"content_type": URLENCODED}),
        (CHAT, b'{"model":"cheap","models":["dear"],"route":"fallback"}', {}),
        (CHAT, b'{"model":"cheap","fallbacks":[{"model":"dear"}]}', {}),
        (CHAT, b'{"model":"cheap","tools":[{"type":"advisor","model":"dear"}]}', {}),
        (f"{CHAT}?model=dear", b'{"model":"cheap"}', {}),
        ("/proxy/via-openai/openai/deployments/dear/chat/completions", b'{"model":"cheap"}', {}),
        ("/proxy/via-openai/batches", b'{"model":"cheap","input_file_id":"f"}', {}),
        (
            "/proxy/via-openai/x",
            (field("model", "cheap") + field("model", "dear") + "--b--").encode(),
            {"content_type": FORM},
        ),
        ("/proxy/via-anthropic/v1/messages/batches", b'{"model":"cheap","requests":[{"params":{"model":"dear"}}]}', {}),
        ("/api/anthropic/v1/messages", b'{"model":"cheap","requests":[{"params":{"model":"dear"}}]}', {}),
        ("/api/anthropic/v1/messages", turn(model="dear"), {}),
        (SPEECH, b'{"model_id":"cheap","model_id":"dear","text":"x"}', {}),
        (SPEECH, b'{"x":{"model_id":"cheap"},"model_id":"dear","text":"x"}', {}),
        (SPEECH, b'{"x":{"model_id":"cheap"},"text":"x"}', {}),
        ("/api/elevenlabs/v1/text-to-speech/v", b'{"model_id":"dear","text":"x"}', {}),
        ("/proxy/via-gemini/v1beta/models/dear:generateContent", b"{}", {}),
        ("/proxy/via-gemini/v1beta/models/cheap/models/dear:generateContent", b"{}", {}),
        ("/proxy/via-gemini/v1beta/models/cheap:generateContent", b'{"model":"models/dear"}', {}),
        ("/proxy/via-fal/fal.run/fal-ai/dear", b"{}", {}),
        ("/api/falai", b"{}", {TARGET: "https://fal.run/fal-ai/dear"}),
        ("/api/falai", b"{}", {TARGET: "https://fal.run/fal-ai/cheap/../dear"}),
        ("/api/falai", b"{}", {TARGET: "https://queue.fal.run/fal-ai/cheap/requests/x/dear"}),
        ("/api/falai", b"{}", {TARGET: "https://fal.run/fal-ai/cheap/max"}),
        ("/v1/chat/completions", turn(model="via-openai/dear"), {}),
        ("/v1/chat/completions", turn(model="via-openai/cheap", models=["dear"], route="fallback"), {}),
        ("/v1/chat/completions", turn(model="via-openai/cheap", fallbacks=["dear"]), {}),
        ("/v1/chat/completions", turn(model="via-openai/cheap", a="&model=dear&"), {"content_type": URLENCODED}),
        ("/v1/chat/completions", turn(model="via-openai/cheap"), {"content_encoding": "gzip"}),
        ("/v1/chat/completions?model=dear", turn(model="via-openai/cheap"), {}),
        ("/v1/chat/completions", turn(model="via-gemini/cheap", models=["dear"]), {}),
        ("/v1/responses", b'{"model":"via-openai/cheap","input":"x","tools":[{"type":"x","model":"dear"}]}', {}),
        ("/v1/embeddings", b'{"model":"via-openai/cheap","input":"x","fallbacks":[{"cheap":["dear"]}]}', {}),
        (
            "/v1/audio/transcriptions",
            (field("model", "via-openai/cheap") + field("models[]", "dear") + "--b--").encode(),
            {"content_type": FORM},
        ),
        (
            "/v1/audio/transcriptions",
            (
                '--b\nContent-Disposition: form-data; name="model"\n\ndear\n'
                + field("model", "via-openai/cheap")
                + "--b--"
            ).encode(),
            {"content_type": FORM},
        ),
        ("/v1/messages", turn(model="via-anthropic/dear"), {}),
        ("/v1/messages", turn(model="via-anthropic/cheap", fallbacks=[{"model": "dear"}]), {}),
        ("/v1/messages/count_tokens", turn(model="via-anthropic/cheap", fallbacks=[{"model": "dear"}]), {}),
        ("/api/generate", b'{"provider":"via-openai","model":"dear","prompt":"x"}', {}),
        ("/api/generate", b'{"provider":"via-openai","prompt":"x"}', {}),
        ("/api/chat", b'{"provider":"via-openai","message":"x"}', {}),
        ("/api/chat/stream", b'{"provider":"via-openai","message":"x"}', {}),
    ],
)
def test_another_model_is_refused(
    ask: Ask, recorder: Recorder, path: str, body: bytes, headers: dict[str, str]
) -> None:
    answer = ask("POST", path, body, **headers)
    assert answer.status in {400, 403, 404, 412}, answer.body
    assert recorder.requests == []


@pytest.mark.parametrize(
    ("method", "path", "target"),
    [
        ("PUT", "/proxy/via-openai/x", ""),
        ("PATCH", "/proxy/via-openai/x", ""),
        ("DELETE", "/proxy/via-openai/files/f", ""),
        ("POST", "/proxy/via-openai/files", ""),
        ("GET", "/proxy/via-openai/x?model=dear", ""),
        ("GET", "/proxy/via-gemini/v1beta/models/dear", ""),
        ("GET", "/api/falai", "https://fal.run/fal-ai/dear"),
        ("GET", "/api/falai", "https://fal.run/fal-ai/app"),
        ("GET", "/api/falai", "https://queue.fal.run/fal-ai/dear/requests/1"),
        ("PUT", "/api/falai", "https://queue.fal.run/fal-ai/dear/requests/1/cancel"),
    ],
)
def test_other_methods_are_judged_too(ask: Ask, recorder: Recorder, method: str, path: str, target: str) -> None:
    assert ask(method, path, **({TARGET: target} if target else {})).status == 403
    assert recorder.requests == []


@pytest.mark.parametrize(
    ("method", "path", "body", "headers"),
    [
        ("GET", "/proxy/via-openai/models", b"", {}),
        ("HEAD", "/proxy/via-openai/files/f", b"", {}),
        ("GET", "/proxy/via-gemini/v1beta/models", b"", {}),
        ("GET", "/api/falai", b"", {TARGET: "https://queue.fal.run/fal-ai/cheap/requests/1/status"}),
        ("GET", "/api/falai", b"", {TARGET: "https://queue.fal.run/fal-ai/app/requests/1"}),
        ("POST", "/api/falai", b'{"model":"other"}', {TARGET: "https://queue.fal.run/fal-ai/app/cheap"}),
        ("POST", CHAT, b'{"model":"cheap","tools":[{"parameters":{"properties":{"model":{"enum":["a"]}}}}]}', {}),
        ("POST", CHAT, b'{"model":"cheap","models":["cheap"]}', {"content_type": "text/plain;charset=utf-8"}),
        ("POST", SPEECH, b'{"model_id":"cheap","text":"x"}', {}),
        ("POST", "/proxy/via-gemini/v1beta/models/cheap:generateContent", b'{"contents":[]}', {}),
        (
            "POST",
            "/proxy/via-gemini/v1beta/models/cheap:batchEmbedContents",
            b'{"requests":[{"model":"models/cheap"}]}',
            {},
        ),
        ("POST", "/v1/embeddings", b'{"model":"via-openai/cheap","input":"x"}', {}),
        ("POST", "/v1/messages/count_tokens", turn(model="via-anthropic/cheap"), {}),
        (
            "POST",
            "/v1/audio/transcriptions",
            (field("model", "via-openai/cheap") + field("prompt", "{x}") + "--b--\r\n").encode(),
            {"content_type": FORM},
        ),
    ],
)
def test_the_right_model_and_reading_pass(
    ask: Ask, recorder: Recorder, method: str, path: str, body: bytes, headers: dict[str, str]
) -> None:
    answer = ask(method, path, body, **headers)
    assert answer.status == 200, answer.body
    assert len(recorder.requests) == 1


def test_fields_that_nobody_reads_name_no_model(ask: Ask, recorder: Recorder) -> None:
    ask("POST", "/api/generate", b'{"provider":"via-openai","model":"cheap","prompt":"x","models":["dear"]}')
    assert all(b"dear" not in one.body for one in recorder.requests)


def test_nothing_is_judged_where_nothing_is_limited(caller: Caller, recorder: Recorder) -> None:
    for body in (b'{"model":"a","models":["b"]}', b'\xef\xbb\xbf{"model":"a","model":"b"}', b"[]"):
        recorder.says(Says())
        assert caller.ask("POST", CHAT, JSON, body).status == 200
        assert recorder.arrived.body == body
