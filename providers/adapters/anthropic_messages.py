"""A conversation in the words of Anthropic's messages.

Source: https://platform.claude.com/docs/en/api/messages
"""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from providers.conversation import GenerateRequest, Message, Part, Picture, Text, Tool, ToolCall, ToolResult
from providers.errors import RequestNotPossible
from providers.types import Endpoint

_AS_THEY_ARE = ("temperature", "top_p", "top_k")
_MODES = {"auto": "auto", "none": "none", "required": "any"}


def messages_body(endpoint: Endpoint, request: GenerateRequest) -> dict[str, Any]:
    """The body of POST /v1/messages. Raises RequestNotPossible for what there is no field for."""
    _refuse(endpoint, request)
    messages = _turns(request.messages)
    if not messages:
        raise RequestNotPossible(f"Provider '{endpoint.name}' needs a message that is not a system message.")
    body: dict[str, Any] = {
        "model": request.model,
        "max_tokens": request.max_tokens or endpoint.default_max_tokens,
        "messages": messages,
    }
    if request.instructions.strip():
        body["system"] = request.instructions
    body |= {name: value for name in _AS_THEY_ARE if (value := getattr(request, name)) is not None}
    if request.stop:
        body["stop_sequences"] = request.stop
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
    if choice := _choice(request):
        body["tool_choice"] = choice
    if request.json_output is not None:
        # https://platform.claude.com/docs/en/build-with-claude/structured-outputs
        body["output_config"] = {"format": {"type": "json_schema", "schema": request.json_output.schema}}
    if request.stream:
        body["stream"] = True
    return body


def _refuse(endpoint: Endpoint, request: GenerateRequest) -> None:
    """Raises RequestNotPossible. A penalty of nought asks for nothing, and is not sent."""
    for name in ("frequency_penalty", "presence_penalty", "reasoning_effort"):
        if getattr(request, name):
            raise RequestNotPossible(f"Provider '{endpoint.name}' has no `{name}`. Leave it out.")
    if request.seed is not None:
        raise RequestNotPossible(f"Provider '{endpoint.name}' has no `seed`. Leave it out.")
    if request.temperature is not None and request.temperature > 1:
        raise RequestNotPossible(f"Provider '{endpoint.name}' takes a `temperature` from 0 to 1. Lower it.")
    if request.json_output is not None and request.json_output.schema is None:
        raise RequestNotPossible(
            f"Provider '{endpoint.name}' gives JSON only of a schema: give one (`json_schema`), or ask for JSON in the"
            " message."
        )
    if not request.tools and request.tool_choice is not None and request.tool_choice.mode in {"required", "tool"}:
        raise RequestNotPossible("`tool_choice` asks for a tool and `tools` has none. Give one.")
    if any(isinstance(part, Picture) for m in request.messages if m.role == "system" for part in m.parts):
        raise RequestNotPossible(
            f"Provider '{endpoint.name}' takes no picture in a system message. Move it to a user's."
        )


def _turns(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """The messages in turns: a user's and an assistant's alternate, and the results of tools are the user's.

    They must be the first blocks of the turn after the one that asked for them:
    https://platform.claude.com/docs/en/agents-and-tools/tool-use/handle-tool-calls
    """
    turns: list[dict[str, Any]] = []
    for message in messages:
        # Blocks without a word are refused by the vendor, and say nothing.
        parts = [part for part in message.parts if not isinstance(part, Text) or part.text.strip()]
        if message.role == "system" or not parts:
            continue
        role = "assistant" if message.role == "assistant" else "user"
        if not turns or turns[-1]["role"] != role:
            turns.append({"role": role, "content": []})
        turns[-1]["content"] += [_block(part) for part in parts]
    for turn in turns:
        turn["content"].sort(key=lambda block: block["type"] != "tool_result")
    return turns


def _block(part: Part) -> dict[str, Any]:
    match part:
        case Text(text):
            return {"type": "text", "text": text}
        case Picture():
            return {"type": "image", "source": _source(part)}
        case ToolCall(call_id, name):
            return {"type": "tool_use", "id": call_id, "name": name, "input": _input(part)}
        case ToolResult(call_id, text, failed):
            block: dict[str, Any] = {"type": "tool_result", "tool_use_id": call_id, "content": text}
            return {**block, "is_error": True} if failed else block


def _source(picture: Picture) -> dict[str, Any]:
    if picture.url:
        return {"type": "url", "url": picture.url}
    return {"type": "base64", "media_type": picture.media_type, "data": picture.data}


def _input(call: ToolCall) -> Mapping[str, Any]:
    """What a tool was called with. OpenAI's models write nothing at all for a tool that takes nothing."""
    try:
        value = orjson.loads(call.arguments or "{}")
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise RequestNotPossible("The `arguments` of a tool call in `messages` are no JSON object. Repair them.")
    return value


def _tool(tool: Tool) -> dict[str, Any]:
    said: dict[str, Any] = {"name": tool.name, "input_schema": {"type": "object", **tool.parameters}}
    return {**said, "description": tool.description} if tool.description else said


def _choice(request: GenerateRequest) -> dict[str, Any] | None:
    """Whether to use a tool, and whether more than one at once; None where there is no tool or no wish."""
    choice = request.tool_choice
    alone = request.parallel_tool_calls is False
    if not request.tools or (choice is None and not alone):
        return None
    if choice is None:
        said: dict[str, Any] = {"type": "auto"}
    elif choice.mode == "tool":
        said = {"type": "tool", "name": choice.name}
    else:
        said = {"type": _MODES[choice.mode]}
    return {**said, "disable_parallel_tool_use": True} if alone and said["type"] != "none" else said
