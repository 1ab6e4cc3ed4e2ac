"""What is sent to Addis AI, and what it has no word for."""

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from providers.adapters.addis import AddisAdapter
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
from providers.types import Endpoint

ADAPTER = AddisAdapter()
ENDPOINT = Endpoint(name="vendor", type="addis", base_url="https://api.example.com", key="sk_canary")
REQUEST = GenerateRequest((Message("user", "ሰላም"),))
PICTURE = Picture("image/png", base64.b64encode(b"\x89PNG").decode())
TOOL = Tool("look", "Looks.", {"type": "object", "properties": {}})


def body(request: GenerateRequest = REQUEST, endpoint: Endpoint = ENDPOINT) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(ADAPTER.build(endpoint, request).content)
    return content


def test_a_whole_request() -> None:
    request = ADAPTER.build(ENDPOINT, REQUEST)
    assert (request.method, str(request.url)) == ("POST", "https://api.example.com/api/v1/chat_generate")
    assert dict(request.headers) == {
        "host": "api.example.com",
        "accept-encoding": "identity",
        "x-api-key": "sk_canary",
        "content-type": "application/json",
        "content-length": str(len(request.content)),
    }
    assert json.loads(request.content) == {
        "prompt": "ሰላም",
        "target_language": "am",
        "generation_config": {"maxOutputTokens": 4096},
    }


@pytest.mark.parametrize(
    ("key", "headers"),
    [
        ("sk_live", {"x-api-key": "sk_live"}),
        ("eyJhbGciOi.eyJzdWIi.c2ln", {"authorization": "Bearer eyJhbGciOi.eyJzdWIi.c2ln"}),
        ("ey-with.one-dot", {"x-api-key": "ey-with.one-dot"}),
        ("sk.a.b", {"x-api-key": "sk.a.b"}),
        ("", {}),
    ],
)
def test_a_key_goes_in_one_header_only(key: str, headers: dict[str, str]) -> None:
    assert ADAPTER.credentials(replace(ENDPOINT, key=key)) == headers


PLAIN = {"prompt": "ሰላም", "target_language": "am", "generation_config": {"maxOutputTokens": 4096}}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"target_language": "om"}, {"target_language": "om"}, id="language"),
        pytest.param({"model": "Addis-፩-አሌፍ"}, {"model": "Addis-፩-አሌፍ"}, id="model"),
        pytest.param({"max_tokens": 9}, {"generation_config": {"maxOutputTokens": 9}}, id="limit"),
        pytest.param(
            {"temperature": 0.0}, {"generation_config": {"maxOutputTokens": 4096, "temperature": 0.0}}, id="temperature"
        ),
        pytest.param({"stream": True}, {"generation_config": {"maxOutputTokens": 4096, "stream": True}}, id="stream"),
        pytest.param(
            {"top_p": 1.0, "presence_penalty": 0.0, "parallel_tool_calls": True}, {}, id="what-asks-for-nothing"
        ),
        pytest.param(
            {"tools": (TOOL,), "tool_choice": ToolChoice("tool", "look")},
            {
                "tools": [
                    {
                        "type": "function",
                        "function": {"name": "look", "description": "Looks.", "parameters": TOOL.parameters},
                    }
                ],
                "tool_choice": {"type": "function", "function": {"name": "look"}},
            },
            id="tools",
        ),
        pytest.param(
            {"tools": (Tool("t"),), "tool_choice": ToolChoice("required")},
            {"tools": [{"type": "function", "function": {"name": "t"}}], "tool_choice": "required"},
            id="must-use-a-tool",
        ),
        pytest.param(
            {
                "messages": (
                    Message("system", "Be brief"),
                    Message("user", "One"),
                    Message("assistant", "Two"),
                    Message("system", "Be kind"),
                    Message("user", (Text("Th"), Text("ree"))),
                )
            },
            {
                "prompt": "Three",
                "system": "Be brief\n\nBe kind",
                "conversation_history": [{"role": "user", "content": "One"}, {"role": "assistant", "content": "Two"}],
            },
            id="conversation",
        ),
        pytest.param(
            {
                "messages": (
                    Message("user", "Weather?"),
                    Message("assistant", (ToolCall("c", "look", "{}"),)),
                    Message("tool", (ToolResult("c", "rain"),)),
                    Message("user", "And now?"),
                    Message("system", "Be brief"),
                )
            },
            {
                "prompt": "And now?",
                "system": "Be brief",
                "conversation_history": [
                    {"role": "user", "content": "Weather?"},
                    {"role": "assistant", "content": "rain"},
                ],
            },
            id="what-a-tool-said-is-the-assistant's",
        ),
    ],
)
def test_fields_of_the_body(changes: dict[str, Any], expected: dict[str, Any]) -> None:
    assert body(replace(REQUEST, **changes)) == PLAIN | expected


