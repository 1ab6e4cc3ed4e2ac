"""A conversation in the provider kit's words: the fields of /api/generate that are more than a value.

Read by hand, since nested serializers cost more than the rest of a call.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from providers.conversation import Message, Part, Picture, Role, Text, Tool, ToolCall, ToolResult

LONGEST_PROVIDER, LONGEST_MODEL = 64, 200  # characters of a name

_ROLES: Mapping[str, Role] = {"system": "system", "user": "user", "assistant": "assistant", "tool": "tool"}
_PART = {
    "type": "object",
    "required": ["type"],
    "properties": {
        "type": {"type": "string", "enum": ["text", "image", "tool_use", "tool_result"]},
        "text": {"type": "string"},
        "source": {
            "type": "object",
            "properties": {
                "type": {"type": "string", "enum": ["base64", "url"]},
                "media_type": {"type": "string"},
                "data": {"type": "string"},
                "url": {"type": "string"},
            },
        },
        "id": {"type": "string"},
        "name": {"type": "string"},
        "input": {"type": "object"},
        "tool_use_id": {"type": "string"},
        "content": {"type": "string"},
    },
}
_CALL = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "type": {"type": "string"},
        "function": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "arguments": {"type": "string"}},
        },
    },
}


@extend_schema_field(
    {
        "type": "array",
        "items": {
            "type": "object",
            "required": ["role"],
            "properties": {
                "role": {"type": "string", "enum": list(_ROLES)},
                "content": {"type": "string"},
                "parts": {"type": "array", "items": _PART},
                "tool_calls": {"type": "array", "items": _CALL},
                "tool_call_id": {"type": "string"},
            },
        },
    }
)
class MessagesField(serializers.Field[Any, Any, Any, Any]):
    """A list of {role, content}, where `parts`, `tool_calls` and `tool_call_id` may say more than `content` can."""

    def to_internal_value(self, data: Any) -> tuple[Message, ...]:
        if not isinstance(data, list):
            raise serializers.ValidationError("Give a list of {role, content}.")
        return tuple(_message(f"Message {position}", item) for position, item in enumerate(data))


@extend_schema_field(
    {
        "type": "array",
        "items": {
            "type": "object",
            "required": ["name"],
            "properties": {
                "name": {"type": "string"},
                "description": {"type": "string"},
                "input_schema": {"type": "object"},
            },
        },
    }
)
class ToolsField(serializers.Field[Any, Any, Any, Any]):
    """A list of {name, description, input_schema}."""

    def to_internal_value(self, data: Any) -> tuple[Tool, ...]:
        if not isinstance(data, list):
            raise serializers.ValidationError("Give a list of {name, description, input_schema}.")
        return tuple(_tool(f"Tool {position}", item) for position, item in enumerate(data))


def _message(where: str, item: Any) -> Message:
    if not isinstance(item, dict):
        raise serializers.ValidationError(f"{where} is no object; give {{role, content}}.")
    role = _ROLES.get(item["role"]) if isinstance(item.get("role"), str) else None
    if role is None:
        raise serializers.ValidationError(f"{where} needs a role: one of {', '.join(_ROLES)}.")
    content = item.get("content")
    if not isinstance(content, str) and not (content is None and (item.get("parts") or item.get("tool_calls"))):
        raise serializers.ValidationError(f"{where} needs its content as a string.")
    if role == "tool":
        return Message(role, _results(where, item, content or ""))
    if not item.get("parts") and not item.get("tool_calls"):
        return Message(role, content or "")
    parts = [_part(f"{where}, part {number}", part) for number, part in enumerate(_list(where, item, "parts"))]
    if not parts and content:
        parts = [Text(content)]
    calls = [_call(f"{where}, tool call {n}", call) for n, call in enumerate(_list(where, item, "tool_calls"))]
    return Message(role, (*parts, *calls))


def say_something(messages: Iterable[Message]) -> bool:
    """Whether there is anything to answer in a conversation."""
    return any(not isinstance(message.content, str) or message.content.strip() for message in messages)


def _results(where: str, item: Mapping[str, Any], content: str) -> tuple[Part, ...]:
    """What a tool said: the content, or parts of text; or parts that are results, each with its own call's id."""
    if item.get("tool_calls"):
        raise serializers.ValidationError(f"{where} is a tool's and has tool_calls; only an assistant's may.")
    parts = [_part(f"{where}, part {number}", part) for number, part in enumerate(_list(where, item, "parts"))]
    if parts and all(isinstance(part, ToolResult) for part in parts):
        return tuple(parts)
    words = [part.text for part in parts if isinstance(part, Text)]
    if len(words) < len(parts):
        raise serializers.ValidationError(f"{where}: what a tool said must be text, or parts of type tool_result.")
    return (ToolResult(_string(where, item, "tool_call_id"), "".join(words) if parts else content),)


def _part(where: str, item: Any) -> Part:
    match item:
        case {"type": "text"}:
            return Text(_string(where, item, "text"))
        case {"type": "image", "source": {"type": "base64"} as source}:
            return Picture(_string(where, source, "media_type"), _string(where, source, "data"))
        case {"type": "image", "source": {"type": "url"} as source}:
            return Picture(url=_string(where, source, "url"))
        case {"type": "tool_use"}:
            arguments = orjson.dumps(item.get("input") or {}).decode()
            return ToolCall(_string(where, item, "id"), _string(where, item, "name"), arguments)
        case {"type": "tool_result"}:
            return ToolResult(_string(where, item, "tool_use_id"), _string(where, item, "content"))
    raise serializers.ValidationError(
        f"{where} is none that is taken: text, image with a source, tool_use or tool_result."
    )


def _call(where: str, item: Any) -> ToolCall:
    function = item.get("function") if isinstance(item, dict) else None
    if not isinstance(function, dict):
        raise serializers.ValidationError(f"{where} needs {{id, function: {{name, arguments}}}}.")
    return ToolCall(_string(where, item, "id"), _string(where, function, "name"), _string(where, function, "arguments"))


def _tool(where: str, item: Any) -> Tool:
    if not isinstance(item, dict):
        raise serializers.ValidationError(f"{where} is no object; give {{name, description, input_schema}}.")
    schema = item.get("input_schema")
    if not isinstance(schema, dict | None):
        raise serializers.ValidationError(f"{where} needs its input_schema as an object.")
    description = _string(where, item, "description") if item.get("description") else ""
    return Tool(_string(where, item, "name"), description, schema or {})


def _string(where: str, item: Mapping[str, Any], name: str) -> str:
    value = item.get(name)
    if not isinstance(value, str):
        raise serializers.ValidationError(f"{where} needs '{name}' as a string.")
    return value


def _list(where: str, item: Mapping[str, Any], name: str) -> list[Any]:
    value = item.get(name) or []
    if not isinstance(value, list):
        raise serializers.ValidationError(f"{where} needs '{name}' as a list.")
    return value
