"""A conversation in the words of Gemini's generateContent.

Sources: https://ai.google.dev/api/generate-content, https://ai.google.dev/api/caching (contents, tools and their
choice), https://ai.google.dev/gemini-api/docs/structured-output (responseJsonSchema; parametersJsonSchema is the same
for tools: the older fields know a part of JSON Schema only and refuse the rest).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

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
from providers.types import Endpoint

_AS_THEY_ARE = {
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "seed": "seed",
    "frequency_penalty": "frequencyPenalty",
    "presence_penalty": "presencePenalty",
}
_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY", "tool": "ANY"}

# What an effort is worth, as Google's own OpenAI-compatible surface has it
# (https://ai.google.dev/gemini-api/docs/openai#thinking): tokens for 2.5, levels for all that came after.
_BUDGETS = {"none": 0, "minimal": 1024, "low": 1024, "medium": 8192, "high": 24576}
_LEVELS = ("minimal", "low", "medium", "high")
_TAKES_BUDGETS = re.compile(r"gemini-2\.5")
_TAKES_NO_SIGNATURES = re.compile(r"gemini-(1|2\.0)|gemma")

# Newer models refuse a call to a tool that comes back without the signature that they gave with it. No other wire
# format has a place for it; this value is for conversations that have lost theirs
# (https://ai.google.dev/gemini-api/docs/thought-signatures#faqs).
_NO_SIGNATURE = "skip_thought_signature_validator"


def body(endpoint: Endpoint, request: GenerateRequest) -> dict[str, Any]:
    """The body of a request. Raises RequestNotPossible for what Gemini has no word for."""
    if request.parallel_tool_calls is False:
        raise RequestNotPossible(f"Provider '{endpoint.name}' cannot turn off `parallel_tool_calls`. Leave it out.")
    content: dict[str, Any] = {
        "contents": _contents(endpoint, request),
        "generationConfig": _generation_config(endpoint, request),
    }
    if request.instructions:
        content["systemInstruction"] = {"parts": [{"text": request.instructions}]}
    if request.tools:
        content["tools"] = [{"functionDeclarations": [_declaration(tool) for tool in request.tools]}]
    if request.tool_choice is not None and (request.tools or request.tool_choice.mode in {"required", "tool"}):
        content["toolConfig"] = {"functionCallingConfig": _choice(request.tool_choice)}
    return content


def _generation_config(endpoint: Endpoint, request: GenerateRequest) -> dict[str, Any]:
    config: dict[str, Any] = {"maxOutputTokens": request.max_tokens or endpoint.default_max_tokens}
    config |= {theirs: value for ours, theirs in _AS_THEY_ARE.items() if (value := getattr(request, ours)) is not None}
    if request.stop:
        config["stopSequences"] = list(request.stop)
    if request.json_output is not None:
        config |= _json(request.json_output)
    if request.reasoning_effort:
        config["thinkingConfig"] = _thinking(endpoint, request.model.removeprefix("models/"), request.reasoning_effort)
    return config


def _json(wanted: JsonOutput) -> dict[str, Any]:
    schema = {} if wanted.schema is None else {"responseJsonSchema": wanted.schema}
    return {"responseMimeType": "application/json", **schema}


def _thinking(endpoint: Endpoint, model: str, effort: str) -> dict[str, Any]:
    budgets = _TAKES_BUDGETS.match(model) is not None
    known = tuple(_BUDGETS) if budgets else _LEVELS
    if effort not in known:
        raise RequestNotPossible(
            f"Provider '{endpoint.name}' has no `reasoning_effort` like that for '{model}'. "
            f"Use one of {', '.join(known)}, or leave it out."
        )
    if budgets:
        return {"thinkingBudget": _BUDGETS[effort]}
    return {"thinkingLevel": "low" if effort == "minimal" and "pro" in model else effort}


def _declaration(tool: Tool) -> dict[str, Any]:
    declaration: dict[str, Any] = {"name": tool.name}
    if tool.description:
        declaration["description"] = tool.description
    if tool.parameters:
        declaration["parametersJsonSchema"] = tool.parameters
    return declaration


def _choice(choice: ToolChoice) -> dict[str, Any]:
    named = {"allowedFunctionNames": [choice.name]} if choice.mode == "tool" else {}
    return {"mode": _MODES[choice.mode], **named}


def _contents(endpoint: Endpoint, request: GenerateRequest) -> list[dict[str, Any]]:
    """The turns. Messages of one side that follow each other are one: all results of a turn's calls belong together."""
    contents: list[dict[str, Any]] = []
    names: dict[str, str] = {}  # of the functions that were called so far, by the call's id
    for message in request.messages:
        _refuse_in_system(endpoint, message)
        parts = [] if message.role == "system" else list(_parts(endpoint, message, names))
        if not parts:
            continue
        role = "model" if message.role == "assistant" else "user"
        if contents and contents[-1]["role"] == role:
            contents[-1]["parts"] += parts
        else:
            contents.append({"role": role, "parts": parts})
    if not _TAKES_NO_SIGNATURES.match(request.model.removeprefix("models/")):
        for turn in contents:
            _sign(turn["parts"])
    return contents


