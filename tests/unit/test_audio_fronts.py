"""OpenAI's speech and transcriptions in the words of ElevenLabs and of Addis AI, as tables."""

import base64
import json
from typing import Any

import httpx
import pytest

from providers.adapters.addis import AddisAdapter
from providers.adapters.base import HttpAdapter
from providers.adapters.elevenlabs import ElevenLabsAdapter
from providers.adapters.translation import Translated
from providers.errors import BrokenAnswer, RequestNotPossible
from providers.types import Endpoint, NativeRequest
from tests.vendors.server import Arrived

ADAPTERS: dict[str, HttpAdapter] = {"elevenlabs": ElevenLabsAdapter(), "addis": AddisAdapter()}
SOUND = bytes(range(256)) + b'\r\nContent-Disposition: form-data; name="language"\r\n\r\nno\r\n--not-b\r\n'
SPOKEN = {"input": "ሰላም", "voice": "v1"}
EACH = pytest.mark.parametrize("vendor", ADAPTERS)


def endpoint_of(vendor: str, **config: str) -> Endpoint:
    return Endpoint(name="voices", type=vendor, base_url="https://api.example.com", key="canary", config=config)


def translated(vendor: str, path: str, kind: str, body: bytes, model: str = "m-1", **config: str) -> Translated:
    request = NativeRequest("openai", "POST", path, headers={"content-type": kind}, body=body, model=model)
    adapter = ADAPTERS[vendor]
    assert adapter.translates(request)
    return adapter.translations["openai", path](endpoint_of(vendor, **config), request)


def speech(vendor: str, fields: dict[str, Any], model: str = "m-1", **config: str) -> Translated:
    body = json.dumps({"model": "voices/m-1", **fields}).encode()
    return translated(vendor, "/audio/speech", "application/json", body, model, **config)


def transcription(vendor: str, fields: dict[str, Any], model: str = "m-1", **config: str) -> Translated:
    data = {"model": "voices/m-1", **fields}
    form = httpx.Request("POST", "http://x", data=data, files={"file": ("ሀ.mp3", SOUND, "audio/mpeg")})
    return translated(vendor, "/audio/transcriptions", form.headers["content-type"], form.read(), model, **config)


def sent(vendor: str, said: Translated) -> httpx.Request:
    return ADAPTERS[vendor].build_native(endpoint_of(vendor), said.request)


def form_of(request: httpx.Request) -> dict[str, bytes]:
    return Arrived("POST", "", dict(request.headers), request.content).form


@pytest.mark.parametrize(
    ("fields", "target", "more"),
    [
        ({}, "/v1/stream?output_format=mp3_44100_128", {}),
        ({"response_format": "mp3", "speed": 1.2}, "/v1/stream?output_format=mp3_44100_128", {"speed": 1.2}),
        ({"response_format": "opus", "speed": 0.7}, "/v1/stream?output_format=opus_48000_128", {"speed": 0.7}),
        ({"response_format": "pcm", "stream_format": "audio"}, "/v1/stream?output_format=pcm_24000", {}),
        ({"response_format": "wav", "instructions": ""}, "/v1?output_format=wav_24000", {}),
        ({"voice": {"id": "a b?c%2F"}}, "/a%20b%3Fc%252F/stream?output_format=mp3_44100_128", {}),
    ],
)
def test_speech_at_elevenlabs(fields: dict[str, Any], target: str, more: dict[str, float]) -> None:
    said = speech("elevenlabs", {**SPOKEN, **fields})
    request = sent("elevenlabs", said)
    assert str(request.url) == f"https://api.example.com/v1/text-to-speech{target}"
    assert (request.headers["xi-api-key"], request.headers["content-type"]) == ("canary", "application/json")
    settings = {"voice_settings": more} if more else {}
    assert json.loads(request.content) == {"text": "ሰላም", "model_id": "m-1", **settings}
    assert said.answer is None, "the audio passes as it arrives"


def test_speech_by_the_vendors_usual_model() -> None:
    assert json.loads(speech("elevenlabs", SPOKEN, model="").request.body) == {"text": "ሰላም"}


