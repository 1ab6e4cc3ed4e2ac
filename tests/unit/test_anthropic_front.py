"""Requests to /v1/messages, read for a provider that speaks another wire format."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.conversation import (
    GenerateRequest,
    JsonOutput,
    Message,
    Picture,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from providers.errors import RequestNotPossible
from providers.fronts.anthropic import estimate_tokens, read_messages

PLAIN: dict[str, Any] = {
    "model": "local/llama",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "Hello"}],
}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
DEEP: Any = {}
for _ in range(300):
    DEEP = {"a": DEEP}


def said(*content: Any, role: str = "user") -> dict[str, Any]:
    return {"messages": [{"role": role, "content": list(content)}]}


CONVERSATION = {
    **PLAIN,
    "system": [
        {"type": "text", "text": "Be brief", "cache_control": {"type": "ephemeral"}},
        {"type": "text", "text": "Be kind"},
    ],
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is the weather here?"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0="}},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "A city", "signature": "EqQB"},
                {"type": "text", "text": "I look"},
                {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Addis"}},
                {"type": "tool_use", "id": "toolu_2", "name": "get_weather", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "25 °C"}]},
                {"type": "tool_result", "tool_use_id": "toolu_2", "content": "no city", "is_error": True},
                {"type": "text", "text": "And there?"},
            ],
        },
    ],
    "tools": [{"name": "get_weather", "description": "Tells the weather", "input_schema": SCHEMA}],
    "metadata": {"user_id": "u1"},
    "thinking": {"type": "disabled"},
    "stream": True,
}


def test_a_conversation_with_pictures_and_tools() -> None:
    assert read_messages(CONVERSATION) == GenerateRequest(
        model="local/llama",
        max_tokens=100,
        messages=(
            Message("system", "Be brief\n\nBe kind"),
            Message("user", (Text("What is the weather here?"), Picture("image/png", "iVBORw0="))),
            Message(
                "assistant",
                (
                    Text("I look"),
                    ToolCall("toolu_1", "get_weather", '{"city":"Addis"}'),
                    ToolCall("toolu_2", "get_weather", "{}"),
                ),
            ),
            Message("tool", (ToolResult("toolu_1", "25 °C"), ToolResult("toolu_2", "no city", failed=True))),
            Message("user", (Text("And there?"),)),
        ),
        tools=(Tool("get_weather", "Tells the weather", SCHEMA),),
        stream=True,
    )


@pytest.mark.parametrize(
    ("field", "read"),
    [
        ({"system": "Be brief"}, {"system": "Be brief"}),
        ({"temperature": 0.5, "top_p": 0.9, "top_k": 40}, {"temperature": 0.5, "top_p": 0.9, "top_k": 40}),
        ({"stop_sequences": ["END"]}, {"stop": ("END",)}),
        ({"tools": [{"type": "custom", "name": "now", "input_schema": {}}]}, {"tools": (Tool("now"),)}),
        ({"tools": [{"name": "now", "input_schema": {}, "strict": False}]}, {"tools": (Tool("now"),)}),
        ({"tools": [{"name": "now", "input_schema": {}, "cache_control": {"ttl": 1}}]}, {"tools": (Tool("now"),)}),
        ({"tool_choice": {"type": "auto"}}, {"tool_choice": ToolChoice("auto")}),
        ({"tool_choice": {"type": "any"}}, {"tool_choice": ToolChoice("required")}),
        ({"tool_choice": {"type": "none"}}, {"tool_choice": ToolChoice("none")}),
        ({"tool_choice": {"type": "tool", "name": "now"}}, {"tool_choice": ToolChoice("tool", "now")}),
        (
            {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
            {"tool_choice": ToolChoice("auto"), "parallel_tool_calls": False},
        ),
        (
            {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}, "effort": "low"}},
            {"json_output": JsonOutput(SCHEMA), "reasoning_effort": "low"},
        ),
        ({"service_tier": "auto", "cache_control": {"type": "ephemeral"}, "speed": "fast"}, {}),
        ({"container": None, "context_management": {}, "thinking": None, "stream": None}, {}),
    ],
    ids=str,
)
def test_fields_of_a_request(field: dict[str, Any], read: dict[str, Any]) -> None:
    system = (Message("system", read.pop("system")),) if "system" in read else ()
    expected = GenerateRequest((*system, Message("user", "Hello")), "local/llama", 100, **read)
    assert read_messages(PLAIN | field) == expected


def test_a_picture_at_an_address() -> None:
    (message,) = read_messages(PLAIN | source(type="url", url="https://h/a")).messages
    assert message == Message("user", (Picture(url="https://h/a"),))


def test_results_of_tools_without_a_word_of_the_user() -> None:
    result = {"type": "tool_result", "tool_use_id": "t"}
    assert read_messages(PLAIN | said(result)).messages == (Message("tool", (ToolResult("t", ""),)),)


def test_earlier_thoughts_leave_no_empty_message() -> None:
    thought = {"role": "assistant", "content": [{"type": "redacted_thinking", "data": "x"}]}
    assert read_messages(PLAIN | {"messages": [*PLAIN["messages"], thought]}).messages == (Message("user", "Hello"),)


def source(**fields: Any) -> dict[str, Any]:
    return said({"type": "image", "source": fields})


def result(**fields: Any) -> dict[str, Any]:
    return said({"type": "tool_result", "tool_use_id": "t", **fields})


def use(**fields: Any) -> dict[str, Any]:
    return said({"type": "tool_use", "id": "t", "name": "n", "input": {}} | fields, role="assistant")


def tool(**fields: Any) -> dict[str, Any]:
    return {"tools": [{"name": "n", "input_schema": {}} | fields]}


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"model": None}, "`model` must be a string"),
    ({"max_tokens": None}, "`max_tokens` is missing"),
    ({"max_tokens": 0}, "`max_tokens` must be a whole number of at least 1"),
    ({"max_tokens": True}, "`max_tokens`"),
    ({"max_tokens": "100"}, "`max_tokens`"),
    ({"max_tokens": 1.5}, "`max_tokens`"),
    ({"messages": None}, "`messages` must not be empty"),
    ({"messages": []}, "`messages` must not be empty"),
    ({"messages": "Hello"}, "`messages` must be a list"),
    ({"messages": ["Hello"]}, r"`messages\[0\]` must be an object"),
    ({"messages": [{"role": "tool", "content": "x"}]}, r"`messages\[0\].role` must be user, assistant or system"),
    ({"messages": [{"role": ["user"], "content": "x"}]}, r"`messages\[0\].role`"),
    ({"messages": [{"role": "user"}]}, r"`messages\[0\].content` must be a string or a list"),
    (said(), r"`messages\[0\].content` must not be empty"),
    (said("Hello"), r"`messages\[0\].content\[0\]` must be an object"),
    (said({"type": "text"}), r"`messages\[0\].content\[0\].text` must be a string"),
    (said({"type": "document", "source": {}}), r"content\[0\].type`: this provider takes text, image, tool_result in"),
    (said({"type": "search_result"}), r"content\[0\].type`"),
    (said({"type": {"a": 1}}), r"content\[0\].type`"),
    (said({"type": "tool_use", "id": "t", "name": "n", "input": {}}), "role user"),
    (said({"type": "image"}, role="assistant"), "role assistant"),
    (said({"type": "server_tool_use"}, role="assistant"), "role assistant"),
    (said({"type": "image"}, role="system"), "role system"),
    (said({"type": "image"}), r"content\[0\].source` must be an object"),
    (source(type="file", file_id="f"), "source.type` must be base64 or url"),
    (source(type="base64", media_type="image/png"), "source.data`"),
    (source(type="url"), "source.url`"),
    (use(id=5), "id` must be a string"),
    (use(name=None), "name` must be a string"),
    (use(input="{}"), "input` must be an object"),
    (use(input=DEEP), "input` is nested too deeply"),
    (result(tool_use_id=None), "tool_use_id` must be a string"),
    (result(content=[{"type": "image", "source": {}}]), r"content\[0\].content\[0\].type` must be text"),
    (result(content=5), r"content\[0\].content` must be a list"),
    (result(is_error="yes"), "is_error` must be true or false"),
    ({"system": 5}, "`system` must be a list"),
    ({"system": [{"type": "image"}]}, r"`system\[0\].type` must be text"),
    ({"temperature": 1.5}, "`temperature` must be a number from 0 to 1"),
    ({"temperature": "hot"}, "`temperature`"),
    ({"top_p": 2}, "`top_p`"),
    ({"top_k": 0.5}, "`top_k`"),
    ({"stop_sequences": "END"}, "`stop_sequences` must be a list"),
    ({"stop_sequences": [5]}, r"`stop_sequences\[0\]` must be a string"),
    ({"stream": "yes"}, "`stream` must be true or false"),
    ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "`thinking` cannot be translated"),
    ({"thinking": {"type": "adaptive"}}, "`thinking` cannot be translated"),
    ({"thinking": True}, "`thinking` must be an object"),
    ({"tools": {}}, "`tools` must be a list"),
    (tool(type="web_search_20250305"), r"`tools\[0\].type`"),
    (tool(name=None), r"`tools\[0\].name` must be a string"),
    (tool(description=5), r"`tools\[0\].description`"),
    (tool(input_schema=None), r"`tools\[0\].input_schema` must be an object"),
    (tool(strict=True), "`strict` cannot be translated"),
    (tool(defer_loading=True), "`defer_loading` cannot be translated"),
    (tool(input_examples=[{"a": 1}]), "`input_examples` cannot be translated"),
    ({"tool_choice": "auto"}, "`tool_choice` must be an object"),
    ({"tool_choice": {"type": "required"}}, "`tool_choice.type` must be auto, any, none or tool"),
    ({"tool_choice": {"type": "tool"}}, "`tool_choice.name`"),
    ({"tool_choice": {"type": "auto", "disable_parallel_tool_use": 1}}, "`tool_choice.disable_parallel_tool_use`"),
    ({"output_config": {"format": {"type": "json_object"}}}, "`output_config.format`"),
    ({"output_config": {"effort": 5}}, "`output_config.effort`"),
    ({"output_config": {"task_budget": {"total": 5}}}, "`task_budget` cannot be translated"),
    ({"mcp_servers": [{"url": "https://h"}]}, "`mcp_servers` cannot be translated"),
    ({"container": "c1"}, "`container` cannot be translated"),
    ({"context_management": {"edits": [1]}}, "`context_management` cannot be translated"),
    ({"inference_geo": "us"}, "`inference_geo` cannot be translated"),
    ({"frequency_penalty": 1}, "`frequency_penalty` cannot be translated"),
]


@pytest.mark.parametrize(("field", "told"), REFUSED, ids=[told for _, told in REFUSED])
def test_what_is_wrong_or_has_no_words_is_refused_by_name(field: dict[str, Any], told: str) -> None:
    with pytest.raises(RequestNotPossible, match=told) as refused:
        read_messages(PLAIN | field)
    assert refused.value.status == 400


@pytest.mark.parametrize(
    ("body", "tokens"),
    [
        ({}, 0),
        (PLAIN, 2),
        (PLAIN | {"system": "Be brief"}, 4),
        (PLAIN | {"system": [{"type": "text", "text": "Be brief"}]}, 4),
        ({"messages": [{"role": "user", "content": "ሰላም"}]}, 3),
        (source(type="base64", media_type="image/png", data="A" * 4000), 0),
        (result(content=[{"type": "text", "text": "25 degrees"}]), 3),
        (use(name="now", input={"city": "Addis", "n": 5}), 4),
        (tool(name="now", description="The time", input_schema={"type": "object"}), 6),
        ({"messages": 5, "system": [None, 1], "tools": {"a": ["b"]}}, 1),
    ],
    ids=str,
)
def test_tokens_are_estimated_from_all_text(body: dict[str, Any], tokens: int) -> None:
    assert estimate_tokens(body) == tokens


def test_an_estimate_survives_any_nesting() -> None:
    nested: Any = "four"
    for _ in range(5000):
        nested = [nested]
    assert estimate_tokens({"messages": nested}) == 1


WORDS = st.sampled_from(
    [
        "role",
        "user",
        "assistant",
        "content",
        "type",
        "text",
        "image",
        "source",
        "tool_use",
        "tool_result",
        "input",
        "id",
    ]
)
LEAVES = st.none() | st.booleans() | st.integers(-5, 5) | WORDS
ANYTHING = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=4))
FIELDS = st.sampled_from(["messages", "system", "tools", "tool_choice", "output_config", "thinking", "stop_sequences"])


@given(body=st.dictionaries(FIELDS, ANYTHING, max_size=4))
@settings(max_examples=300, deadline=None, database=None)
def test_whatever_comes_in_it_is_a_request_or_refused(body: dict[str, Any]) -> None:
    estimate_tokens(body)
    try:
        request = read_messages(PLAIN | body)
    except RequestNotPossible:
        return
    assert json.dumps([message.text for message in request.messages])
