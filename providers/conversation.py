"""What a caller wants said, in no vendor's words: the middle between every wire format that comes in and goes out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class Text:
    """Words, as part of a message."""

    text: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture, as part of a message: either `data` in base64 with its media type, or the `url` that it is at."""

    media_type: str = ""
    data: str = field(default="", repr=False)
    url: str = ""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """What a model wants a tool to do. `arguments` is JSON, as the model wrote it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool had to say to a call."""

    call_id: str
    text: str
    failed: bool = False


Part = Text | Picture | ToolCall | ToolResult


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation. Most are plain text, and then `content` is that text."""

    role: Role
    content: str | tuple[Part, ...]

    @property
    def parts(self) -> tuple[Part, ...]:
        """The content as parts, plain text too."""
        if isinstance(self.content, str):
            return (Text(self.content),) if self.content else ()
        return self.content

    @property
    def text(self) -> str:
        """All words of it, what tools said and were asked included."""
        if isinstance(self.content, str):
            return self.content
        return "".join(_words(part) for part in self.content)


def _words(part: Part) -> str:
    match part:
        case Text() | ToolResult():
            return part.text
        case ToolCall():
            return part.arguments
        case _:
            return ""


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may ask for. `parameters` is a JSON schema."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """Whether the model must use a tool; with mode `tool`, which."""

    mode: Literal["auto", "none", "required", "tool"]
    name: str = ""


@dataclass(frozen=True, slots=True)
class JsonOutput:
    """The answer must be JSON, of this schema if there is one."""

    schema: Mapping[str, Any] | None = None
    name: str = "answer"


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """What a caller wants generated, in no vendor's words.

    model is empty where the provider's default is wanted. max_tokens limits the answer; None leaves it to the
    provider's default_max_tokens. Whatever else is None or empty is left to the vendor; what is set and a vendor has no
    word for is refused by its adapter, never dropped. target_language is a language's code, such as `am`.
    """

    messages: tuple[Message, ...]
    model: str = ""
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    json_output: JsonOutput | None = None
    reasoning_effort: str = ""
    target_language: str = ""
    stream: bool = False

    @property
    def prompt_bytes(self) -> int:
        """The size of all text that would be sent, in UTF-8 bytes."""
        return sum(len(message.text.encode()) for message in self.messages)

    @property
    def prompt_chars(self) -> int:
        """The size of all text that would be sent, in characters."""
        return sum(len(message.text) for message in self.messages)

    @property
    def instructions(self) -> str:
        """What the system messages say, and the language that is wanted, for vendors that take these apart."""
        said = [message.text for message in self.messages if message.role == "system"]
        return "\n\n".join([*said, self.language_instruction] if self.target_language else said)

    @property
    def language_instruction(self) -> str:
        """The wish for a language, for vendors that have no field for it; empty where there is none."""
        if not self.target_language:
            return ""
        return f"Answer in {LANGUAGES.get(self.target_language, self.target_language)}."


# ISO 639-1 codes and what they are called in English: those that Addis AI answers in.
LANGUAGES = {"am": "Amharic", "om": "Afaan Oromo", "ti": "Tigrinya", "en": "English"}
