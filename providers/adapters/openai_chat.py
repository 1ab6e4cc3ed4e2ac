"""A conversation in the words of OpenAI's chat completions."""

from collections.abc import Mapping
from typing import Any

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

_NO_PARAMETERS: Mapping[str, Any] = {"type": "object", "properties": {}}
_AS_THEY_ARE = (
    "temperature",
    "top_p",
    "stop",
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "parallel_tool_calls",
    "reasoning_effort",
)


def limit_field(endpoint: Endpoint) -> str:
    """The field that limits an answer, where its caller names none."""
    # OpenAI's newer models take only max_completion_tokens; most compatible servers take only the older name.
    own = "max_completion_tokens" if endpoint.base_url.startswith("https://api.openai.com/") else "max_tokens"
    return str(endpoint.config.get("max_tokens_field", own))


def chat_body(endpoint: Endpoint, request: GenerateRequest) -> dict[str, Any]:
    """The body of a chat completion. Raises RequestNotPossible for top_k, which it has no field for."""
    if request.top_k is not None:
        raise RequestNotPossible(f"Provider '{endpoint.name}' has no `top_k`. Leave it out.")
    messages = [turn for message in request.messages for turn in _turns(message)]
    if request.language_instruction:
        messages.insert(0, {"role": "system", "content": request.language_instruction})
    body: dict[str, Any] = {
        "model": request.model,
        "messages": messages,
        limit_field(endpoint): request.max_tokens or endpoint.default_max_tokens,
    }
    body |= {name: value for name in _AS_THEY_ARE if (value := getattr(request, name)) not in (None, "", ())}
    if request.tools:
        body["tools"] = [{"type": "function", "function": _function(tool)} for tool in request.tools]
    if request.tool_choice is not None:
        body["tool_choice"] = _choice(request.tool_choice)
    if request.json_output is not None:
        body["response_format"] = _format(request.json_output)
    if request.stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return body


def _turns(message: Message) -> list[dict[str, Any]]:
    """One message of ours is one of theirs, but for the results of tools, which are a message each."""
    if isinstance(message.content, str):
        return [{"role": message.role, "content": message.content}]
    turns: list[dict[str, Any]] = [
        # There is no field for a failure, and a model reads it as well in the text.
        {"role": "tool", "tool_call_id": part.call_id, "content": f"Error: {part.text}" if part.failed else part.text}
        for part in message.content
        if isinstance(part, ToolResult)
    ]
    said = [part for part in message.content if isinstance(part, Text | Picture)]
    calls = [_call(part) for part in message.content if isinstance(part, ToolCall)]
    if said or calls:
        turn: dict[str, Any] = {"role": message.role, "content": _content(said)}
        turns.append({**turn, "tool_calls": calls} if calls else turn)
    return turns


def _content(parts: list[Text | Picture]) -> str | list[dict[str, Any]] | None:
    if not parts:
        return None
    if all(isinstance(part, Text) for part in parts):
        return "".join(part.text for part in parts if isinstance(part, Text))
    return [
        {"type": "text", "text": part.text}
        if isinstance(part, Text)
        else {"type": "image_url", "image_url": {"url": part.url or f"data:{part.media_type};base64,{part.data}"}}
        for part in parts
    ]


def _call(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _function(tool: Tool) -> dict[str, Any]:
    function: dict[str, Any] = {
        "name": tool.name,
        "parameters": tool.parameters or _NO_PARAMETERS,
    }
    return {**function, "description": tool.description} if tool.description else function


def _choice(choice: ToolChoice) -> str | Mapping[str, Any]:
    if choice.mode == "tool":
        return {"type": "function", "function": {"name": choice.name}}
    return choice.mode


def _format(wanted: JsonOutput) -> dict[str, Any]:
    if wanted.schema is None:
        return {"type": "json_object"}
    return {"type": "json_schema", "json_schema": {"name": wanted.name, "schema": wanted.schema}}
