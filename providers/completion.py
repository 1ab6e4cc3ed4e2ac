"""A whole answer, put together from its pieces."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from providers.conversation import ToolCall
from providers.types import Chunk, ToolCallPiece


@dataclass(frozen=True, slots=True)
class Completion:
    """A whole answer."""

    text: str
    model: str
    provider: str
    finish_reason: str | None
    tool_calls: tuple[ToolCall, ...] = ()
    reasoning: str = ""


def completion(chunks: Sequence[Chunk], *, model: str, provider: str, finish_reason: str | None) -> Completion:
    """The answer that these chunks are."""
    return Completion(
        text="".join(chunk.text for chunk in chunks),
        model=model,
        provider=provider,
        finish_reason=finish_reason,
        tool_calls=tool_calls(piece for chunk in chunks for piece in chunk.tool_calls),
        reasoning="".join(chunk.reasoning for chunk in chunks),
    )


def tool_calls(pieces: Iterable[ToolCallPiece]) -> tuple[ToolCall, ...]:
    """Whole tool calls out of their pieces."""
    calls: dict[int, ToolCall] = {}
    for piece in pieces:
        known = calls.get(piece.index, ToolCall("", "", ""))
        calls[piece.index] = ToolCall(piece.id or known.id, piece.name or known.name, known.arguments + piece.arguments)
    return tuple(calls[index] for index in sorted(calls))
