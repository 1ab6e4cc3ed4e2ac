"""The `openai` package: https://pypi.org/project/openai/"""

import base64
import json
from collections.abc import Iterator

import openai
import pytest
from openai.types.chat import ChatCompletionFunctionToolParam, ChatCompletionMessageParam
from openai.types.chat.chat_completion import Choice

from tests.sdks.ways import Way
from tests.vendors import openai as vendor
from tests.vendors import openai_responses
from tests.vendors.server import ACCOUNT


def client_for(way: Way, key: str | None = None) -> openai.OpenAI:
    return openai.OpenAI(base_url=way.url, api_key=key or way.key, max_retries=0, timeout=10)


@pytest.fixture
def client(openai_way: Way) -> Iterator[openai.OpenAI]:
    with client_for(openai_way) as made:
        yield made


def test_chat(client: openai.OpenAI, openai_way: Way) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model=openai_way.model(vendor.MODEL), messages=[{"role": "user", "content": "ሰላም"}], max_tokens=50
    )
    answer = raw.parse()
    assert answer.choices[0].message.content == "Answer to: ሰላም"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None and answer.usage.prompt_tokens_details is not None
    assert (answer.usage.total_tokens, answer.usage.prompt_tokens_details.cached_tokens) == (17, 4)
    assert openai_way.vendor.last.json["model"] == vendor.MODEL
    assert openai_way.name == "direct" or ACCOUNT not in str(raw.headers)


def test_chat_stream(client: openai.OpenAI, openai_way: Way) -> None:
    openai_way.vendor.paced = True
    stream = client.chat.completions.create(
        model=openai_way.model(vendor.MODEL), messages=[{"role": "user", "content": "one two"}], stream=True
    )
    first = next(stream)
    assert first.choices[0].delta.role == "assistant"
    assert openai_way.vendor.streams_sent == 0, "the first piece is here before the last was sent"
    openai_way.vendor.go_on.set()
    rest = list(stream)
    assert all(chunk.choices for chunk in rest), "no chunk of usage, as none was asked for"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in rest) == "Answer to: one two"
    assert rest[-1].choices[0].finish_reason == "stop"


