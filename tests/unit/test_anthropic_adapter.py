"""Anthropic's wire format: what is sent, what is relayed, and what is made of its answers."""

import json
from dataclasses import replace
from typing import Any

import pytest

from providers.adapters.anthropic import AnthropicAdapter
from providers.adapters.registry import TYPES, adapter_for
from providers.conversation import (
    GenerateRequest,
    JsonOutput,
    Message,
    Part,
    Picture,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from providers.errors import RequestNotPossible
from providers.types import Endpoint, NativeRequest

ADAPTER = AnthropicAdapter()
ENDPOINT = Endpoint(name="claude", type="anthropic", base_url="https://api.example.com", key="sk-ant-api03-canary")
OAUTH = replace(ENDPOINT, key="sk-ant-oat01-canary")
REQUEST = GenerateRequest((Message("system", "Be brief"), Message("user", "ሰላም")), model="claude-opus", max_tokens=12)
PLAIN = {
    "model": "claude-opus",
    "max_tokens": 12,
    "system": "Be brief",
    "messages": [{"role": "user", "content": [{"type": "text", "text": "ሰላም"}]}],
}
WEATHER = Tool("get_weather", "Tells the weather", {"type": "object", "properties": {"city": {"type": "string"}}})


def body(request: GenerateRequest = REQUEST, endpoint: Endpoint = ENDPOINT) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(ADAPTER.build(endpoint, request).content)
    return content


def turns(*messages: Message) -> list[dict[str, Any]]:
    said: list[dict[str, Any]] = body(replace(REQUEST, messages=messages))["messages"]
    return said


def test_a_whole_request() -> None:
    request = ADAPTER.build(ENDPOINT, REQUEST)
    assert (request.method, str(request.url)) == ("POST", "https://api.example.com/v1/messages")
    assert dict(request.headers) == {
        "host": "api.example.com",
        "accept-encoding": "identity",
        "x-api-key": "sk-ant-api03-canary",
        "anthropic-version": "2023-06-01",
        "content-type": "application/json",
        "content-length": str(len(request.content)),
    }
    assert json.loads(request.content) == PLAIN


def test_it_is_a_provider_type() -> None:
    known = TYPES["anthropic"]
    assert (known.base_url, known.wire, known.needs_key) == ("https://api.anthropic.com", "anthropic", True)
    assert isinstance(adapter_for("anthropic"), AnthropicAdapter)


def test_an_oauth_token_is_no_api_key() -> None:
    headers = ADAPTER.build(OAUTH, REQUEST).headers
    assert headers["authorization"] == "Bearer sk-ant-oat01-canary"
    assert headers["anthropic-beta"] == "oauth-2025-04-20"
    assert "x-api-key" not in headers


@pytest.mark.parametrize(("endpoint", "header"), [(ENDPOINT, "x-api-key"), (OAUTH, "authorization")])
def test_the_probe_is_free_and_needs_the_key(endpoint: Endpoint, header: str) -> None:
    probe = ADAPTER.build_probe(replace(endpoint, base_url="https://h/"))
    assert (probe.method, str(probe.url), probe.content) == ("GET", "https://h/v1/models?limit=1", b"")
    assert endpoint.key in probe.headers[header]
    assert probe.headers["anthropic-version"] == "2023-06-01"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"stream": True}, {"stream": True}, id="stream"),
        pytest.param({"max_tokens": None}, {"max_tokens": 4096}, id="limit-is-the-provider's"),
        pytest.param({"temperature": 0.0}, {"temperature": 0.0}, id="temperature-zero-is-one"),
        pytest.param({"temperature": 1.0}, {"temperature": 1.0}, id="temperature-one-is-the-most"),
        pytest.param({"top_p": 0.9, "top_k": 40}, {"top_p": 0.9, "top_k": 40}, id="top"),
        pytest.param({"stop": ("END", "\n\n")}, {"stop_sequences": ["END", "\n\n"]}, id="stop"),
        pytest.param({"target_language": "am"}, {"system": "Be brief\n\nAnswer in Amharic."}, id="language"),
        pytest.param({"frequency_penalty": 0.0, "presence_penalty": 0.0}, {}, id="a-penalty-of-nought-is-none"),
        pytest.param({"parallel_tool_calls": False}, {}, id="no-tools-are-never-parallel"),
        pytest.param({"tool_choice": ToolChoice("none")}, {}, id="none-of-no-tools"),
        pytest.param(
            {"json_output": JsonOutput({"type": "object"})},
            {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}},
            id="json-of-a-schema",
        ),
        pytest.param(
            {"tools": (WEATHER, Tool("now"))},
            {
                "tools": [
                    {
                        "name": "get_weather",
                        "description": "Tells the weather",
                        "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
                    },
                    {"name": "now", "input_schema": {"type": "object"}},
                ]
            },
            id="tools",
        ),
    ],
)
def test_fields_of_the_body(changes: dict[str, Any], expected: dict[str, Any]) -> None:
    assert body(replace(REQUEST, **changes)) == PLAIN | expected


