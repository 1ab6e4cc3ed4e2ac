"""Messages that come in, read into our own words, for providers that speak another wire format than Anthropic's.

Source: https://platform.claude.com/docs/en/api/messages
"""

from collections.abc import Mapping
from typing import Any

import orjson

from providers.asked import a_count, a_flag, a_number, a_string, an_object, each, refuse_unknown
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

_READ = frozenset(
    (
        *("model", "messages", "system", "max_tokens", "stream", "temperature", "top_p", "top_k", "stop_sequences"),
        *("tools", "tool_choice", "thinking", "output_config"),
    )
)
# They tell the vendor about the caller, its bookkeeping or its price; the answer is the same without them.
_WITHOUT_EFFECT = frozenset(("metadata", "service_tier", "speed", "cache_control", "diagnostics"))
_BLOCKS = {
    "user": ("text", "image", "tool_result"),
    "assistant": ("text", "tool_use", "thinking", "redacted_thinking"),
    "system": ("text",),
}
_MODES: Mapping[str, ToolChoice] = {
    "auto": ToolChoice("auto"),
    "any": ToolChoice("required"),
    "none": ToolChoice("none"),
}
# What stands in a request and says nothing of the conversation: names of things, and pictures.
_NO_TEXT = frozenset(("type", "role", "id", "tool_use_id", "source", "signature", "cache_control"))
_BYTES_PER_TOKEN = 4


def read_messages(body: Mapping[str, Any]) -> GenerateRequest:
    """The body of POST /v1/messages in our words. Raises RequestNotPossible for what is wrong or has no words."""
    refuse_unknown(body, _READ, _WITHOUT_EFFECT)
    _refuse_thinking(body.get("thinking"))
    turns = [message for turn in each("messages", body.get("messages"), _turn) for message in turn]
    if not turns:
        raise RequestNotPossible("`messages` must not be empty.")
    if body.get("max_tokens") is None:
        raise RequestNotPossible("`max_tokens` is missing.")
    choice, parallel = _choice(body.get("tool_choice"))
    config = an_object("output_config", body.get("output_config") or {})
    refuse_unknown(config, ("format", "effort"), ())
    return GenerateRequest(
        messages=(*_system(body.get("system")), *turns),
        model=a_string("model", body.get("model")),
        max_tokens=a_count("max_tokens", body["max_tokens"]),
        temperature=a_number("temperature", body.get("temperature"), 0, 1),
        top_p=a_number("top_p", body.get("top_p"), 0, 1),
        top_k=a_count("top_k", body.get("top_k"), least=0),
        stop=each("stop_sequences", body.get("stop_sequences"), a_string),
        tools=each("tools", body.get("tools"), _tool),
        tool_choice=choice,
        parallel_tool_calls=parallel,
        json_output=_json_output(config.get("format")),
        reasoning_effort=a_string("output_config.effort", config.get("effort") or ""),
        stream=a_flag("stream", body.get("stream")) or False,
    )


