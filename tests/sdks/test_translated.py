"""Each front's own client to a provider with another wire format: the gateway translates."""

import json
from collections.abc import Callable, Iterator

import anthropic
import openai
import pytest

from tests.gateway import Gateway
from tests.sdks.ways import Way, check_what_arrived
from tests.vendors.anthropic import ARGUMENTS, Anthropic
from tests.vendors.gemini import Gemini
from tests.vendors.openai import OpenAI
from tests.vendors.server import Vendor

VENDORS: dict[str, type[Vendor]] = {"anthropic": Anthropic, "gemini": Gemini, "openai": OpenAI}
# What each vendor's numbers are in the words of another; thoughts count as output, cached input as input.
OPENAI_USAGE = {"anthropic": (19, 7), "gemini": (13, 8)}
ANTHROPIC_USAGE = {"openai": (5, 4, 8), "gemini": (9, 4, 8)}  # input without cached, cached, output


@pytest.fixture
def way(
    request: pytest.FixtureRequest,
    gateway: Gateway,
    user_token: str,
    make_provider: Callable[[str, Vendor], str],
) -> Iterator[Way]:
    """The parameter is the type of the provider."""
    vendor = VENDORS[request.param]().start()
    name = make_provider(request.param, vendor)
    way = Way("front", vendor, gateway.url, user_token, f"{name}/")
    yield way
    vendor.stop()
    check_what_arrived(way)


@pytest.fixture
def chat(way: Way) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{way.url}/v1", api_key=way.key, max_retries=0, timeout=10) as client:
        yield client


@pytest.fixture
def claude(way: Way) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=way.url, api_key=way.key, max_retries=0, timeout=10) as client:
        yield client


@pytest.mark.parametrize("way", ["anthropic", "gemini"], indirect=True)
def test_chat(chat: openai.OpenAI, way: Way, request: pytest.FixtureRequest) -> None:
    answer = chat.chat.completions.create(
        model=way.model("m-1"),
        messages=[{"role": "system", "content": "Be kind"}, {"role": "user", "content": "ሰላም"}],
        max_tokens=50,
    )
    assert answer.choices[0].message.content == "Answer to: ሰላም"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    used = (answer.usage.prompt_tokens, answer.usage.completion_tokens)
    assert used == OPENAI_USAGE[request.node.callspec.params["way"]]
    assert "Be kind" in way.vendor.last.body.decode()


@pytest.mark.parametrize("way", ["anthropic", "gemini"], indirect=True)
def test_chat_stream(chat: openai.OpenAI, way: Way) -> None:
    way.vendor.paced = True
    text, usage = "", None
    for chunk in chat.chat.completions.create(
        model=way.model("m-1"),
        messages=[{"role": "user", "content": "one two"}],
        stream=True,
        stream_options={"include_usage": True},
    ):
        usage = chunk.usage or usage
        text += "".join(choice.delta.content or "" for choice in chunk.choices)
        if text and not way.vendor.go_on.is_set():
            assert way.vendor.streams_sent == 0, "the first piece is here before the last was sent"
            way.vendor.go_on.set()
    assert text == "Answer to: one two"
    assert usage is not None and usage.completion_tokens > 0


@pytest.mark.parametrize("way", ["anthropic", "gemini"], indirect=True)
def test_chat_tools(chat: openai.OpenAI, way: Way) -> None:
    with chat.chat.completions.stream(
        model=way.model("m-1"),
        messages=[{"role": "user", "content": "The weather?"}],
        tools=[{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}],
        tool_choice="required",
    ) as stream:
        choice = stream.get_final_completion().choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.tool_calls is not None
    call = choice.message.tool_calls[0].function
    assert (call.name, json.loads(call.arguments)) == ("weather", ARGUMENTS)


@pytest.mark.parametrize("way", ["openai", "gemini"], indirect=True)
def test_messages(claude: anthropic.Anthropic, way: Way, request: pytest.FixtureRequest) -> None:
    answer = claude.messages.create(
        model=way.model("m-1"), max_tokens=50, system="Be kind", messages=[{"role": "user", "content": "ሰላም"}]
    )
    assert answer.content[0].type == "text" and answer.content[0].text == "Answer to: ሰላም"
    assert answer.stop_reason == "end_turn"
    usage = answer.usage
    used = (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens)
    assert used == ANTHROPIC_USAGE[request.node.callspec.params["way"]]
    assert "Be kind" in way.vendor.last.body.decode()


@pytest.mark.parametrize("way", ["openai", "gemini"], indirect=True)
def test_messages_stream(claude: anthropic.Anthropic, way: Way) -> None:
    way.vendor.paced = True
    with claude.messages.stream(
        model=way.model("m-1"), max_tokens=50, messages=[{"role": "user", "content": "one two"}]
    ) as stream:
        for _ in stream.text_stream:
            if not way.vendor.go_on.is_set():
                assert way.vendor.streams_sent == 0, "the first piece is here before the last was sent"
                way.vendor.go_on.set()
        message = stream.get_final_message()
    assert message.content[0].type == "text" and message.content[0].text == "Answer to: one two"
    assert message.usage.output_tokens > 0


@pytest.mark.parametrize("way", ["openai", "gemini"], indirect=True)
def test_messages_tools(claude: anthropic.Anthropic, way: Way) -> None:
    with claude.messages.stream(
        model=way.model("m-1"),
        max_tokens=50,
        messages=[{"role": "user", "content": "The weather?"}],
        tools=[{"name": "weather", "input_schema": {"type": "object"}}],
        tool_choice={"type": "any"},
    ) as stream:
        message = stream.get_final_message()
    assert message.stop_reason == "tool_use"
    call = message.content[-1]
    assert call.type == "tool_use"
    assert (call.name, call.input) == ("weather", ARGUMENTS)
