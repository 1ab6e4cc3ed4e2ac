"""Chat completions that come in, for a provider of another wire format: what is made of them, and what is refused."""

from typing import Any

import pytest

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
from providers.fronts.openai_requests import read_chat
from providers.types import Endpoint

ENDPOINT = Endpoint("vendor", "openai", "https://api.example.com/v1", wire="openai")
PLAIN: dict[str, Any] = {"model": "p/m", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 9}
PIXEL = "iVBORw0KGgo="
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {"type": "function", "function": {"name": "weather", "description": "Now", "parameters": SCHEMA}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Addis"}'}}
NAMED = {"type": "function", "function": {"name": "weather"}}


def said(*content: Any, role: str = "user", **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": list(content), **more}]}


def image(url: Any, **more: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, **more}}


def text(words: Any) -> dict[str, Any]:
    return {"type": "text", "text": words}


def schema(**wanted: Any) -> dict[str, Any]:
    return {"response_format": {"type": "json_schema", "json_schema": wanted}}


MESSAGES = [
    ([{"role": "system", "content": "Be brief"}], [Message("system", "Be brief")]),
    ([{"role": "developer", "content": "Be brief"}], [Message("system", "Be brief")]),
    ([{"role": "system", "content": [text("Be"), text(" brief")]}], [Message("system", (Text("Be"), Text(" brief")))]),
    ([{"role": "user", "content": ""}], [Message("user", "")]),
    ([{"role": "user", "content": [], "name": None}], [Message("user", ())]),
    (
        [{"role": "user", "content": [text("What?"), image(f"data:image/png;base64,{PIXEL}", detail="auto")]}],
        [Message("user", (Text("What?"), Picture("image/png", PIXEL)))],
    ),
    (
        [{"role": "user", "content": [image(f"DATA:image/SVG+xml;BASE64,{PIXEL}")]}],
        [Message("user", (Picture("image/svg+xml", PIXEL),))],
    ),
    (
        [{"role": "user", "content": [image("https://a.example/b.png?c")]}],
        [Message("user", (Picture(url="https://a.example/b.png?c"),))],
    ),
    ([{"role": "assistant", "content": "Hi", "refusal": None, "audio": None}], [Message("assistant", "Hi")]),
    ([{"role": "assistant", "content": None, "refusal": "No"}], [Message("assistant", (Text("No"),))]),
    (
        [{"role": "assistant", "content": "Hi", "annotations": [{}], "reasoning_content": "so"}],
        [Message("assistant", "Hi")],
    ),
    (
        [{"role": "tool", "tool_call_id": "c", "name": "weather", "content": "1"}],
        [Message("tool", (ToolResult("c", "1"),))],
    ),
    ([{"role": "assistant", "content": [{"type": "refusal", "refusal": "No"}]}], [Message("assistant", (Text("No"),))]),
    (
        [{"role": "assistant", "content": None, "tool_calls": [CALL]}],
        [Message("assistant", (ToolCall("call_1", "weather", '{"city":"Addis"}'),))],
    ),
    (
        [{"role": "assistant", "tool_calls": [CALL, {"id": "call_2", "function": {"name": "now"}}]}],
        [Message("assistant", (ToolCall("call_1", "weather", '{"city":"Addis"}'), ToolCall("call_2", "now", "")))],
    ),
    (
        [{"role": "assistant", "content": "Let me see", "tool_calls": [CALL]}],
        [Message("assistant", (Text("Let me see"), ToolCall("call_1", "weather", '{"city":"Addis"}')))],
    ),
    ([{"role": "tool", "tool_call_id": "call_1", "content": "21°"}], [Message("tool", (ToolResult("call_1", "21°"),))]),
    (
        [{"role": "tool", "tool_call_id": "call_1", "content": [text("21"), text("°")]}],
        [Message("tool", (ToolResult("call_1", "21°"),))],
    ),
    ([{"role": "tool", "tool_call_id": "call_1", "content": ""}], [Message("tool", (ToolResult("call_1", ""),))]),
]


@pytest.mark.parametrize(("sent", "read"), MESSAGES)
def test_messages(sent: list[Any], read: list[Message]) -> None:
    assert read_chat({"messages": sent}) == GenerateRequest(tuple(read))
    before = [{"role": "user", "content": "a"}]
    assert read_chat({"messages": before + sent}).messages == (Message("user", "a"), *read)


FIELDS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"max_tokens": 5}, {"max_tokens": 5}),
    ({"max_completion_tokens": 6}, {"max_tokens": 6}),
    ({"max_tokens": 5, "max_completion_tokens": 6}, {"max_tokens": 6}),
    ({"max_tokens": 5, "max_completion_tokens": None}, {"max_tokens": 5}),
    ({"temperature": 0, "top_p": 1}, {"temperature": 0, "top_p": 1}),
    ({"temperature": 2.0, "top_p": 0.5}, {"temperature": 2.0, "top_p": 0.5}),
    ({"stop": "END"}, {"stop": ("END",)}),
    ({"stop": ["a", "b"]}, {"stop": ("a", "b")}),
    ({"stop": []}, {}),
    ({"seed": 0}, {"seed": 0}),
    ({"seed": -7}, {"seed": -7}),
    ({"frequency_penalty": -2, "presence_penalty": 2}, {"frequency_penalty": -2, "presence_penalty": 2}),
    ({"tools": [WEATHER]}, {"tools": (Tool("weather", "Now", SCHEMA),)}),
    ({"tools": [{"type": "function", "function": {"name": "now", "strict": False}}]}, {"tools": (Tool("now"),)}),
    (
        {"tools": [{"type": "function", "function": {"name": "n", "description": None, "parameters": None}}]},
        {"tools": (Tool("n"),)},
    ),
    ({"tool_choice": "auto"}, {"tool_choice": ToolChoice("auto")}),
    ({"tool_choice": "none"}, {"tool_choice": ToolChoice("none")}),
    ({"tool_choice": "required"}, {"tool_choice": ToolChoice("required")}),
    ({"tool_choice": NAMED}, {"tool_choice": ToolChoice("tool", "weather")}),
    ({"parallel_tool_calls": False}, {"parallel_tool_calls": False}),
    ({"response_format": {"type": "text"}}, {}),
    ({"response_format": {"type": "json_object"}}, {"json_output": JsonOutput()}),
    (schema(name="city", schema=SCHEMA, strict=True), {"json_output": JsonOutput(SCHEMA, "city")}),
    (schema(schema={}), {"json_output": JsonOutput({}, "answer")}),
    ({"reasoning_effort": "low"}, {"reasoning_effort": "low"}),
    ({"stream": True, "stream_options": {"include_usage": True}}, {"stream": True}),
    ({"stream": False, "stream_options": None}, {}),
    ({"n": 1, "logprobs": False, "modalities": ["text"]}, {}),
    ({"user": "u", "metadata": {"a": "b"}, "store": True, "service_tier": "flex", "safety_identifier": "s"}, {}),
    ({"prompt_cache_key": "k", "prompt_cache_retention": "24h", "prompt_cache_options": {"a": 1}}, {}),
    ({"audio": None, "functions": [], "logit_bias": {}, "verbosity": "", "whatever": None}, {}),
]
NULLED = ["max_tokens", "temperature", "top_p", "stop", "seed", "frequency_penalty", "presence_penalty", "tools", "n"]
NULLED += ["tool_choice", "parallel_tool_calls", "response_format", "reasoning_effort", "stream", "logprobs", "user"]