@pytest.mark.parametrize(
    ("config", "fields", "expected"),
    [
        ({}, {}, {"language": "am", "voice_id": "v1"}),
        ({"target_language": "om"}, {"voice": "", "response_format": "wav", "speed": 1.0}, {"language": "om"}),
    ],
)
def test_speech_at_addis(config: dict[str, str], fields: dict[str, Any], expected: dict[str, str]) -> None:
    said = speech("addis", {**SPOKEN, **fields}, **config)
    request = sent("addis", said)
    assert str(request.url) == "https://api.example.com/api/v1/audio"
    assert json.loads(request.content) == {"text": "ሰላም", "stream": False, **expected}
    assert said.answer is not None
    encoded = base64.b64encode(SOUND).decode()
    for answer in ({"audio": encoded}, {"audio": f"data:audio/wav;base64,{encoded}"}, {"data": {"audio": encoded}}):
        assert said.answer(json.dumps(answer).encode()) == (SOUND, "audio/wav")
    for broken in (b"", b"RIFF", b"{}", b"[]", b'{"audio":1}', b'{"audio":"?"}', b'{"status":"error","error":{}}'):
        with pytest.raises(BrokenAnswer):
            said.answer(broken)


BOTH: list[tuple[dict[str, Any], str]] = [
    ({"input": ""}, "`input`"),
    ({"input": None}, "`input`"),
    ({"input": ["a"]}, "`input`"),
    ({"voice": 1}, "`voice`"),
    ({"voice": {"id": 1}}, "`voice`"),
    ({"speed": "1"}, "`speed`"),
    ({"speed": True}, "`speed`"),
    ({"speed": 0.69}, "`speed`"),
    ({"speed": 1.21}, "`speed`"),
    ({"instructions": "Softly"}, "`instructions`"),
    ({"stream_format": "sse"}, "`stream_format`"),
    ({"stream": True}, "`stream`"),
    ({"response_format": "aac"}, "`response_format`"),
    ({"response_format": "flac"}, "`response_format`"),
    ({"response_format": 1}, "`response_format`"),
    ({"anything": "else"}, "`anything`"),
]
VOICES: list[Any] = ["", None, {}, "a/b", "..", ".", "a\\b", "a\n", "a\0"]
ONE: list[tuple[str, dict[str, Any], str]] = [
    *(("elevenlabs", {"voice": voice}, "`voice`") for voice in VOICES),
    *(("addis", {"response_format": kind}, "`response_format`") for kind in ("mp3", "opus", "pcm")),
    ("addis", {"speed": 1.1}, "`speed`"),
]
REFUSED = [*((vendor, fields, sentence) for vendor in ADAPTERS for fields, sentence in BOTH), *ONE]


@pytest.mark.parametrize(("vendor", "fields", "sentence"), REFUSED)
def test_speech_that_is_refused(vendor: str, fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RequestNotPossible, match=sentence) as caught:
        speech(vendor, {**SPOKEN, **fields})
    assert caught.value.status == 400


def test_languages_that_addis_does_not_speak() -> None:
    with pytest.raises(RequestNotPossible, match="am, om, not in 'ti'"):
        speech("addis", SPOKEN, target_language="ti")
    with pytest.raises(RequestNotPossible, match="'fr'"):
        transcription("addis", {"language": "fr"})


@EACH
@pytest.mark.parametrize("body", [b"", b"[]", b"\xff"])
def test_bodies_that_are_none(vendor: str, body: bytes) -> None:
    with pytest.raises(RequestNotPossible):
        translated(vendor, "/audio/speech", "application/json", body)
    with pytest.raises(RequestNotPossible, match="`file`"):
        translated(vendor, "/audio/transcriptions", "multipart/form-data; boundary=b", body)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {}),
        ({"language": "am", "temperature": "0.5"}, {"language_code": b"am", "temperature": b"0.5"}),
        ({"stream": "false", "chunking_strategy": "auto", "prompt": ""}, {}),
    ],
)
def test_transcription_at_elevenlabs(fields: dict[str, str], expected: dict[str, bytes]) -> None:
    request = sent("elevenlabs", transcription("elevenlabs", fields))
    assert str(request.url) == "https://api.example.com/v1/speech-to-text"
    assert form_of(request) == {"model_id": b"m-1", "file": SOUND, **expected}
    assert b"Content-Type: audio/mpeg" in request.content
    assert 'filename="ሀ.mp3"'.encode() in request.content


@pytest.mark.parametrize(
    ("config", "fields", "language"),
    [({}, {}, "am"), ({"target_language": "om"}, {}, "om"), ({}, {"language": "sw", "temperature": "0"}, "sw")],
)
def test_transcription_at_addis(config: dict[str, str], fields: dict[str, str], language: str) -> None:
    request = sent("addis", transcription("addis", fields, **config))
    assert str(request.url) == "https://api.example.com/api/v2/stt"
    form = form_of(request)
    assert form.keys() == {"audio", "request_data"}
    assert (form["audio"], json.loads(form["request_data"])) == (SOUND, {"language_code": language})


