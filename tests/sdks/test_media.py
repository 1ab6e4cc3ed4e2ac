"""The `openai` package and what is no conversation, from providers with another wire format: the gateway translates."""

from collections.abc import Callable, Iterator

import openai
import pytest

from tests.addis_upstream import AUDIO as WAV
from tests.addis_upstream import AddisUpstream
from tests.gateway import Gateway
from tests.sdks.ways import Way, check_what_arrived
from tests.vendors import elevenlabs, fal, gemini
from tests.vendors.server import Vendor

VENDORS: dict[str, type[Vendor]] = {
    "elevenlabs": elevenlabs.ElevenLabs,
    "fal": fal.Fal,
    "gemini": gemini.Gemini,
    "addis": AddisUpstream,
}


@pytest.fixture
def way(
    request: pytest.FixtureRequest, gateway: Gateway, user_token: str, make_provider: Callable[[str, Vendor], str]
) -> Iterator[Way]:
    """The parameter is the type of the provider."""
    vendor = VENDORS[request.param]().start()
    name = make_provider(request.param, vendor)
    way = Way("front", vendor, gateway.url, user_token, f"{name}/")
    yield way
    vendor.stop()
    check_what_arrived(way)


@pytest.fixture
def client(way: Way) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{way.url}/v1", api_key=way.key, max_retries=0, timeout=10) as made:
        yield made


@pytest.mark.parametrize("way", ["elevenlabs"], indirect=True)
def test_speech(client: openai.OpenAI, way: Way) -> None:
    way.vendor.paced = True
    with client.audio.speech.with_streaming_response.create(
        model=way.model("eleven_flash_v2_5"), voice="21m00Tcm4TlvDq8ikWAM", input="Hello there", response_format="opus"
    ) as answer:
        pieces = answer.iter_bytes()
        audio = next(pieces)
        assert way.vendor.streams_sent == 0, "the first piece is here before the last was sent"
        way.vendor.go_on.set()
        audio += b"".join(pieces)
    assert audio == b"".join(elevenlabs.AUDIO)
    assert way.vendor.last.path == "/v1/text-to-speech/21m00Tcm4TlvDq8ikWAM/stream?output_format=opus_48000_128"
    assert way.vendor.last.json == {"text": "Hello there", "model_id": "eleven_flash_v2_5"}


@pytest.mark.parametrize("way", ["elevenlabs"], indirect=True)
def test_transcription(client: openai.OpenAI, way: Way) -> None:
    sound = bytes(range(256)) * 4 + b"\r\n--not the boundary\r\n"
    model = way.model("scribe_v1")
    answer = client.audio.transcriptions.create(model=model, file=("a.mp3", sound))
    assert answer.text == elevenlabs.TRANSCRIPT["text"]
    assert answer.usage is not None and answer.usage.type == "duration" and answer.usage.seconds == 2.5
    assert way.vendor.last.form == {"model_id": b"scribe_v1", "file": sound}
    text = client.audio.transcriptions.create(model=model, file=("a.mp3", sound), response_format="text")
    assert text == elevenlabs.TRANSCRIPT["text"]
    verbose = client.audio.transcriptions.create(
        model=model, file=("a.mp3", sound), response_format="verbose_json", timestamp_granularities=["word"]
    )
    assert (verbose.language, verbose.duration) == ("eng", 2.5)
    assert [(word.word, word.start, word.end) for word in verbose.words or []] == [("Hello", 0.0, 0.5)]
    with pytest.raises(openai.BadRequestError, match="subtitles"):
        client.audio.transcriptions.create(model=model, file=("a.mp3", sound), response_format="srt")


@pytest.mark.parametrize("way", ["addis"], indirect=True)
def test_speech_and_transcription_in_amharic(client: openai.OpenAI, way: Way) -> None:
    speech = client.audio.speech.create(model=way.prefix.rstrip("/"), voice="am-hamen", input="ሰላም")
    assert speech.content == WAV
    heard = client.audio.transcriptions.create(model=way.prefix.rstrip("/"), file=("a.wav", WAV), language="am")
    assert heard.text == "In am"


@pytest.mark.parametrize("way", ["fal"], indirect=True)
def test_images(client: openai.OpenAI, way: Way) -> None:
    answer = client.images.generate(model=way.model("fal-ai/flux/dev"), prompt="a cat", n=2, size="1024x1024")
    assert answer.data is not None
    assert [image.url for image in answer.data] == [fal.RESULT["images"][0]["url"]] * 2
    assert way.vendor.last.json["num_images"] == 2
    with pytest.raises(openai.BadRequestError, match="addresses of pictures"):
        client.images.generate(model=way.model("fal-ai/flux/dev"), prompt="a cat", response_format="b64_json")


@pytest.mark.parametrize("way", ["gemini"], indirect=True)
def test_embeddings(client: openai.OpenAI, way: Way) -> None:
    for given in ("a", ["a", "ሰላም"]):
        answer = client.embeddings.create(model=way.model("gemini-embedding-001"), input=given)
        assert [item.embedding for item in answer.data] == [gemini.VECTOR] * (1 if given == "a" else 2)
    assert answer.usage.prompt_tokens == 3, "ten bytes"
    floats = client.embeddings.create(model=way.model("counted"), input="a", encoding_format="float", dimensions=2)
    assert (floats.data[0].embedding, floats.usage.prompt_tokens) == (gemini.VECTOR[:2], 9)


@pytest.mark.parametrize("way", ["elevenlabs", "fal", "gemini"], indirect=True)
@pytest.mark.parametrize(
    ("status", "kind"), [(400, openai.BadRequestError), (429, openai.RateLimitError), (500, openai.InternalServerError)]
)
def test_errors(client: openai.OpenAI, way: Way, status: int, kind: type[openai.APIStatusError]) -> None:
    model = way.model(f"a/status-{status}" if isinstance(way.vendor, fal.Fal) else f"status-{status}")
    with pytest.raises(kind) as caught:
        if isinstance(way.vendor, fal.Fal):
            client.images.generate(model=model, prompt="a cat")
        elif isinstance(way.vendor, gemini.Gemini):
            client.embeddings.create(model=model, input="a")
        else:
            client.audio.speech.create(model=model, voice="v", input="a")
    assert isinstance(caught.value.body, dict) and caught.value.body["message"].startswith("The provider ")