@pytest.mark.parametrize(("fields", "expected"), FIELDS)
def test_fields(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    messages = PLAIN["messages"]
    assert read_chat({"messages": messages, **fields}) == GenerateRequest((Message("user", "Hello"),), **expected)


def test_null_is_as_good_as_absent() -> None:
    nothing = dict.fromkeys(NULLED)
    assert read_chat({**PLAIN, **nothing, "max_tokens": 9}) == read_chat(PLAIN)


CANNOT = "cannot be translated for this provider. Leave it out"
REFUSALS: list[tuple[dict[str, Any], str]] = [
    ({"n": 2}, "`n`: this provider gives one answer"),
    ({"logprobs": True}, "`logprobs`: this provider gives one answer"),
    ({"modalities": ["text", "audio"]}, "`modalities`: this provider gives one answer"),
    ({"web_search_options": {}}, "`web_search_options`: this provider cannot search"),
    ({"logit_bias": {"50256": -100}}, f"`logit_bias` {CANNOT}"),
    ({"top_logprobs": 0}, f"`top_logprobs` {CANNOT}"),
    ({"audio": {"voice": "alloy"}}, f"`audio` {CANNOT}"),
    ({"prediction": {"type": "content", "content": "x"}}, f"`prediction` {CANNOT}"),
    ({"functions": [{"name": "f"}]}, f"`functions` {CANNOT}"),
    ({"function_call": "auto"}, f"`function_call` {CANNOT}"),
    ({"verbosity": "low"}, f"`verbosity` {CANNOT}"),
    ({"of_tomorrow": False}, f"`of_tomorrow` {CANNOT}"),
    ({"messages": None}, "`messages` must not be empty."),
    ({"messages": []}, "`messages` must not be empty."),
    ({"messages": "Hello"}, "`messages` must be a list."),
    ({"messages": {"role": "user"}}, "`messages` must be a list."),
    ({"messages": ["Hello"]}, "`messages[0]` must be an object."),
    ({"messages": [{"content": "x"}]}, "`messages[0].role` must be one of system, developer, user, assistant and tool"),
    ({"messages": [{"role": "function", "content": "x"}]}, "`messages[0].role` must be one of"),
    ({"messages": [{"role": ["user"], "content": "x"}]}, "`messages[0].role` must be one of"),
    ({"messages": [*PLAIN["messages"], {"role": "user"}]}, "`messages[1].content` is missing."),
    ({"messages": [{"role": "assistant", "function_call": {"name": "f"}}]}, f"`messages[0].function_call` {CANNOT}"),
    (
        {"messages": [{"role": "assistant", "content": "x", "function_call": {"name": "f"}}]},
        f"`messages[0].function_call` {CANNOT}",
    ),
    ({"messages": [{"role": "user", "content": "x", "name": "Ana"}]}, f"`messages[0].name` {CANNOT}"),
    ({"messages": [{"role": "assistant", "content": "x", "audio": {"id": "a"}}]}, f"`messages[0].audio` {CANNOT}"),
    (said(text("a"), image("https://a", detail="low")), "`messages[0].content[1].image_url.detail`: this provider"),
    ({"tools": [{"type": "function", "function": {"name": "f", "strict": True}}]}, "`tools[0].function.strict`: this"),
    ({"tools": [{"type": "function", "function": {"name": "f", "x": 1}}]}, f"`tools[0].function.x` {CANNOT}"),
    (schema(name="x", schema=SCHEMA, description="d"), f"`response_format.json_schema.description` {CANNOT}"),
    ({"messages": [{"role": "user", "content": 5}]}, "`messages[0].content` must be a list."),
    ({"messages": [{"role": "user", "content": {"type": "text"}}]}, "`messages[0].content` must be a list."),
    (said(text(5)), "`messages[0].content[0].text` must be a string."),
    (said(text("a"), "b"), "`messages[0].content[1]` is neither text nor an image_url"),
    (said({"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}), "is neither text nor an image_url"),
    (said({"type": "file", "file": {"file_id": "f"}}), "is neither text nor an image_url"),
    (said({"type": "image_url", "image_url": "https://a.example/b.png"}), "is neither text nor an image_url"),
    (said(image(None)), "is neither text nor an image_url"),
    (said(image(f"data:application/pdf;base64,{PIXEL}")), "`messages[0].content[0].image_url.url` must be an address"),
    (said(image("Data:image/png,abc")), "must be an address, or `data:image/…;base64,…`."),
    ({"messages": [{"role": "tool", "content": "x"}]}, "`messages[0].tool_call_id` must be a string."),
    (said(image("https://a"), role="tool", tool_call_id="c"), "`messages[0].content`: what a tool said must be text."),
    (said(role="assistant", tool_calls={}), "`messages[0].tool_calls` must be a list."),
    (said(role="assistant", tool_calls=["x"]), "`messages[0].tool_calls[0]` must be an object."),
    (said(role="assistant", tool_calls=[{"id": "c", "type": "custom", "custom": {}}]), ".function` must be an object."),
    (said(role="assistant", tool_calls=[{**CALL, "id": 5}]), "`messages[0].tool_calls[0].id` must be a string."),
    (said(role="assistant", tool_calls=[{"id": "c", "function": {}}]), "[0].function.name` must be a string."),
    (
        said(role="assistant", tool_calls=[{"id": "c", "function": {"name": "f", "arguments": {}}}]),
        "`messages[0].tool_calls[0].function.arguments` must be a string.",
    ),
    ({"max_tokens": 0}, "`max_tokens` must be a whole number of at least 1"),
    ({"max_tokens": "9"}, "`max_tokens` must be a whole number of at least 1"),
    ({"max_tokens": True}, "`max_tokens` must be a whole number"),
    ({"max_completion_tokens": 1.5}, "`max_completion_tokens` must be a whole number"),
    ({"seed": 2**53 + 1}, "`seed` must be a whole number of at least -9007199254740992 and at most 9007199254740992."),
    ({"temperature": 2.1}, "`temperature` must be a number from 0 to 2."),
    ({"temperature": "1"}, "`temperature` must be a number from 0 to 2."),
    ({"temperature": False}, "`temperature` must be a number from 0 to 2."),
    ({"top_p": -0.1}, "`top_p` must be a number from 0 to 1."),
    ({"frequency_penalty": 3}, "`frequency_penalty` must be a number from -2 to 2."),
    ({"presence_penalty": []}, "`presence_penalty` must be a number from -2 to 2."),
    ({"stop": 5}, "`stop` must be a list."),
    ({"stop": ["a", 5]}, "`stop[1]` must be a string."),
    ({"tools": {}, "n": 1}, "`tools` must be a list."),
    ({"tools": [5]}, "`tools[0]` must be an object."),
    ({"tools": [{"type": "web_search"}]}, "`tools[0]`: only tools of type `function`"),
    ({"tools": [WEATHER, {"type": "function"}]}, "`tools[1].function` must be an object."),
    ({"tools": [{"type": "function", "function": {}}]}, "`tools[0].function.name` must be a string."),
    ({"tools": [{"type": "function", "function": {"name": "f", "description": 5}}]}, ".description` must be a string."),
    ({"tools": [{"type": "function", "function": {"name": "f", "parameters": 5}}]}, ".parameters` must be an object."),
    ({"tool_choice": "any"}, "`tool_choice` must be auto, none, required, or name a function."),
    ({"tool_choice": {"type": "allowed_tools", "tools": []}}, "`tool_choice` must be auto, none, required"),
    ({"tool_choice": {"type": "function", "function": {"name": 5}}}, "`tool_choice` must be auto, none, required"),
    ({"parallel_tool_calls": "no"}, "`parallel_tool_calls` must be true or false."),
    ({"stream": 1}, "`stream` must be true or false."),
    ({"response_format": "json"}, "`response_format` must be of type text, json_object, or json_schema with a schema."),
    (schema(name="x"), "`response_format` must be of type"),
    ({"response_format": {"type": "grammar"}}, "`response_format` must be of type"),
    ({"reasoning_effort": 5}, "`reasoning_effort` must be a string."),
]


@pytest.mark.parametrize(("fields", "sentence"), REFUSALS)
def test_refusals(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RequestNotPossible) as refused:
        read_chat({**PLAIN, **fields})
    assert sentence in str(refused.value)
    assert str(refused.value).endswith(".")
    assert refused.value.status == 400