def _refuse_in_system(endpoint: Endpoint, message: Message) -> None:
    """Instructions are words: https://ai.google.dev/api/generate-content takes text only in a systemInstruction."""
    if message.role == "system" and not all(isinstance(part, Text) for part in message.parts):
        raise RequestNotPossible(
            f"Provider '{endpoint.name}' takes only text in a system message. Move the rest to a user's."
        )


def _sign(parts: list[dict[str, Any]]) -> None:
    """Puts a signature on the first of a turn's calls, which is where it is looked for."""
    first = next((part for part in parts if "functionCall" in part), None)
    if first is not None:
        first["thoughtSignature"] = _NO_SIGNATURE


def _parts(endpoint: Endpoint, message: Message, names: dict[str, str]) -> Iterator[dict[str, Any]]:
    """The parts of a message. Empty text is left out: it says nothing, and Gemini refuses it."""
    for part in message.parts:
        if isinstance(part, ToolCall):
            names[part.id] = part.name
        if not isinstance(part, Text) or part.text:
            yield _part(endpoint, part, names)


def _part(endpoint: Endpoint, part: Part, names: Mapping[str, str]) -> dict[str, Any]:
    match part:
        case Text():
            return {"text": part.text}
        case Picture():
            return _picture(endpoint, part)
        case ToolCall():
            return {"functionCall": {**_id(part.id), "name": part.name, "args": _arguments(part)}}
        case ToolResult():
            return {"functionResponse": {**_id(part.call_id), **_result(part, names)}}


def _id(value: str) -> dict[str, str]:
    return {"id": value} if value else {}


def _picture(endpoint: Endpoint, picture: Picture) -> dict[str, Any]:
    if not picture.data:
        raise RequestNotPossible(
            f"Provider '{endpoint.name}' fetches no picture from a URL. Send the picture itself, in base64."
        )
    return {"inlineData": {"mimeType": picture.media_type, "data": picture.data}}


def _arguments(call: ToolCall) -> Mapping[str, Any]:
    try:
        arguments = orjson.loads(call.arguments or "{}")
    except orjson.JSONDecodeError:
        arguments = None
    if not isinstance(arguments, dict):
        raise RequestNotPossible(
            f"The arguments of the call of '{call.name}' are no JSON object. Send them back as the model wrote them."
        )
    return arguments


def _result(result: ToolResult, names: Mapping[str, str]) -> dict[str, Any]:
    name = names.get(result.call_id)
    if name is None:
        raise RequestNotPossible(
            "A tool's result has the id of no call before it. Send the assistant's message with that call too."
        )
    return {"name": name, "response": {"error" if result.failed else "output": result.text}}
