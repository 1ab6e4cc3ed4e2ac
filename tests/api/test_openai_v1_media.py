"""/v1's speech, transcriptions, pictures and embeddings from vendors with words of their own for them."""

import http.client
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from tests.addis_upstream import AUDIO as WAV
from tests.addis_upstream import AddisUpstream
from tests.gateway import Gateway
from tests.recorder import JSON, Caller, Got, provider
from tests.vendors import elevenlabs, fal, gemini
from tests.vendors.server import ACCOUNT, KEY, LEAK, Vendor

Vendors = Mapping[str, Vendor]
SPEECH = {"model": "media-elevenlabs/eleven_flash_v2_5", "input": "ሰላም!", "voice": "rachel"}
PICTURE = {"model": "media-fal/fal-ai/flux/dev", "prompt": "a cat", "n": 2, "size": "1024x768"}
VECTORS = {"model": "media-gemini/gemini-embedding-001", "input": ["ሀሁ", "a"]}  # seven bytes
FREE = {"input_tokens": 0, "output_tokens": 0}


@pytest.fixture(scope="module")
def vendors() -> Iterator[Vendors]:
    running: dict[str, Vendor] = {
        "elevenlabs": elevenlabs.ElevenLabs().start(),
        "fal": fal.Fal().start(),
        "gemini": gemini.Gemini().start(),
        "addis": AddisUpstream().start(),
    }
    yield running
    for vendor in running.values():
        vendor.stop()


@pytest.fixture(scope="module")
def caller(gateway: Gateway, user_token: str, staff_token: str, vendors: Vendors) -> Iterator[Caller]:
    with ExitStack() as stack:
        for kind, vendor in vendors.items():
            for name, fields in ((f"media-{kind}", {}), (f"media-{kind}-locked", {"api_key": "sk-not-the-one"})):
                model = "gemini-embedding-001" if kind == "gemini" else ""
                given: dict[str, Any] = {"default_model": model, **fields}
                stack.enter_context(provider(gateway, staff_token, name, kind, vendor.url, **given))
        few = {"config": {"allowed_endpoints": ["fal-ai/fast-*"]}, "default_model": ""}
        stack.enter_context(provider(gateway, staff_token, "media-fal-few", "fal", vendors["fal"].url, **few))
        yield Caller(gateway, user_token)


@pytest.fixture(autouse=True)
def forgotten(vendors: Vendors) -> None:
    for vendor in vendors.values():
        vendor.requests.clear()
        vendor.paced = False
        vendor.go_on.clear()


def ask(caller: Caller, path: str, body: Mapping[str, Any]) -> Got:
    return caller.ask("POST", f"/v1/{path}", JSON, json.dumps(body).encode())


def send_form(caller: Caller, model: str, sound: bytes = b"\xff\xfb\r\n", **fields: str) -> Got:
    files = {"file": ("a.mp3", sound, "audio/mpeg")}
    form = httpx.Request("POST", "http://x", data={"model": model, **fields}, files=files)
    headers = [("Content-Type", form.headers["content-type"])]
    return caller.ask("POST", "/v1/audio/transcriptions", headers, form.read())


def check_row(caller: Caller, answer: Got, **expected: Any) -> None:
    row = caller.row(answer)
    row["measures"] = json.loads(row["measures"]) if row["measures"] else None
    assert {"state": "done", "estimated": 0, **expected}.items() <= row.items(), row


def refusal(answer: Got, status: int) -> str:
    """The sentence of an error in OpenAI's shape."""
    assert (answer.status, answer.headers["content-type"]) == (status, "application/json"), answer.body
    (error,) = json.loads(answer.body).values()
    assert set(error) == {"message", "type", "param", "code"}
    whole = answer.body.decode() + str(answer.pairs)
    assert not any(secret in whole for secret in (LEAK, KEY, ACCOUNT, "sk-not-the-one"))
    return str(error["message"])


def test_speech_from_elevenlabs(caller: Caller, vendors: Vendors) -> None:
    answer = ask(caller, "audio/speech", {**SPEECH, "speed": 1.1})
    assert (answer.status, answer.headers["content-type"]) == (200, "audio/mpeg")
    assert answer.body == b"".join(elevenlabs.AUDIO)
    arrived = vendors["elevenlabs"].last
    assert arrived.path == "/v1/text-to-speech/rachel/stream?output_format=mp3_44100_128"
    assert arrived.json == {"text": "ሰላም!", "model_id": "eleven_flash_v2_5", "voice_settings": {"speed": 1.1}}
    assert not {"authorization", "cookie", "x-request-id"} & arrived.headers.keys()
    cost = {"measures": {"characters": 17.0}, "model": "eleven_flash_v2_5", "surface": "speech"}
    check_row(caller, answer, provider="media-elevenlabs", **FREE, **cost)


