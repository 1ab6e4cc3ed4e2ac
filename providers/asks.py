"""How much a request asks for, in any wire format: what an upper bound of its cost is made of."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import ceil, isfinite
from typing import Any

import orjson

from providers.conversation import GenerateRequest, Picture
from providers.paths import ALL_LIMITS, is_batch, limit_fields
from providers.sizes import Extent

QUEUED = "queued"  # why an answer ends here that is made later, and fetched for nothing
_CHOICES = ("n", "best_of")
_GENERATION_CONFIGS = ("generationConfig", "generation_config")  # Gemini's; its readers take both spellings
_MESSAGES = ("messages", "input", "contents")
_OF_NOTE = frozenset((*ALL_LIMITS, *_CHOICES))
MOST_COUNTED = 10**12  # tokens or answers; more than anybody means, and few enough for a column of whole numbers


@dataclass(slots=True)
class Asks:
    """What a request asks for.

    messages, tools: how many. files: how many pictures, sounds and documents; file_tokens: what they are by their size,
    in tokens. beside: bytes that a model may read and that are no text. raw: bytes of a body of which nothing else is
    certain, its files left out. output: the limit that the caller sets, in tokens of one choice; None where there is
    none. limits: the fields of the body that set one, as they are spelled there. choices: how many answers side by
    side. generates: whether it is answered with tokens of output at all. limitable: whether there is a field for their
    limit. later: whether the answer is made when the request is over. unbounded: why nobody can say how much it asks
    for; empty where somebody can. units: what else is counted, by the name of its measure, at most.
    """

    messages: int = 1
    tools: int = 0
    files: int = 0
    file_tokens: int = 0
    beside: int = 0
    raw: int = 0
    output: int | None = None
    limits: tuple[str, ...] = ()
    choices: int = 1
    generates: bool = True
    limitable: bool = True
    later: bool = False
    unbounded: str = ""
    units: Mapping[str, float] = field(default_factory=dict)


def asks_of_body(body: Mapping[str, Any], found: Extent, path: str, *, generates: bool = True) -> Asks:
    """What a request in a vendor's words asks for.

    Parameters: found, how much is in the body; path, where the request goes, in its plain spelling.
    """
    # Readers in Go do not tell letters apart (https://pkg.go.dev/encoding/json#Unmarshal).
    noted = [(name, spelled) for name in body if (spelled := name.lower()) in _OF_NOTE and body[name] is not None]
    configs = [config for name in _GENERATION_CONFIGS if isinstance(config := body.get(name), Mapping)]
    fields = limit_fields(path)
    stated = [body[name] for name, spelled in noted if spelled in fields]
    choices = [body[name] for name, spelled in noted if spelled in _CHOICES]
    for config in configs:
        stated += [config.get("maxOutputTokens"), config.get("max_output_tokens")]
        choices += [config.get("candidateCount"), config.get("candidate_count")]
    messages = next((one for name in _MESSAGES if isinstance(one := body.get(name), list)), ())
    tools = body.get("tools")
    return Asks(
        messages=max(1, len(messages)),
        tools=len(tools) if isinstance(tools, list) else 0,
        files=found.files,
        file_tokens=found.file_tokens,
        beside=found.beside,
        output=max(_counts(stated), default=None),
        limits=tuple(name for name, spelled in noted if spelled in ALL_LIMITS),
        choices=max(_counts(choices), default=1),
        generates=generates,
        later=body.get("background") is True,
        unbounded="It makes many answers later, and nobody can say how long." if is_batch(path) else "",
    )


def asks_of(request: GenerateRequest) -> Asks:
    """What a request in our own words asks for."""
    described = (len(tool.name) + len(tool.description) + len(orjson.dumps(tool.parameters)) for tool in request.tools)
    return Asks(
        messages=len(request.messages),
        tools=len(request.tools),
        files=sum(isinstance(part, Picture) for message in request.messages for part in message.parts),
        beside=sum(described),
        output=request.max_tokens,
    )


def _counts(values: Iterable[Any]) -> list[int]:
    """Those that some reader takes for a number of things: digits in quotes and `50.0` too. Rounded up."""
    return [found for value in values if value is not None and (found := _count(value)) > 0]


def _count(value: Any) -> int:
    try:
        number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else 0.0
    except (ValueError, OverflowError):
        return MOST_COUNTED if isinstance(value, int) else 0
    return min(ceil(number), MOST_COUNTED) if isfinite(number) else MOST_COUNTED * (number > 0)
