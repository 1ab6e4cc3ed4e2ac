"""The `elevenlabs` package: https://pypi.org/project/elevenlabs/"""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from elevenlabs import ElevenLabs, SpeechToTextChunkResponseModel
from elevenlabs.core.api_error import ApiError

from tests.sdks.ways import Way
from tests.vendors import elevenlabs as vendor
from tests.vendors.server import ACCOUNT

VOICE = "21m00Tcm4TlvDq8ikWAM"


@contextmanager
def client_for(way: Way, key: str | None = None) -> Iterator[ElevenLabs]:
    """The client cannot be closed; what it sends through can."""
    with httpx.Client(timeout=10, follow_redirects=True) as connections:
        yield ElevenLabs(base_url=way.url, api_key=key or way.key, httpx_client=connections)


@pytest.fixture
def client(elevenlabs_way: Way) -> Iterator[ElevenLabs]:
    with client_for(elevenlabs_way) as made:
        yield made


def test_speech_stream(client: ElevenLabs, elevenlabs_way: Way) -> None:
    elevenlabs_way.vendor.paced = True
    pieces = client.text_to_speech.stream(VOICE, text="Hello there", output_format="mp3_44100_128")
    audio = next(pieces)
    assert elevenlabs_way.vendor.streams_sent == 0, "the first piece is here before the last was sent"
    elevenlabs_way.vendor.go_on.set()
    audio += b"".join(pieces)
    assert audio == b"".join(vendor.AUDIO)
    assert elevenlabs_way.vendor.last.path == f"/v1/text-to-speech/{VOICE}/stream?output_format=mp3_44100_128"


def test_speech(client: ElevenLabs, elevenlabs_way: Way) -> None:
    with client.text_to_speech.with_raw_response.convert(VOICE, text="Hello there") as answer:
        assert b"".join(answer.data) == b"".join(vendor.AUDIO)
        assert answer.headers["character-cost"] == vendor.COST
        assert elevenlabs_way.name == "direct" or ACCOUNT not in str(answer.headers)


def test_sound(client: ElevenLabs) -> None:
    pieces = client.text_to_sound_effects.convert(text="Rain", duration_seconds=1.5)
    assert b"".join(pieces) == b"".join(vendor.AUDIO)


def test_transcript(client: ElevenLabs, elevenlabs_way: Way) -> None:
    sound = bytes(range(256)) * 4
    answer = client.speech_to_text.convert(model_id="scribe_v1", file=("a.mp3", sound))
    assert isinstance(answer, SpeechToTextChunkResponseModel)
    assert answer.text == vendor.TRANSCRIPT["text"]
    form = elevenlabs_way.vendor.last.form
    assert (form["model_id"], form["file"]) == (b"scribe_v1", sound)


def test_voices_and_models(client: ElevenLabs) -> None:
    assert [voice.voice_id for voice in client.voices.search().voices] == [VOICE]
    assert [model.model_id for model in client.models.list()] == [vendor.MODEL]


@pytest.mark.parametrize(
    ("model", "status", "name"),
    [
        ("status-429", 429, "too_many_concurrent_requests"),
        ("status-500", 500, "internal_error"),
    ],
)
def test_errors(client: ElevenLabs, model: str, status: int, name: str) -> None:
    """The client has a class of its own for few statuses."""
    with pytest.raises(ApiError) as caught:
        list(client.text_to_speech.stream(VOICE, text="x", model_id=model, request_options={"max_retries": 0}))
    assert (caught.value.status_code, caught.value.body["detail"]["status"]) == (status, name)
    assert type(caught.value) is ApiError


def test_no_such_voice(client: ElevenLabs) -> None:
    with pytest.raises(ApiError) as caught:
        list(client.text_to_speech.stream("no-such-voice", text="x"))
    assert caught.value.status_code == 404


def test_wrong_key(elevenlabs_way: Way) -> None:
    with client_for(elevenlabs_way, "wrong") as client, pytest.raises(ApiError) as caught:
        list(client.text_to_speech.stream(VOICE, text="x"))
    assert caught.value.status_code == 401
    assert caught.value.body["detail"]["status"]
