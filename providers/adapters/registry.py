"""The table of provider types: one line each. The admin's choices come from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module

from providers.adapters.contract import Adapter


@dataclass(frozen=True, slots=True)
class ProviderType:
    """label: what the admin shows. adapter: dotted path of the class, imported when it is first needed.

    base_url: the vendor's address, used where the provider names none. needs_key, needs_model: what it cannot do
    without. config: what its settings may hold, and of which type. wire: the name of the wire format that it speaks,
    for fronts that speak it too; and of the shape that its clients expect errors in. makes_text: whether it can be
    asked to generate text.
    """

    label: str
    adapter: str
    base_url: str = ""
    needs_key: bool = True
    needs_model: bool = True
    config: Mapping[str, type[str] | type[int] | type[list[str]]] = field(default_factory=dict)
    wire: str = ""
    makes_text: bool = True


TYPES: dict[str, ProviderType] = {
    "openai": ProviderType(
        "OpenAI and compatible",
        "providers.adapters.openai.OpenAIAdapter",
        "https://api.openai.com/v1",
        config={"max_tokens_field": str},
        wire="openai",
    ),
    "anthropic": ProviderType(
        "Anthropic", "providers.adapters.anthropic.AnthropicAdapter", "https://api.anthropic.com", wire="anthropic"
    ),
    "elevenlabs": ProviderType(
        "ElevenLabs",
        "providers.adapters.elevenlabs.ElevenLabsAdapter",
        "https://api.elevenlabs.io",
        needs_model=False,
        wire="elevenlabs",
        makes_text=False,
    ),
    "fal": ProviderType(
        "fal.ai",
        "providers.adapters.fal.FalAdapter",
        needs_model=False,
        config={"allowed_endpoints": list, "allowed_targets": list},
        wire="fal",
        makes_text=False,
    ),
    "addis": ProviderType(
        "Addis AI",
        "providers.adapters.addis.AddisAdapter",
        "https://api.addisassistant.com",
        needs_model=False,
        config={"target_language": str},
        wire="addis",
    ),
    "gemini": ProviderType(
        "Google Gemini",
        "providers.adapters.gemini.GeminiAdapter",
        "https://generativelanguage.googleapis.com",
        config={"api_version": str},
        wire="gemini",
    ),
    "echo": ProviderType(
        "Echo (built in)",
        "providers.adapters.echo.EchoAdapter",
        needs_key=False,
        needs_model=False,
        config={"delay_ms": int},
    ),
}


@cache
def adapter_for(type_name: str) -> Adapter:
    """The adapter of a provider type. Raises KeyError for a type that is not in the table."""
    module, _, name = TYPES[type_name].adapter.rpartition(".")
    adapter: Adapter = getattr(import_module(module), name)()
    return adapter
