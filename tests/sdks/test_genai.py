"""The `google-genai` package: https://pypi.org/project/google-genai/"""

from collections.abc import Iterator

import pytest
from google import genai
from google.genai import errors, types

from tests.sdks.ways import Way
from tests.vendors import gemini as vendor
from tests.vendors.server import ACCOUNT


def client_for(way: Way, key: str | None = None) -> genai.Client:
    return genai.Client(api_key=key or way.key, http_options=types.HttpOptions(base_url=way.url, timeout=10_000))


@pytest.fixture
def client(gemini_way: Way) -> Iterator[genai.Client]:
    with client_for(gemini_way) as made:
        yield made


def test_generate(client: genai.Client, gemini_way: Way) -> None:
    answer = client.models.generate_content(model=vendor.MODEL, contents="ሰላም")
    assert answer.text == "Answer to: ሰላም"
    usage = answer.usage_metadata
    assert usage is not None
    assert (usage.prompt_token_count, usage.candidates_token_count, usage.thoughts_token_count) == (13, 6, 2)
    assert gemini_way.name == "direct" or ACCOUNT not in str(answer.sdk_http_response)


def test_stream(client: genai.Client, gemini_way: Way) -> None:
    gemini_way.vendor.paced = True
    stream = client.models.generate_content_stream(model=vendor.MODEL, contents="one two")
    first = next(stream)
    assert gemini_way.vendor.streams_sent == 0, "the first piece is here before the last was sent"
    gemini_way.vendor.go_on.set()
    rest = list(stream)
    assert "".join(chunk.text or "" for chunk in [first, *rest]) == "Answer to: one two"
    assert rest[-1].usage_metadata is not None
    assert rest[-1].usage_metadata.total_token_count == vendor.USAGE["totalTokenCount"]


def test_tools(client: genai.Client) -> None:
    function = types.FunctionDeclaration(name="weather", description="The weather of a city")
    calling = types.FunctionCallingConfig(mode=types.FunctionCallingConfigMode.ANY)
    answer = client.models.generate_content(
        model=vendor.MODEL,
        contents="The weather?",
        config=types.GenerateContentConfig(
            tools=[types.Tool(function_declarations=[function])],
            tool_config=types.ToolConfig(function_calling_config=calling),
        ),
    )
    assert answer.function_calls is not None
    assert [(call.name, call.args) for call in answer.function_calls] == [("weather", vendor.ARGUMENTS)]


def test_count_tokens_and_models(client: genai.Client) -> None:
    assert client.models.count_tokens(model=vendor.MODEL, contents="x").total_tokens == 13
    assert [model.name for model in client.models.list()] == [f"models/{vendor.MODEL}"]


ERRORS = [
    ("status-400", errors.ClientError, 400, "INVALID_ARGUMENT"),
    ("no-such-model", errors.ClientError, 404, "NOT_FOUND"),
    ("status-429", errors.ClientError, 429, "RESOURCE_EXHAUSTED"),
    ("status-503", errors.ServerError, 503, "UNAVAILABLE"),
]


@pytest.mark.parametrize(("model", "kind", "code", "status"), ERRORS)
@pytest.mark.parametrize("stream", [False, True])
def test_errors(
    client: genai.Client, model: str, kind: type[errors.APIError], code: int, status: str, stream: bool
) -> None:
    with pytest.raises(errors.APIError) as caught:
        if stream:
            next(client.models.generate_content_stream(model=model, contents="x"))
        else:
            client.models.generate_content(model=model, contents="x")
    assert (type(caught.value), caught.value.code, caught.value.status) == (kind, code, status)


def test_wrong_key(gemini_way: Way) -> None:
    """The vendor refuses a wrong key with 400, the gateway with 401: the same class for the client."""
    with client_for(gemini_way, "wrong") as client, pytest.raises(errors.ClientError) as caught:
        client.models.generate_content(model=vendor.MODEL, contents="x")
    assert caught.value.code == (400 if gemini_way.name == "direct" else 401)


def test_error_inside_a_stream(client: genai.Client) -> None:
    with pytest.raises(errors.ServerError) as caught:
        list(client.models.generate_content_stream(model="stream-error", contents="x"))
    assert caught.value.code == 503