@pytest.mark.parametrize(
    ("choice", "parallel", "expected"),
    [
        (None, None, None),
        (None, True, None),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        (ToolChoice("auto"), None, {"type": "auto"}),
        (ToolChoice("required"), True, {"type": "any"}),
        (ToolChoice("required"), False, {"type": "any", "disable_parallel_tool_use": True}),
        (ToolChoice("tool", "now"), None, {"type": "tool", "name": "now"}),
        (ToolChoice("tool", "now"), False, {"type": "tool", "name": "now", "disable_parallel_tool_use": True}),
        (ToolChoice("none"), False, {"type": "none"}),
    ],
)
def test_the_choice_of_tools(choice: ToolChoice | None, parallel: bool | None, expected: dict[str, Any] | None) -> None:
    request = replace(REQUEST, tools=(WEATHER,), tool_choice=choice, parallel_tool_calls=parallel)
    assert body(request).get("tool_choice") == expected


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (Text("Hi"), {"type": "text", "text": "Hi"}),
        (
            Picture("image/png", "iVBORw0="),
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0="}},
        ),
        (Picture(url="https://h/a.png"), {"type": "image", "source": {"type": "url", "url": "https://h/a.png"}}),
        (ToolResult("t1", "12 °C"), {"type": "tool_result", "tool_use_id": "t1", "content": "12 °C"}),
        (
            ToolResult("t1", "no such city", failed=True),
            {"type": "tool_result", "tool_use_id": "t1", "content": "no such city", "is_error": True},
        ),
    ],
)
def test_parts_of_a_message(part: Part, block: dict[str, Any]) -> None:
    assert turns(Message("user", (part,))) == [{"role": "user", "content": [block]}]


def test_a_conversation_with_tools_alternates_and_results_come_first() -> None:
    assert turns(
        Message("system", "Be brief"),
        Message("user", "Weather?"),
        Message("user", "In two cities."),
        Message(
            "assistant",
            (Text("Let me see"), ToolCall("t1", "get_weather", '{"city": "Addis"}'), ToolCall("t2", "now", "")),
        ),
        Message("user", "Hurry"),
        Message("tool", (ToolResult("t1", "25 °C"),)),
        Message("tool", (ToolResult("t2", "noon"),)),
        Message("assistant", ""),
        Message("user", (Text("  "), Text("Thanks"))),
    ) == [
        {"role": "user", "content": [{"type": "text", "text": "Weather?"}, {"type": "text", "text": "In two cities."}]},
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "Let me see"},
                {"type": "tool_use", "id": "t1", "name": "get_weather", "input": {"city": "Addis"}},
                {"type": "tool_use", "id": "t2", "name": "now", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": "25 °C"},
                {"type": "tool_result", "tool_use_id": "t2", "content": "noon"},
                {"type": "text", "text": "Hurry"},
                {"type": "text", "text": "Thanks"},
            ],
        },
    ]


