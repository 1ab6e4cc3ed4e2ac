"""Gemini's wire format: what is sent."""

import json
from dataclasses import replace
from typing import Any

import pytest

from providers.conversation import JsonOutput, Message, Picture, Text, Tool, ToolCall, ToolChoice, ToolResult
from providers.errors import RequestNotPossible
from tests.unit.gemini_vendor import ADAPTER, BASE, ENDPOINT, REQUEST

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "additionalProperties": False}
WEATHER = Tool("weather", "Tells the weather", SCHEMA)


def body(**changes: Any) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(ADAPTER.build(ENDPOINT, replace(REQUEST, **changes)).content)
    return content


def contents(*messages: Message, model: str = "gemini-2.5-flash") -> Any:
    return body(messages=messages, model=model)["contents"]


def test_a_whole_request() -> None:
    request = ADAPTER.build(ENDPOINT, replace(REQUEST, messages=(Message("system", "Be brief"), *REQUEST.messages)))
    assert (request.method, str(request.url)) == ("POST", f"{BASE}/v1beta/models/gemini-2.5-flash:generateContent")
    assert request.headers["x-goog-api-key"] == "AIza-canary"
    assert request.headers["accept-encoding"] == "identity"
    assert json.loads(request.content) == {
        "systemInstruction": {"parts": [{"text": "Be brief"}]},
        "contents": [{"role": "user", "parts": [{"text": "ሰላም"}]}],
        "generationConfig": {"maxOutputTokens": 12},
    }


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("gemini-2.5-flash", "/v1beta/models/gemini-2.5-flash:generateContent"),
        ("models/gemini-2.5-flash", "/v1beta/models/gemini-2.5-flash:generateContent"),
        ("../../v1/files", "/v1beta/models/..%2F..%2Fv1%2Ffiles:generateContent"),
        ("..", "/v1beta/models/..:generateContent"),
        ("a?key=b#c", "/v1beta/models/a%3Fkey%3Db%23c:generateContent"),
        ("a%2Fb\r\n", "/v1beta/models/a%252Fb%0D%0A:generateContent"),
    ],
)
def test_no_model_leaves_its_place_in_the_path(model: str, path: str) -> None:
    assert ADAPTER.build(ENDPOINT, replace(REQUEST, model=model)).url.raw_path.decode() == path


def test_addresses() -> None:
    endpoint = replace(ENDPOINT, base_url="https://h/x/", config={"api_version": "v1"}, key="")
    stream = ADAPTER.build(endpoint, replace(REQUEST, stream=True))
    assert str(stream.url) == "https://h/x/v1/models/gemini-2.5-flash:streamGenerateContent?alt=sse"
    assert "x-goog-api-key" not in stream.headers
    probe = ADAPTER.build_probe(ENDPOINT)
    assert (probe.method, str(probe.url)) == ("GET", f"{BASE}/v1beta/models?pageSize=1")
    assert probe.headers["x-goog-api-key"] == "AIza-canary"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"max_tokens": None}, {"maxOutputTokens": 4096}),
        ({"temperature": 0.0, "top_p": 0.5, "top_k": 3}, {"temperature": 0.0, "topP": 0.5, "topK": 3}),
        ({"stop": ("a", "b"), "seed": 0}, {"stopSequences": ["a", "b"], "seed": 0}),
        ({"frequency_penalty": 0.1, "presence_penalty": -1.0}, {"frequencyPenalty": 0.1, "presencePenalty": -1.0}),
        ({"json_output": JsonOutput()}, {"responseMimeType": "application/json"}),
        (
            {"json_output": JsonOutput(SCHEMA)},
            {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA},
        ),
        ({"reasoning_effort": "none"}, {"thinkingConfig": {"thinkingBudget": 0}}),
        ({"reasoning_effort": "medium"}, {"thinkingConfig": {"thinkingBudget": 8192}}),
        ({"reasoning_effort": "high", "model": "gemini-3-flash"}, {"thinkingConfig": {"thinkingLevel": "high"}}),
        ({"reasoning_effort": "minimal", "model": "gemini-3-pro"}, {"thinkingConfig": {"thinkingLevel": "low"}}),
        ({"parallel_tool_calls": True}, {}),
    ],
)
def test_fields_of_the_generation_config(changes: dict[str, Any], expected: dict[str, Any]) -> None:
    assert body(**changes)["generationConfig"] == {"maxOutputTokens": 12} | expected


@pytest.mark.parametrize(
    ("choice", "config"),
    [
        (ToolChoice("auto"), {"mode": "AUTO"}),
        (ToolChoice("none"), {"mode": "NONE"}),
        (ToolChoice("required"), {"mode": "ANY"}),
        (ToolChoice("tool", "weather"), {"mode": "ANY", "allowedFunctionNames": ["weather"]}),
    ],
)
def test_tools_and_their_choice(choice: ToolChoice, config: dict[str, Any]) -> None:
    sent = body(tools=(WEATHER, Tool("now")), tool_choice=choice)
    declared = {"name": "weather", "description": "Tells the weather", "parametersJsonSchema": SCHEMA}
    assert sent["tools"] == [{"functionDeclarations": [declared, {"name": "now"}]}]
    assert sent["toolConfig"] == {"functionCallingConfig": config}


def test_a_conversation_with_tools() -> None:
    """Results have their function's name, all of a turn stand together, and the first call has a signature."""
    asked = Message(
        "assistant", (Text("Let me see"), ToolCall("a", "weather", '{"city": "X"}'), ToolCall("b", "now", ""))
    )
    results = (Message("tool", (ToolResult("b", "noon"),)), Message("tool", (ToolResult("a", "gone", failed=True),)))
    assert contents(Message("user", "Well?"), asked, *results, Message("user", "")) == [
        {"role": "user", "parts": [{"text": "Well?"}]},
        {
            "role": "model",
            "parts": [
                {"text": "Let me see"},
                {
                    "functionCall": {"id": "a", "name": "weather", "args": {"city": "X"}},
                    "thoughtSignature": "skip_thought_signature_validator",
                },
                {"functionCall": {"id": "b", "name": "now", "args": {}}},
            ],
        },
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"id": "b", "name": "now", "response": {"output": "noon"}}},
                {"functionResponse": {"id": "a", "name": "weather", "response": {"error": "gone"}}},
            ],
        },
    ]
    assert "thoughtSignature" not in json.dumps(contents(Message("user", "Well?"), asked, model="gemini-2.0-flash"))


def test_a_picture() -> None:
    message = Message("user", (Text("What?"), Picture("image/png", "aGk=")))
    picture = {"inlineData": {"mimeType": "image/png", "data": "aGk="}}
    assert contents(message) == [{"role": "user", "parts": [{"text": "What?"}, picture]}]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"parallel_tool_calls": False}, "parallel_tool_calls"),
        ({"reasoning_effort": "xhigh"}, "none, minimal, low, medium, high"),
        ({"reasoning_effort": "none", "model": "gemini-3-flash"}, "minimal, low, medium, high"),
        ({"messages": (Message("user", (Picture(url="https://h/p.png"),)),)}, "Send the picture itself"),
        ({"messages": (Message("tool", (ToolResult("x", "?"),)),)}, "id of no call"),
        ({"messages": (Message("assistant", (ToolCall("x", "weather", "[]"),)),)}, "no JSON object"),
        ({"messages": (Message("assistant", (ToolCall("x", "weather", "{"),)),)}, "no JSON object"),
    ],
)
def test_what_gemini_has_no_word_for_is_refused(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(RequestNotPossible, match=named):
        body(**changes)