HEARD = {
    "text": "Hello there",
    "language_code": "eng",
    "audio_duration_secs": 2.5,
    "words": [
        {"text": "Hello", "start": 0.0, "end": 0.5, "type": "word"},
        {"text": " ", "start": 0.5, "end": 0.6, "type": "spacing"},
        {"text": "(laughs)", "start": 0.6, "end": 0.7, "type": "audio_event"},
        {"text": "there", "start": 0.7, "end": 1.0, "type": "word"},
    ],
}
USED = {"usage": {"type": "duration", "seconds": 2.5}}
VERBOSE = {"task": "transcribe", "language": "eng", "duration": 2.5, "text": "Hello there", **USED}
WORDS = [{"word": "Hello", "start": 0.0, "end": 0.5}, {"word": "there", "start": 0.7, "end": 1.0}]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {"text": "Hello there", **USED}),
        ({"response_format": "json"}, {"text": "Hello there", **USED}),
        ({"response_format": "verbose_json"}, VERBOSE),
        ({"response_format": "verbose_json", "timestamp_granularities[]": "word"}, {**VERBOSE, "words": WORDS}),
        ({"response_format": "verbose_json", "language": "en"}, {**VERBOSE, "language": "en"}),
    ],
)
def test_what_elevenlabs_heard(fields: dict[str, str], expected: dict[str, Any]) -> None:
    said = transcription("elevenlabs", fields)
    assert said.answer is not None
    body, kind = said.answer(json.dumps(HEARD).encode())
    assert (json.loads(body), kind) == (expected, "application/json")


def test_what_was_heard_as_text() -> None:
    said = transcription("elevenlabs", {"response_format": "text"})
    assert said.answer is not None
    assert said.answer(b'{"text":"\xe1\x88\x80"}') == ("ሀ".encode(), "text/plain; charset=utf-8")


def test_an_answer_that_does_not_say_how_long_it_was() -> None:
    said = transcription("elevenlabs", {})
    assert said.answer is not None
    assert json.loads(said.answer(b'{"text":"a"}')[0]) == {"text": "a"}


def test_what_addis_heard() -> None:
    said = transcription("addis", {"response_format": "verbose_json", "language": "ti"})
    assert said.answer is not None
    heard = {"status": "success", "data": {"transcription": "ሰላም", "usage_metadata": {"totalBilledDuration": "15s"}}}
    assert json.loads(said.answer(json.dumps(heard).encode())[0]) == {
        "task": "transcribe",
        "language": "ti",
        "duration": 15.0,
        "text": "ሰላም",
        "usage": {"type": "duration", "seconds": 15.0},
    }


@EACH
@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"text":1}', b'{"data":{"transcription":null}}'])
def test_what_is_no_transcription(vendor: str, body: bytes) -> None:
    said = transcription(vendor, {})
    assert said.answer is not None
    with pytest.raises(BrokenAnswer):
        said.answer(body)


TIMES = "timestamp_granularities[]"
VERBOSELY = {"response_format": "verbose_json"}


@EACH
@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"response_format": "srt"}, "subtitles"),
        ({"response_format": "vtt"}, "subtitles"),
        ({"response_format": "diarized_json"}, "`response_format`"),
        ({"prompt": "Addis Ababa"}, "`prompt`"),
        ({"include[]": "logprobs"}, "`include`"),
        ({"stream": "true"}, "`stream`"),
        ({"chunking_strategy": '{"type":"server_vad"}'}, "`chunking_strategy`"),
        ({"temperature": "2"}, "`temperature`"),
        ({"temperature": "hot"}, "`temperature`"),
        ({"temperature": "nan"}, "`temperature`"),
        ({TIMES: "word"}, "`timestamp_granularities`"),
        ({**VERBOSELY, TIMES: "segment"}, "`timestamp_granularities`"),
        ({**VERBOSELY, TIMES: ["segment", "word"]}, "`timestamp_granularities`"),
        ({"language": ["am", "en"]}, "`language` only"),
        ({"anything": "else"}, "`anything`"),
    ],
)
def test_transcriptions_that_are_refused(vendor: str, fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RequestNotPossible, match=sentence) as caught:
        transcription(vendor, fields)
    assert caught.value.status == 400


def test_what_only_one_of_them_refuses() -> None:
    with pytest.raises(RequestNotPossible, match="`model`: name one, such as `voices/scribe_v1`"):
        transcription("elevenlabs", {}, model="")
    assert transcription("addis", {}, model="").request.body
    for fields in ({"temperature": "0.5"}, {**VERBOSELY, TIMES: "word"}):
        with pytest.raises(RequestNotPossible, match="`temperature`"):
            transcription("addis", fields)