def test_without_a_system_message_there_is_no_field_for_one() -> None:
    assert "system" not in body(replace(REQUEST, messages=REQUEST.messages[1:]))


DEEP: dict[str, Any] = {}
for _ in range(300):
    DEEP = {"properties": {"a": DEEP}}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"seed": 0}, "`seed`"),
        ({"frequency_penalty": -0.5}, "`frequency_penalty`"),
        ({"presence_penalty": 0.5}, "`presence_penalty`"),
        ({"reasoning_effort": "low"}, "`reasoning_effort`"),
        ({"temperature": 1.01}, "`temperature` from 0 to 1"),
        ({"json_output": JsonOutput()}, "`json_schema`"),
        ({"tool_choice": ToolChoice("required")}, "`tool_choice`"),
        ({"tool_choice": ToolChoice("tool", "now")}, "`tool_choice`"),
        ({"messages": (Message("system", "Be brief"),)}, "not a system message"),
        ({"messages": (Message("user", " "),)}, "not a system message"),
        ({"messages": (Message("system", (Picture(url="u"),)), Message("user", "x"))}, "picture in a system message"),
        ({"messages": (Message("assistant", (ToolCall("t", "now", "[1]"),)),)}, "`arguments`"),
        ({"messages": (Message("assistant", (ToolCall("t", "now", "{"),)),)}, "`arguments`"),
        ({"tools": (Tool("deep", parameters=DEEP),)}, "nested too deeply"),
    ],
)
def test_what_there_is_no_word_for_is_refused_by_name(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(RequestNotPossible, match=named) as refused:
        body(replace(REQUEST, **changes))
    assert refused.value.status == 400


# Relayed requests.

NATIVE = NativeRequest(
    "anthropic",
    "POST",
    "/v1/messages",
    "beta=true",
    {
        "content-type": "application/json",
        "x-api-key": "gateway-token",
        "authorization": "Bearer gateway-token",
        "anthropic-beta": "context-1m-2025-08-07",
    },
    b'{ "model": "claude",  "max_tokens": 5 }',
)


def test_a_relayed_request_is_as_it_came_with_the_providers_key() -> None:
    request = ADAPTER.build_native(ENDPOINT, NATIVE)
    assert (request.method, str(request.url)) == ("POST", "https://api.example.com/v1/messages?beta=true")
    assert request.content == NATIVE.body
    assert request.headers["x-api-key"] == ENDPOINT.key
    assert request.headers["anthropic-beta"] == "context-1m-2025-08-07"
    assert request.headers["anthropic-version"] == "2023-06-01"
    assert "gateway-token" not in str(request.headers.multi_items())


def test_a_relayed_version_is_the_callers() -> None:
    asked = replace(NATIVE, headers={**NATIVE.headers, "anthropic-version": "2026-10-21"})
    assert ADAPTER.build_native(ENDPOINT, asked).headers.get_list("anthropic-version") == ["2026-10-21"]


def test_an_oauth_token_adds_to_the_betas_that_were_asked_for() -> None:
    headers = ADAPTER.build_native(OAUTH, NATIVE).headers
    assert headers.get_list("anthropic-beta") == ["context-1m-2025-08-07,oauth-2025-04-20"]
    assert headers["authorization"] == f"Bearer {OAUTH.key}"
    assert "x-api-key" not in headers


def test_another_model_is_spliced_in() -> None:
    request = ADAPTER.build_native(ENDPOINT, replace(NATIVE, model="claude-2"))
    assert json.loads(request.content) == {"model": "claude-2", "max_tokens": 5}


def test_headers_that_pass() -> None:
    returned = {
        "anthropic-ratelimit-tokens-remaining": True,
        "anthropic-priority-input-tokens-limit": True,
        "anthropic-organization-id": False,
        "anthropic-workspace-id": False,
    }
    assert {name: name.startswith(ADAPTER.returned_headers) for name in returned} == returned