def test_chat_stream_with_usage(client: openai.OpenAI, openai_way: Way) -> None:
    chunks = list(
        client.chat.completions.create(
            model=openai_way.model(vendor.MODEL),
            messages=[{"role": "user", "content": "hi"}],
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    usage = chunks[-1].usage
    assert usage is not None and chunks[-1].choices == []
    assert (usage.prompt_tokens, usage.completion_tokens) == (9, 8)


@pytest.mark.parametrize("stream", [False, True])
def test_chat_tools(client: openai.OpenAI, openai_way: Way, stream: bool) -> None:
    """The helper of the client puts the pieces of a stream together."""
    tools: list[ChatCompletionFunctionToolParam] = [
        {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
    ]
    messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": "The weather?"}]
    model = openai_way.model(vendor.MODEL)
    choice: Choice
    if stream:
        with client.chat.completions.stream(
            model=model, messages=messages, tools=tools, tool_choice="required"
        ) as events:
            choice = events.get_final_completion().choices[0]
    else:
        choice = client.chat.completions.create(
            model=model, messages=messages, tools=tools, tool_choice="required"
        ).choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.tool_calls is not None
    call = choice.message.tool_calls[0]
    assert call.type == "function"
    assert (call.function.name, json.loads(call.function.arguments)) == ("weather", vendor.ARGUMENTS)


def test_responses(client: openai.OpenAI, openai_way: Way) -> None:
    answer = client.responses.create(model=openai_way.model(vendor.MODEL), input="hello", max_output_tokens=50)
    assert answer.output_text == "Answer to: hello"
    assert answer.usage is not None
    assert answer.usage.total_tokens == openai_responses.USAGE["total_tokens"]


def test_responses_stream(client: openai.OpenAI, openai_way: Way) -> None:
    openai_way.vendor.paced = True
    stream = client.responses.create(model=openai_way.model(vendor.MODEL), input="one two", stream=True)
    text = ""
    for event in stream:
        if event.type == "response.output_text.delta":
            if not text:
                assert openai_way.vendor.streams_sent == 0
                openai_way.vendor.go_on.set()
            text += event.delta
    assert text == "Answer to: one two"
    assert event.type == "response.completed"
    assert event.response.usage is not None
    assert event.response.usage.output_tokens == openai_responses.USAGE["output_tokens"]


def test_embeddings(client: openai.OpenAI, openai_way: Way) -> None:
    answer = client.embeddings.create(model=openai_way.model("embedding-1"), input=["a", "b"])
    assert [item.embedding for item in answer.data] == [vendor.VECTOR] * 2
    assert openai_way.vendor.last.json["encoding_format"] == "base64"


def test_images(client: openai.OpenAI, openai_way: Way) -> None:
    answer = client.images.generate(model=openai_way.model("gpt-image-1"), prompt="a cat", n=2)
    assert answer.data is not None
    assert [base64.b64decode(image.b64_json or "") for image in answer.data] == [vendor.PNG] * 2
    assert answer.usage is not None and answer.usage.output_tokens == 272
    old = client.images.generate(model=openai_way.model("dall-e-3"), prompt="a cat", response_format="url")
    assert old.data is not None and old.data[0].url == "https://images.example/1.png"


def test_speech(client: openai.OpenAI, openai_way: Way) -> None:
    openai_way.vendor.paced = True
    with client.audio.speech.with_streaming_response.create(
        model=openai_way.model("tts-1"), voice="alloy", input="Hello there"
    ) as answer:
        assert answer.headers["content-type"] == "audio/mpeg"
        pieces = answer.iter_bytes()
        audio = next(pieces)
        assert openai_way.vendor.streams_sent == 0
        openai_way.vendor.go_on.set()
        audio += b"".join(pieces)
    assert audio == b"".join(vendor.AUDIO)


def test_transcription(client: openai.OpenAI, openai_way: Way) -> None:
    sound = bytes(range(256)) * 4 + b"\r\n--not the boundary\r\n"
    answer = client.audio.transcriptions.create(model=openai_way.model("whisper-1"), file=("a.mp3", sound))
    assert answer.text == vendor.TRANSCRIPT
    form = openai_way.vendor.last.form
    assert (form["model"], form["file"]) == (b"whisper-1", sound)


def test_models(client: openai.OpenAI, openai_way: Way) -> None:
    """The vendor's own through the pass-through; through the front, those that the gateway knows."""
    names = [model.id for model in client.models.list()]
    if openai_way.name == "front":
        assert all(name.partition("/")[0] for name in names)
        assert any(name.startswith(openai_way.prefix.rstrip("/")) for name in names)
        assert client.models.retrieve(names[0]).id == names[0]
    else:
        assert names == [vendor.MODEL]
        assert client.models.retrieve(vendor.MODEL).id == vendor.MODEL


ERRORS = [
    ("status-400", openai.BadRequestError, 400),
    ("no-such-model", openai.NotFoundError, 404),
    ("status-429", openai.RateLimitError, 429),
    ("status-500", openai.InternalServerError, 500),
    ("status-529", openai.InternalServerError, 529),
]


@pytest.mark.parametrize(("model", "kind", "status"), ERRORS)
@pytest.mark.parametrize("stream", [False, True])
def test_errors(
    client: openai.OpenAI,
    openai_way: Way,
    model: str,
    kind: type[openai.APIStatusError],
    status: int,
    stream: bool,
) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(
            model=openai_way.model(model), messages=[{"role": "user", "content": "x"}], stream=stream
        )
    assert (type(caught.value), caught.value.status_code) == (kind, status)
    if status == 429:
        assert caught.value.response.headers["retry-after"] == "7"
        assert caught.value.code == "rate_limit_exceeded"


def test_wrong_key(openai_way: Way) -> None:
    with client_for(openai_way, "sk-wrong") as client, pytest.raises(openai.AuthenticationError) as caught:
        client.chat.completions.create(
            model=openai_way.model(vendor.MODEL), messages=[{"role": "user", "content": "x"}]
        )
    assert (caught.value.status_code, caught.value.code) == (401, "invalid_api_key")


@pytest.mark.parametrize("openai_way", ["front"], indirect=True)
def test_a_model_of_nobody(client: openai.OpenAI, openai_way: Way) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="nobody/knows", messages=[{"role": "user", "content": "x"}])
    assert caught.value.code == "model_not_found"
    assert openai_way.vendor.calls == []


def test_error_inside_a_stream(client: openai.OpenAI, openai_way: Way) -> None:
    with pytest.raises(openai.APIError):
        list(
            client.chat.completions.create(
                model=openai_way.model("stream-error"), messages=[{"role": "user", "content": "x"}], stream=True
            )
        )