def estimate_tokens(body: Mapping[str, Any]) -> int:
    """About how many tokens a request has, for providers that do not count them: one for four bytes of its text.

    Of the tools and what they were called with, the names of fields count too, since the model reads them. Pictures
    count nothing. A body in which anything is of the wrong type is counted as far as it goes.
    """
    size = 0
    waiting = [(body.get(name), False) for name in ("system", "messages", "tools")]
    while waiting:
        value, named = waiting.pop()
        if isinstance(value, str):
            size += len(value.encode())
        elif isinstance(value, list):
            waiting += [(item, named) for item in value]
        elif isinstance(value, dict):
            size += sum(len(name.encode()) for name in value) if named else 0
            waiting += [
                (item, named or name in {"input", "input_schema"})
                for name, item in value.items()
                if named or name not in _NO_TEXT
            ]
    return -(-size // _BYTES_PER_TOKEN)


def _refuse_thinking(value: Any) -> None:
    if value is not None and an_object("thinking", value).get("type") != "disabled":
        raise RequestNotPossible(
            "`thinking` cannot be translated for this provider. Leave it out, or use a provider of type anthropic."
        )


def _system(value: Any) -> tuple[Message, ...]:
    words = value if isinstance(value, str) else _words("system", value)
    return (Message("system", words),) if words else ()


def _turn(where: str, item: Any) -> tuple[Message, ...]:
    """One message: what tools said comes before what the user says to it. Without anything to say, none."""
    turn = an_object(where, item)
    role, content = turn.get("role"), turn.get("content")
    if role not in ("user", "assistant", "system"):
        raise RequestNotPossible(f"`{where}.role` must be user, assistant or system.")
    if isinstance(content, str):
        return (Message(role, content),)
    if not isinstance(content, list):
        raise RequestNotPossible(f"`{where}.content` must be a string or a list of blocks.")
    if not content and role != "assistant":
        raise RequestNotPossible(f"`{where}.content` must not be empty.")
    parts = [part for part in each(f"{where}.content", content, lambda w, i: _part(w, i, role)) if part is not None]
    results = tuple(part for part in parts if isinstance(part, ToolResult))
    rest = tuple(part for part in parts if not isinstance(part, ToolResult))
    return (*((Message("tool", results),) if results else ()), *((Message(role, rest),) if rest else ()))


def _part(where: str, item: Any, role: str) -> Part | None:
    """One block of a message; None for a thought of earlier, which only the model that had it can read again."""
    block = an_object(where, item)
    kind = block.get("type")
    if kind not in _BLOCKS[role]:
        raise RequestNotPossible(
            f"`{where}.type`: this provider takes {', '.join(_BLOCKS[role])} in a message of role {role}, and no other."
        )
    match kind:
        case "text":
            return Text(a_string(f"{where}.text", block.get("text")))
        case "image":
            return _picture(f"{where}.source", an_object(f"{where}.source", block.get("source")))
        case "tool_use":
            return ToolCall(
                a_string(f"{where}.id", block.get("id")),
                a_string(f"{where}.name", block.get("name")),
                _json(f"{where}.input", an_object(f"{where}.input", block.get("input"))),
            )
        case "tool_result":
            content = block.get("content")
            return ToolResult(
                a_string(f"{where}.tool_use_id", block.get("tool_use_id")),
                content if isinstance(content, str) else _words(f"{where}.content", content),
                a_flag(f"{where}.is_error", block.get("is_error")) or False,
            )
    return None


def _picture(where: str, source: Mapping[str, Any]) -> Picture:
    match source.get("type"):
        case "base64":
            return Picture(
                a_string(f"{where}.media_type", source.get("media_type")), a_string(f"{where}.data", source.get("data"))
            )
        case "url":
            return Picture(url=a_string(f"{where}.url", source.get("url")))
    raise RequestNotPossible(f"`{where}.type` must be base64 or url; this provider takes no other picture.")


def _words(where: str, value: Any) -> str:
    """Blocks of text in one piece, a blank line between them."""
    return "\n\n".join(each(where, value, _text))


def _text(where: str, item: Any) -> str:
    block = an_object(where, item)
    if block.get("type") != "text":
        raise RequestNotPossible(f"`{where}.type` must be text; this provider takes nothing else there.")
    return a_string(f"{where}.text", block.get("text"))


def _json(where: str, value: Mapping[str, Any]) -> str:
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError as error:
        raise RequestNotPossible(f"`{where}` is nested too deeply. Make it flatter.") from error


def _tool(where: str, item: Any) -> Tool:
    tool = an_object(where, item)
    if tool.get("type") not in (None, "custom"):
        raise RequestNotPossible(f"`{where}.type`: a tool of Anthropic's own cannot be translated. Leave it out.")
    asked = {name: value for name, value in tool.items() if value is not False and value != ["direct"]}
    refuse_unknown(asked, ("type", "name", "description", "input_schema"), ("cache_control", "eager_input_streaming"))
    return Tool(
        a_string(f"{where}.name", tool.get("name")),
        a_string(f"{where}.description", tool.get("description") or ""),
        an_object(f"{where}.input_schema", tool.get("input_schema")),
    )


def _choice(value: Any) -> tuple[ToolChoice | None, bool | None]:
    """Which tool, and whether several at once."""
    if value is None:
        return None, None
    choice = an_object("tool_choice", value)
    alone = a_flag("tool_choice.disable_parallel_tool_use", choice.get("disable_parallel_tool_use"))
    parallel = False if alone else None
    match choice.get("type"):
        case "tool":
            return ToolChoice("tool", a_string("tool_choice.name", choice.get("name"))), parallel
        case "auto" | "any" | "none" as kind:
            return _MODES[kind], parallel
    raise RequestNotPossible("`tool_choice.type` must be auto, any, none or tool.")


def _json_output(value: Any) -> JsonOutput | None:
    match value:
        case None:
            return None
        case {"type": "json_schema", "schema": dict(schema)}:
            return JsonOutput(schema)
    raise RequestNotPossible("`output_config.format` must be of type json_schema, with a schema.")