def test_the_provider_s_language_and_limit_are_used_where_a_caller_names_none() -> None:
    endpoint = replace(ENDPOINT, config={"target_language": "ti"}, default_max_tokens=7)
    assert body(endpoint=endpoint) == PLAIN | {"target_language": "ti", "generation_config": {"maxOutputTokens": 7}}
    assert body(replace(REQUEST, target_language="om"), endpoint)["target_language"] == "om"


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"target_language": "en"}, "target_language"),
        ({"temperature": 1.5}, "temperature"),
        ({"top_p": 0.5}, "top_p"),
        ({"top_k": 5}, "top_k"),
        ({"stop": ("x",)}, "stop"),
        ({"seed": 0}, "seed"),
        ({"frequency_penalty": 0.5}, "frequency_penalty"),
        ({"presence_penalty": 0.5}, "presence_penalty"),
        ({"parallel_tool_calls": False}, "parallel_tool_calls"),
        ({"json_output": JsonOutput()}, "json_output"),
        ({"reasoning_effort": "low"}, "reasoning_effort"),
        ({"tools": (TOOL,), "stream": True}, "stream"),
        ({"messages": (Message("user", (PICTURE, Text("x"))),), "stream": True}, "stream"),
        ({"messages": (Message("user", (Picture(url="https://x/y.png"), Text("x"))),)}, "base64"),
        ({"messages": (Message("user", (Picture("image/svg+xml", "eA=="), Text("x"))),)}, "image/png"),
        ({"messages": (Message("user", (Picture("image/png\r\nX: y", "eA=="), Text("x"))),)}, "image/png"),
        ({"messages": (Message("user", (Picture("image/png", "!"), Text("x"))),)}, "base64"),
        ({"messages": (Message("user", (PICTURE,)),)}, "words"),
        ({"messages": (Message("user", (PICTURE, Text("x"))), Message("user", "y"))}, "last message"),
        ({"messages": (Message("user", "x"), Message("assistant", "y"))}, "last"),
        ({"messages": (Message("user", "x"), Message("tool", (ToolResult("c", "y"),)))}, "result of a tool"),
        ({"messages": (Message("user", (Text("x"), ToolResult("c", "y"))),)}, "result of a tool"),
        ({"messages": (Message("system", "x"),)}, "user"),
    ],
)
def test_what_it_has_no_word_for_is_refused(changes: dict[str, Any], word: str) -> None:
    with pytest.raises(RequestNotPossible, match=word):
        ADAPTER.build(ENDPOINT, replace(REQUEST, **changes))


def test_pictures_go_in_a_form() -> None:
    request = ADAPTER.build(
        ENDPOINT, replace(REQUEST, messages=(Message("user", (PICTURE, Text("What?"))), Message("system", "Be brief")))
    )
    content = request.read()
    kind, _, boundary = request.headers["content-type"].partition("; boundary=")
    assert kind == "multipart/form-data"
    assert request.headers["x-api-key"] == "sk_canary"
    wanted = {"prompt": "What?", "target_language": "am", "system": "Be brief"}
    json_part, file_part = content.split(f"--{boundary}\r\n".encode())[1:]
    head, _, said = json_part.partition(b"\r\n\r\n")
    assert b'name="request_data"' in head
    assert b"filename" not in head
    assert b"application/json" in head
    assert json.loads(said) == {
        **wanted,
        "generation_config": {"maxOutputTokens": 4096},
        "attachment_field_names": ["attachment_0"],
    }
    head, _, sent = file_part.partition(b"\r\n\r\n")
    assert b'name="attachment_0"; filename="attachment_0.png"' in head
    assert b"Content-Type: image/png" in head
    assert sent == b"\x89PNG" + f"\r\n--{boundary}--\r\n".encode()


def test_probe() -> None:
    request = ADAPTER.build_probe(ENDPOINT)
    assert (request.method, str(request.url)) == ("GET", "https://api.example.com/api/v1/voice/usage")
    assert request.headers["x-api-key"] == "sk_canary"
