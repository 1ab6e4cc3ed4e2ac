"""The `anthropic` package: https://pypi.org/project/anthropic/"""

from collections.abc import Iterator

import anthropic
import pytest
from anthropic.types import Message, MessageParam, ToolChoiceAnyParam, ToolParam

from tests.sdks.ways import Way
from tests.vendors import anthropic as vendor
from tests.vendors.server import ACCOUNT

HELLO: list[MessageParam] = [{"role": "user", "content": "one two"}]


def client_for(way: Way, key: str | None = None) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=way.url, api_key=key or way.key, max_retries=0, timeout=10)


@pytest.fixture
def client(anthropic_way: Way) -> Iterator[anthropic.Anthropic]:
    with client_for(anthropic_way) as made:
        yield made


def test_messages(client: anthropic.Anthropic, anthropic_way: Way) -> None:
    raw = client.messages.with_raw_response.create(
        model=anthropic_way.model(vendor.MODEL), max_tokens=50, messages=[{"role": "user", "content": "ሰላም"}]
    )
    answer = raw.parse()
    assert answer.content[0].type == "text" and answer.content[0].text == "Answer to: ሰላም"
    assert answer.stop_reason == "end_turn"
    usage = answer.usage
    assert (usage.input_tokens, usage.output_tokens) == (11, 7)
    assert (usage.cache_creation_input_tokens, usage.cache_read_input_tokens) == (3, 5)
    assert anthropic_way.vendor.last.json["model"] == vendor.MODEL
    assert anthropic_way.name == "direct" or ACCOUNT not in str(raw.headers)
    assert raw.headers["request-id"] == "req_1"


def test_version_and_beta_pass(client: anthropic.Anthropic, anthropic_way: Way) -> None:
    client.messages.create(
        model=anthropic_way.model(vendor.MODEL),
        max_tokens=50,
        messages=HELLO,
        extra_headers={"anthropic-beta": "some-beta-2026-01-01"},
    )
    arrived = anthropic_way.vendor.last.headers
    assert arrived["anthropic-beta"] == "some-beta-2026-01-01"
    assert arrived["anthropic-version"] == client.default_headers["anthropic-version"]


def test_stream(client: anthropic.Anthropic, anthropic_way: Way) -> None:
    anthropic_way.vendor.paced = True
    with client.messages.stream(model=anthropic_way.model(vendor.MODEL), max_tokens=50, messages=HELLO) as stream:
        texts = stream.text_stream
        text = next(texts)
        assert anthropic_way.vendor.streams_sent == 0, "the first piece is here before the last was sent"
        anthropic_way.vendor.go_on.set()
        text += "".join(texts)
        message = stream.get_final_message()
    assert text == "Answer to: one two"
    assert message.stop_reason == "end_turn"
    assert (message.usage.input_tokens, message.usage.output_tokens) == (11, 7)


@pytest.mark.parametrize("stream", [False, True])
def test_tools(client: anthropic.Anthropic, anthropic_way: Way, stream: bool) -> None:
    """The helper of the client puts the pieces of a stream together."""
    model = anthropic_way.model(vendor.MODEL)
    tools: list[ToolParam] = [{"name": "weather", "input_schema": {"type": "object", "properties": {}}}]
    choice: ToolChoiceAnyParam = {"type": "any"}
    answer: Message
    if stream:
        with client.messages.stream(
            model=model, max_tokens=50, messages=HELLO, tools=tools, tool_choice=choice
        ) as events:
            answer = events.get_final_message()
    else:
        answer = client.messages.create(model=model, max_tokens=50, messages=HELLO, tools=tools, tool_choice=choice)
    assert answer.stop_reason == "tool_use"
    call = answer.content[0]
    assert call.type == "tool_use"
    assert (call.name, call.input) == ("weather", vendor.ARGUMENTS)


def test_count_tokens(client: anthropic.Anthropic, anthropic_way: Way) -> None:
    counted = client.messages.count_tokens(model=anthropic_way.model(vendor.MODEL), messages=HELLO)
    assert counted.input_tokens == 19
    assert anthropic_way.vendor.last.json["model"] == vendor.MODEL


def test_models(client: anthropic.Anthropic, anthropic_way: Way) -> None:
    """The vendor's own through the pass-through; through the front, those that the gateway knows."""
    names = [model.id for model in client.models.list()]
    if anthropic_way.name == "front":
        assert any(name.startswith(anthropic_way.prefix.rstrip("/")) for name in names)
    else:
        assert names == [vendor.MODEL]


ERRORS = [
    ("status-400", anthropic.BadRequestError, 400),
    ("no-such-model", anthropic.NotFoundError, 404),
    ("status-413", anthropic.RequestTooLargeError, 413),
    ("status-429", anthropic.RateLimitError, 429),
    ("status-500", anthropic.InternalServerError, 500),
    ("status-529", anthropic.OverloadedError, 529),
]


@pytest.mark.parametrize(("model", "kind", "status"), ERRORS)
@pytest.mark.parametrize("stream", [False, True])
def test_errors(
    client: anthropic.Anthropic,
    anthropic_way: Way,
    model: str,
    kind: type[anthropic.APIStatusError],
    status: int,
    stream: bool,
) -> None:
    with pytest.raises(anthropic.APIStatusError) as caught:
        client.messages.create(model=anthropic_way.model(model), max_tokens=50, messages=HELLO, stream=stream)
    assert (type(caught.value), caught.value.status_code) == (kind, status)
    if status == 429:
        assert caught.value.response.headers["retry-after"] == "7"


def test_wrong_key(anthropic_way: Way) -> None:
    with client_for(anthropic_way, "sk-wrong") as client, pytest.raises(anthropic.AuthenticationError) as caught:
        client.messages.create(model=anthropic_way.model(vendor.MODEL), max_tokens=50, messages=HELLO)
    assert caught.value.status_code == 401
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["error"]["type"] == "authentication_error"


@pytest.mark.parametrize("anthropic_way", ["front"], indirect=True)
def test_a_model_of_nobody(client: anthropic.Anthropic, anthropic_way: Way) -> None:
    with pytest.raises(anthropic.NotFoundError) as caught:
        client.messages.create(model="nobody/knows", max_tokens=50, messages=HELLO)
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["error"]["type"] == "not_found_error"
    assert anthropic_way.vendor.calls == []


def test_error_inside_a_stream(client: anthropic.Anthropic, anthropic_way: Way) -> None:
    with (
        pytest.raises(anthropic.APIStatusError) as caught,
        client.messages.stream(model=anthropic_way.model("stream-error"), max_tokens=50, messages=HELLO) as stream,
    ):
        stream.until_done()
    assert "overloaded_error" in str(caught.value.body)
