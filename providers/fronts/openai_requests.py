"""Chat completions that come in, read into our own words, for providers that speak another wire format.

Source: https://platform.openai.com/docs/api-reference/chat/create
"""

import re
from collections.abc import Mapping
from typing import Any

from providers.asked import a_count, a_flag, a_number, a_string, an_object, each, refuse_unknown
from providers.conversation import (
    GenerateRequest,
    JsonOutput,
    Message,
    Part,
    Picture,
    Role,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from providers.errors import RequestNotPossible

_READ = frozenset(
    (
        *("model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens", "temperature"),
        *("top_p", "stop", "seed", "frequency_penalty", "presence_penalty", "tools", "tool_choice"),
        *("parallel_tool_calls", "response_format", "reasoning_effort", "n", "logprobs", "modalities"),
        "web_search_options",
    )
)
# They tell the vendor about the caller or its bookkeeping; the answer is the same without them.
_WITHOUT_EFFECT = frozenset(
    (
        *("user", "metadata", "store", "service_tier", "safety_identifier"),
        *("prompt_cache_key", "prompt_cache_retention", "prompt_cache_options"),
    )
)
_IN_MESSAGES = ("role", "content", "tool_calls", "tool_call_id", "refusal")
# What an answer has beside its words, and comes back with it: where it was found, and thoughts of earlier, which only
# the model that had them can read again. `prefix` and the like say something and are refused.
_OF_ANSWERS = ("annotations", "reasoning", "reasoning_content")
_ONLY: Mapping[str, Any] = {"n": 1, "logprobs": False, "modalities": ["text"]}
_ONE_ANSWER = "this provider gives one answer, as text, without probabilities. Leave it out."
_ROLES: Mapping[str, Role] = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
_DATA_URL = re.compile(r"data:(image/[a-z0-9.+-]+);base64,(.+)", re.DOTALL | re.IGNORECASE)


def read_chat(body: Mapping[str, Any]) -> GenerateRequest:
    """A chat completion's body in our words. Raises RequestNotPossible for what is wrong or has no words."""
    refuse_unknown(body, _READ, _WITHOUT_EFFECT)
    for name, usual in _ONLY.items():
        if body.get(name) not in (None, usual):
            raise RequestNotPossible(f"`{name}`: {_ONE_ANSWER}")
    if body.get("web_search_options") is not None:  # an empty object is a wish too
        raise RequestNotPossible("`web_search_options`: this provider cannot search by itself. Leave it out.")
    messages = each("messages", body.get("messages"), _message)
    if not messages:
        raise RequestNotPossible("`messages` must not be empty.")
    limit = a_count("max_completion_tokens", body.get("max_completion_tokens"))
    return GenerateRequest(
        messages=messages,
        max_tokens=limit if limit is not None else a_count("max_tokens", body.get("max_tokens")),
        temperature=a_number("temperature", body.get("temperature"), 0, 2),
        top_p=a_number("top_p", body.get("top_p"), 0, 1),
        stop=_stop(body.get("stop")),
        seed=a_count("seed", body.get("seed"), least=-(2**53)),
        frequency_penalty=a_number("frequency_penalty", body.get("frequency_penalty"), -2, 2),
        presence_penalty=a_number("presence_penalty", body.get("presence_penalty"), -2, 2),
        tools=each("tools", body.get("tools"), _tool),
        tool_choice=_choice(body.get("tool_choice")),
        parallel_tool_calls=a_flag("parallel_tool_calls", body.get("parallel_tool_calls")),
        json_output=_json_output(body.get("response_format")),
        reasoning_effort=a_string("reasoning_effort", body.get("reasoning_effort") or ""),
        stream=a_flag("stream", body.get("stream")) or False,
    )


def _message(where: str, item: Any) -> Message:
    turn = an_object(where, item)
    role, content = turn.get("role"), turn.get("content")
    # The name of a tool that speaks is that of the call which it answers.
    refuse_unknown(turn, _IN_MESSAGES, (*_OF_ANSWERS, "name") if role == "tool" else _OF_ANSWERS, where)
    if role == "tool":
        return Message(
            "tool", (ToolResult(a_string(f"{where}.tool_call_id", turn.get("tool_call_id")), _words(where, content)),)
        )
    known = _ROLES.get(role) if isinstance(role, str) else None
    if known is None:
        raise RequestNotPossible(f"`{where}.role` must be one of {', '.join(_ROLES)} and tool.")
    calls = each(f"{where}.tool_calls", turn.get("tool_calls"), _call)
    if refusal := a_string(f"{where}.refusal", turn.get("refusal") or ""):
        return Message(known, (*(_parts(where, content) if content else ()), Text(refusal), *calls))
    if isinstance(content, str) and not calls:
        return Message(known, content)
    if content is None and not calls:
        raise RequestNotPossible(f"`{where}.content` is missing.")
    return Message(known, (*_parts(where, content), *calls))


def _parts(where: str, content: Any) -> tuple[Part, ...]:
    if isinstance(content, str):
        return (Text(content),) if content else ()
    return each(f"{where}.content", content, _part)


def _part(where: str, item: Any) -> Part:
    match item:
        case {"type": "text" | "refusal" as kind}:
            return Text(a_string(f"{where}.{kind}", item.get(kind)))
        case {"type": "image_url", "image_url": {"url": str(url)} as image}:
            if image.get("detail") not in (None, "auto"):
                raise RequestNotPossible(
                    f"`{where}.image_url.detail`: this provider chooses it by itself. Send auto, or leave it out."
                )
            inline = _DATA_URL.fullmatch(url)
            if inline is None and url[:5].lower() == "data:":
                raise RequestNotPossible(f"`{where}.image_url.url` must be an address, or `data:image/…;base64,…`.")
            return Picture(inline[1].lower(), inline[2]) if inline else Picture(url=url)
    raise RequestNotPossible(f"`{where}` is neither text nor an image_url; this provider takes no other part.")


def _words(where: str, content: Any) -> str:
    """What a tool said, in one piece."""
    parts = _parts(where, content)
    if not all(isinstance(part, Text) for part in parts):
        raise RequestNotPossible(f"`{where}.content`: what a tool said must be text.")
    return "".join(part.text for part in parts if isinstance(part, Text))


def _call(where: str, item: Any) -> ToolCall:
    call = an_object(where, item)
    function = an_object(f"{where}.function", call.get("function"))
    return ToolCall(
        a_string(f"{where}.id", call.get("id")),
        a_string(f"{where}.function.name", function.get("name")),
        a_string(f"{where}.function.arguments", function.get("arguments", "")),
    )


def _tool(where: str, item: Any) -> Tool:
    tool = an_object(where, item)
    if tool.get("type") != "function":
        raise RequestNotPossible(f"`{where}`: only tools of type `function` can be translated for this provider.")
    function = an_object(f"{where}.function", tool.get("function"))
    if a_flag(f"{where}.function.strict", function.get("strict")):
        raise RequestNotPossible(
            f"`{where}.function.strict`: this provider cannot promise that arguments fit the schema. Leave it out."
        )
    refuse_unknown(function, ("name", "description", "parameters", "strict"), (), f"{where}.function")
    return Tool(
        a_string(f"{where}.function.name", function.get("name")),
        a_string(f"{where}.function.description", function.get("description") or ""),
        an_object(f"{where}.function.parameters", function.get("parameters") or {}),
    )


def _choice(value: Any) -> ToolChoice | None:
    match value:
        case None:
            return None
        case "auto" | "none" | "required":
            return ToolChoice(value)
        case {"type": "function", "function": {"name": str(name)}}:
            return ToolChoice("tool", name)
    raise RequestNotPossible("`tool_choice` must be auto, none, required, or name a function.")


def _stop(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return each("stop", value, a_string)


def _json_output(value: Any) -> JsonOutput | None:
    match value:
        case None | {"type": "text"}:
            return None
        case {"type": "json_object"}:
            return JsonOutput()
        case {"type": "json_schema", "json_schema": {"schema": dict(schema)} as wanted}:
            # `strict` asks for what the vendors do anyway with a schema that they are given, and OpenAI's SDK sends it
            # by itself: https://ai.google.dev/gemini-api/docs/structured-output and
            # https://platform.claude.com/docs/en/build-with-claude/structured-outputs
            refuse_unknown(wanted, ("schema", "name", "strict"), (), "response_format.json_schema")
            return JsonOutput(schema, str(wanted.get("name") or "answer"))
    raise RequestNotPossible("`response_format` must be of type text, json_object, or json_schema with a schema.")