def test_speech_comes_as_it_is_made(caller: Caller, vendors: Vendors) -> None:
    vendors["elevenlabs"].paced = True
    with caller.open("POST", "/v1/audio/speech", JSON, json.dumps(SPEECH).encode()) as opened:
        first = opened.some()
        assert first == elevenlabs.AUDIO[0], "the first piece is here, and the vendor has sent no other"
        vendors["elevenlabs"].go_on.set()
        assert first + opened.rest() == b"".join(elevenlabs.AUDIO)


def test_speech_that_breaks_off(caller: Caller) -> None:
    body = json.dumps({**SPEECH, "model": "media-elevenlabs/cut"}).encode()
    with caller.open("POST", "/v1/audio/speech", JSON, body) as opened:
        with pytest.raises(http.client.IncompleteRead):
            opened.rest()
        assert caller.row(opened)["state"] not in {"done", "client_gone"}


def test_speech_from_addis(caller: Caller, vendors: Vendors) -> None:
    answer = ask(caller, "audio/speech", {"model": "media-addis", "input": "ሰላም", "voice": "am-hamen"})
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, "audio/wav", WAV)
    asked = {"text": "ሰላም", "language": "am", "stream": False, "voice_id": "am-hamen"}
    assert (vendors["addis"].last.path, vendors["addis"].last.json) == ("/api/v1/audio", asked)
    check_row(caller, answer, measures={"characters": 3.0}, **{**FREE, "estimated": 1})


@pytest.mark.parametrize(
    ("wanted", "kind", "body"),
    [
        ("", "application/json", {"text": "Hello there", "usage": {"type": "duration", "seconds": 2.5}}),
        ("text", "text/plain; charset=utf-8", "Hello there"),
    ],
)
def test_transcription_from_elevenlabs(caller: Caller, vendors: Vendors, wanted: str, kind: str, body: Any) -> None:
    sound = bytes(range(256)) * 400
    more = {"response_format": wanted} if wanted else {}
    answer = send_form(caller, "media-elevenlabs/scribe_v1", sound, language="en", **more)
    assert (answer.status, answer.headers["content-type"]) == (200, kind)
    assert (json.loads(answer.body) if not wanted else answer.body.decode()) == body
    assert vendors["elevenlabs"].last.form == {"model_id": b"scribe_v1", "language_code": b"en", "file": sound}
    check_row(caller, answer, model="scribe_v1", surface="transcription", measures={"audio_seconds": 2.5}, **FREE)


def test_transcription_from_addis(caller: Caller, vendors: Vendors) -> None:
    answer = send_form(caller, "media-addis", language="ti")
    assert json.loads(answer.body) == {"text": "In ti", "usage": {"type": "duration", "seconds": 15.0}}
    assert vendors["addis"].last.path == "/api/v2/stt"
    check_row(caller, answer, measures={"audio_seconds": 15.0}, **FREE)


def test_pictures_from_fal(caller: Caller, vendors: Vendors) -> None:
    answer = ask(caller, "images/generations", PICTURE)
    assert answer.status == 200, answer.body
    assert json.loads(answer.body)["data"] == [{"url": fal.RESULT["images"][0]["url"]}] * 2
    arrived = vendors["fal"].last
    size = {"width": 1024, "height": 768}
    assert arrived.path == "/fal-ai/flux/dev"
    assert arrived.json == {"prompt": "a cat", "num_images": 2, "image_size": size}
    measures = {"billable_units": 1.5, "images": 2.0}
    check_row(caller, answer, model="fal-ai/flux/dev", surface="images", measures=measures, **FREE)


@pytest.mark.parametrize(
    ("model", "used", "tokens", "estimated"),
    [("gemini-embedding-001", {"estimated": True}, 2, 1), ("counted", {}, 9, 0)],
)
def test_embeddings_from_gemini(
    caller: Caller, vendors: Vendors, model: str, used: dict[str, Any], tokens: int, estimated: int
) -> None:
    answer = ask(caller, "embeddings", {**VECTORS, "model": f"media-gemini/{model}", "dimensions": 2})
    said = json.loads(answer.body)
    assert [one["embedding"] for one in said["data"]] == [gemini.VECTOR[:2]] * 2
    assert (said["model"], said["usage"]) == (model, {"prompt_tokens": tokens, "total_tokens": tokens, **used})
    assert vendors["gemini"].last.path == f"/v1beta/models/{model}:batchEmbedContents"
    check_row(caller, answer, model=model, input_tokens=tokens, output_tokens=0, estimated=estimated)


