"""The values that providers work with. Nothing here imports Django or knows a vendor."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """What a caller wants generated, in no vendor's words.

    model is empty where the provider's default is wanted. max_tokens limits the answer; None leaves it to the
    provider's default_max_tokens. temperature None leaves it to the vendor.
    """

    messages: tuple[Message, ...]
    provider: str = ""
    model: str = ""
    max_tokens: int | None = None
    temperature: float | None = None
    stream: bool = False
    metadata: Mapping[str, Any] | None = None

    @property
    def prompt_bytes(self) -> int:
        """The size of all text that would be sent, in UTF-8 bytes."""
        return sum(len(message.content.encode()) for message in self.messages)


@dataclass(frozen=True, slots=True)
class Usage:
    """What a vendor reported, in tokens. `input` includes cached ones, `output` reasoning."""

    input: int
    output: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of an answer, whole answers included. `end`: nothing of the answer comes after it."""

    text: str = ""
    finish_reason: str | None = None
    usage: Usage | None = None
    model: str = ""
    end: bool = False


@dataclass(frozen=True, slots=True)
class Timeouts:
    """All in seconds; None means no limit.

    connect: name look-up, TCP and TLS. first_byte: from the connection to the answer's head. gap: between two reads
    of its body. total: the whole.
    """

    connect: float = 10.0
    first_byte: float | None = 120.0
    gap: float | None = 120.0
    total: float | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Everything that an adapter needs to know of a provider. Its key is in no repr, so in no log."""

    name: str
    type: str
    base_url: str = ""
    key: str = field(default="", repr=False)
    default_model: str = ""
    models: tuple[str, ...] = ()
    default_max_tokens: int = 4096
    max_prompt_chars: int = 400_000
    needs_key: bool = False
    needs_model: bool = False
    enabled: bool = True
    is_default: bool = False
    allow_private_network: bool = False
    timeouts: Timeouts = Timeouts()
    config: Mapping[str, Any] = field(default_factory=dict)
    description: str = ""

    @property
    def key_hint(self) -> str:
        """The last four characters of the key, which may be shown."""
        return self.key[-4:] if len(self.key) >= 12 else ""
