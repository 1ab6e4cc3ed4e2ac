"""A conversation in Addis AI's words: the request of POST /api/v1/chat_generate, as JSON or as a form with pictures.

Source: https://platform.addisassistant.com/docs and the vendor's own client, https://github.com/Addis-AI-Org/addisai-py.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from providers.conversation import GenerateRequest, Message, Picture, Text, Tool, ToolCall, ToolChoice
from providers.errors import RequestNotPossible
from providers.types import Endpoint

# Chat's own: translation and transcription know more.
_LANGUAGES = {"am": "Amharic", "om": "Afaan Oromo", "ti": "Tigrinya"}
_PICTURES = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
    "image/gif": "gif",
    "image/bmp": "bmp",
}
# What it has no field for, with the values that ask for nothing.
_UNKNOWN: Mapping[str, tuple[Any, ...]] = {
    "top_p": (None, 1),
    "top_k": (None,),
    "stop": ((),),
    "seed": (None,),
    "frequency_penalty": (None, 0),
    "presence_penalty": (None, 0),
    "parallel_tool_calls": (None, True),
    "json_output": (None,),
    "reasoning_effort": ("",),
}

FormPart = tuple[str, tuple[str | None, bytes, str]]  # field name; file name or none, content, content type


def chat_body(endpoint: Endpoint, request: GenerateRequest) -> dict[str, Any]:
    """The JSON of a request, without its pictures. Raises RequestNotPossible for what Addis AI has no word for."""
    _refuse_unknown(endpoint, request)
    earlier, last = _turns(endpoint, request)
    generation: dict[str, Any] = {"maxOutputTokens": request.max_tokens or endpoint.default_max_tokens}
    if request.temperature is not None:
        generation["temperature"] = request.temperature
    if request.stream:
        generation["stream"] = True
    body: dict[str, Any] = {
        "prompt": last.text,
        "target_language": _language(endpoint, request),
        "conversation_history": [turn for message in earlier if (turn := _turn(endpoint, message))],
        "system": "\n\n".join(message.text for message in request.messages if message.role == "system"),
        "model": request.model,
        "tools": [{"type": "function", "function": _function(tool)} for tool in request.tools],
        "tool_choice": request.tool_choice and _choice(request.tool_choice),
    }
    return {**{name: value for name, value in body.items() if value}, "generation_config": generation}


def attachments(endpoint: Endpoint, request: GenerateRequest) -> list[FormPart]:
    """The pictures of the last message as parts of a form. Raises RequestNotPossible for one that cannot be sent."""
    _, last = _turns(endpoint, request)
    pictures = [part for part in last.parts if isinstance(part, Picture)]
    if pictures and request.stream:
        raise RequestNotPossible(
            f"Provider '{endpoint.name}' streams no answer to a picture. Ask without `stream`, or without the picture."
        )
    return [_attachment(endpoint, f"attachment_{place}", picture) for place, picture in enumerate(pictures)]


def _refuse_unknown(endpoint: Endpoint, request: GenerateRequest) -> None:
    for name, meaningless in _UNKNOWN.items():
        if getattr(request, name) not in meaningless:
            raise RequestNotPossible(f"Provider '{endpoint.name}' has no `{name}`. Leave it out.")
    if not all(isinstance(part, Text) for m in request.messages if m.role == "system" for part in m.parts):
        raise RequestNotPossible(
            f"Provider '{endpoint.name}' takes only text in a system message. Move the rest to a user's."
        )
    if request.temperature is not None and request.temperature > 1:
        raise RequestNotPossible(f"Provider '{endpoint.name}' takes a `temperature` between 0 and 1.")
    if request.stream and request.tools:
        raise RequestNotPossible(
            f"Provider '{endpoint.name}' streams no answer that may call a tool."
            " Ask without `stream`, or without `tools`."
        )


def _language(endpoint: Endpoint, request: GenerateRequest) -> str:
    language = request.target_language or str(endpoint.config.get("target_language") or "am")
    if language not in _LANGUAGES:
        known = ", ".join(f"{code} ({name})" for code, name in _LANGUAGES.items())
        raise RequestNotPossible(f"Provider '{endpoint.name}' answers in {known} only. Set `target_language` to one.")
    return language


def _turns(endpoint: Endpoint, request: GenerateRequest) -> tuple[list[Message], Message]:
    """What was said before, and what is asked now.

    What tools answered to the last question cannot be told: the vendor's own clients lose it on the way
    (https://platform.addisassistant.com/docs/core-concepts/function-calling).
    """
    said = [message for message in request.messages if message.role != "system"]
    if not said or said[-1].role != "user" or any(not isinstance(part, Text | Picture) for part in said[-1].parts):
        raise RequestNotPossible(
            f"Provider '{endpoint.name}' answers a user's message only: it must be the last one,"
            " and the result of a tool cannot be given back to it."
        )
    if not said[-1].text.strip():
        raise RequestNotPossible(f"Provider '{endpoint.name}' needs words in the last message, beside a picture too.")
    return said[:-1], said[-1]


def _turn(endpoint: Endpoint, message: Message) -> dict[str, str] | None:
    """An earlier message, if it says anything. What tools answered is the assistant's, as in the vendor's clients."""
    if any(isinstance(part, Picture) for part in message.parts):
        raise RequestNotPossible(f"Provider '{endpoint.name}' takes pictures in the last message only.")
    # That a tool was called shows in its result; the arguments have no place here.
    said = "".join(part.text for part in message.parts if not isinstance(part, Picture | ToolCall))
    role = "assistant" if message.role in {"assistant", "tool"} else "user"
    return {"role": role, "content": said} if said else None


def _attachment(endpoint: Endpoint, name: str, picture: Picture) -> FormPart:
    if picture.url:
        raise RequestNotPossible(
            f"Provider '{endpoint.name}' fetches no picture from an address. Send the picture itself, in base64."
        )
    ending = _PICTURES.get(picture.media_type)
    if ending is None:
        raise RequestNotPossible(f"Provider '{endpoint.name}' takes pictures as {', '.join(_PICTURES)} only.")
    try:
        content = base64.b64decode(picture.data, validate=True)
    except binascii.Error:
        raise RequestNotPossible("A picture's data is not base64.") from None
    return name, (f"{name}.{ending}", content, picture.media_type)


def _function(tool: Tool) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {name: value for name, value in function.items() if value}


def _choice(choice: ToolChoice) -> str | dict[str, Any]:
    if choice.mode == "tool":
        return {"type": "function", "function": {"name": choice.name}}
    return choice.mode
