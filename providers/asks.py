"""How much a request asks for, in any wire format: what an upper bound of its cost is made of."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from providers.conversation import GenerateRequest, Picture

# A picture, a sound or a file as a part of a message: OpenAI's and Anthropic's by their type, Gemini's by their name.
_FILE = re.compile(
    rb'"type"\s*:\s*"(?:image_url|input_image|image|input_audio|document|file|input_file)"'
    rb'|"(?:inline|file)_?[dD]ata"\s*:'
)
_OUTPUT_LIMITS = ("max_completion_tokens", "max_tokens", "max_output_tokens")
_CHOICES = ("n", "best_of")
_GENERATION_CONFIGS = ("generationConfig", "generation_config")  # Gemini's; its readers take both spellings
_MESSAGES = ("messages", "input", "contents")


@dataclass(slots=True)
class Asks:
    """What a request asks for.

    messages, files: how many, files being pictures, sounds and documents. tools: the size of their descriptions, in
    bytes. output: the limit that the caller sets, in tokens of one choice; None where there is none. limits: the fields
    of the body that set it. choices: how many answers side by side. generates: whether it is answered with tokens of
    output at all. limitable: whether there is a field for their limit. units: what else is counted, by the name of its
    measure, at most.
    """

    messages: int = 1
    files: int = 0
    tools: int = 0
    output: int | None = None
    limits: tuple[str, ...] = ()
    choices: int = 1
    generates: bool = True
    limitable: bool = True
    units: Mapping[str, float] = field(default_factory=dict)


def asks_of_body(body: Mapping[str, Any], raw: bytes, *, generates: bool = True) -> Asks:
    """What a request in a vendor's words asks for. Parameters: raw, the bytes that the body was read from."""
    config = next((found for name in _GENERATION_CONFIGS if isinstance(found := body.get(name), Mapping)), {})
    limits = tuple(name for name in _OUTPUT_LIMITS if name in body)
    stated = _counts(*map(body.get, limits), config.get("maxOutputTokens"), config.get("max_output_tokens"))
    choices = _counts(*map(body.get, _CHOICES), config.get("candidateCount"), config.get("candidate_count"))
    messages = next((found for name in _MESSAGES if isinstance(found := body.get(name), list)), ())
    return Asks(
        messages=max(1, len(messages)),
        files=len(_FILE.findall(raw)),
        tools=len(orjson.dumps(body["tools"])) if body.get("tools") else 0,
        output=max(stated, default=None),
        limits=limits,
        choices=max(choices, default=1),
        generates=generates,
    )


def asks_of(request: GenerateRequest) -> Asks:
    """What a request in our own words asks for."""
    return Asks(
        messages=len(request.messages),
        files=sum(isinstance(part, Picture) for message in request.messages for part in message.parts),
        tools=sum(
            len(tool.name) + len(tool.description) + len(orjson.dumps(tool.parameters)) for tool in request.tools
        ),
        output=request.max_tokens,
    )


def _counts(*values: Any) -> list[int]:
    return [value for value in values if isinstance(value, int) and not isinstance(value, bool) and value > 0]