@pytest.mark.parametrize(
    ("path", "body", "sentence"),
    [
        ("audio/speech", {**SPEECH, "voice": "../v1/models"}, "`voice`"),
        ("audio/speech", {**SPEECH, "response_format": "aac"}, "`response_format`"),
        ("audio/speech", {**SPEECH, "model": "media-addis", "response_format": "mp3"}, "`response_format`"),
        ("images/generations", {**PICTURE, "response_format": "b64_json"}, "`response_format`"),
        ("images/generations", {**PICTURE, "quality": "high"}, "`quality`"),
        ("images/generations", {**PICTURE, "model": "media-fal"}, "`model`"),
        ("images/generations", {**PICTURE, "model": "media-fal/fal-ai/../storage"}, "`model`"),
        ("images/generations", {**PICTURE, "model": "media-fal-few/fal-ai/flux/dev"}, "does not permit that model"),
        ("embeddings", {**VECTORS, "input": [1, 2]}, "`input`"),
    ],
)
def test_what_is_refused(caller: Caller, vendors: Vendors, path: str, body: dict[str, Any], sentence: str) -> None:
    answer = ask(caller, path, body)
    assert sentence in refusal(answer, 400)
    assert not any(vendor.calls for vendor in vendors.values())
    check_row(caller, answer, state="refused", **FREE)


def test_a_transcription_that_is_refused(caller: Caller, vendors: Vendors) -> None:
    answer = send_form(caller, "media-elevenlabs/scribe_v1", response_format="srt")
    assert "subtitles" in refusal(answer, 400)
    assert not vendors["elevenlabs"].calls


def test_a_model_that_is_allowed(caller: Caller) -> None:
    assert ask(caller, "images/generations", {**PICTURE, "model": "media-fal-few/fal-ai/fast-sdxl"}).status == 200


CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "elevenlabs": ("audio/speech", SPEECH),
    "fal": ("images/generations", PICTURE),
    "gemini": ("embeddings", VECTORS),
    "addis": ("audio/speech", {"input": "a", "voice": "v"}),
}


@pytest.mark.parametrize("vendor", ["elevenlabs", "fal", "gemini"])
@pytest.mark.parametrize(("status", "told"), [(400, 400), (404, 502), (422, 400), (429, 429), (500, 502), (503, 502)])
def test_errors_of_vendors(caller: Caller, vendor: str, status: int, told: int) -> None:
    path, body = CALLS[vendor]
    answer = ask(caller, path, {**body, "model": f"media-{vendor}/{'a/' if vendor == 'fal' else ''}status-{status}"})
    refusal(answer, told)
    check_row(caller, answer, state="upstream_error", statuses=str(status), **FREE)


@pytest.mark.parametrize("vendor", CALLS)
def test_a_key_that_the_vendor_refuses(caller: Caller, vendor: str) -> None:
    path, body = CALLS[vendor]
    model = f"media-{vendor}-locked/{'a/b' if vendor == 'fal' else 'm'}"
    answer = ask(caller, path, {**body, "model": model})
    assert "refuses the key that the gateway has" in refusal(answer, 502)
    check_row(caller, answer, state="upstream_error", **FREE)


@pytest.mark.parametrize(("text", "status"), [("status", 429), ("error", 502)])
def test_errors_of_addis(caller: Caller, text: str, status: int) -> None:
    answer = ask(caller, "audio/speech", {"model": "media-addis", "input": text, "voice": "v"})
    refusal(answer, status)
    assert answer.headers.get("retry-after") == ("7" if status == 429 else None)
    assert caller.row(answer)["state"] == "upstream_error"


@pytest.mark.parametrize(
    ("vendor", "path"),
    [
        *((vendor, "embeddings") for vendor in ("elevenlabs", "fal", "addis")),
        *((vendor, "images/generations") for vendor in ("elevenlabs", "gemini", "addis")),
        *((vendor, "audio/speech") for vendor in ("fal", "gemini")),
        *((vendor, "responses") for vendor in ("elevenlabs", "fal", "gemini", "addis")),
    ],
)
def test_what_a_vendor_does_not_have(caller: Caller, vendors: Vendors, vendor: str, path: str) -> None:
    answer = ask(caller, path, {"model": f"media-{vendor}/m", "input": "x", "prompt": "x", "voice": "v"})
    assert refusal(answer, 404) == f"Provider 'media-{vendor}' has nothing that answers this path."
    assert not vendors[vendor].calls
