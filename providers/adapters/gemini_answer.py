"""What Gemini's generateContent answers, whole and in events.

Sources: https://ai.google.dev/api/generate-content (GenerateContentResponse, FinishReason, UsageMetadata),
https://ai.google.dev/gemini-api/docs/troubleshooting (errors).
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from uuid import uuid4

import orjson

from providers.adapters.json_values import an_object, count, mapping, sequence, text
from providers.adapters.meters import summary
from providers.errors import BrokenAnswer, Truncated
from providers.sse import Event
from providers.types import Chunk, ToolCallPiece, Usage

_FILTERED = frozenset(
    {
        "SAFETY",
        "RECITATION",
        "LANGUAGE",
        "BLOCKLIST",
        "PROHIBITED_CONTENT",
        "SPII",
        "MODEL_ARMOR",
        "IMAGE_SAFETY",
        "IMAGE_PROHIBITED_CONTENT",
        "IMAGE_RECITATION",
    }
)
# The model failed: what it wrote was no answer, and was thrown away.
_FAILED = frozenset(
    {
        "MALFORMED_FUNCTION_CALL",
        "UNEXPECTED_TOOL_CALL",
        "TOO_MANY_TOOL_CALLS",
        "MISSING_THOUGHT_SIGNATURE",
        "MALFORMED_RESPONSE",
    }
)


class Reading:
    """Reads the pieces of one answer in their order. One for each answer: it counts the calls of tools.

    Raises BrokenAnswer for what is not in the format, for an error inside a success and, unless `relayed`, for an
    answer that the model failed to write; a caller who knows the format sees that without us.
    """

    def __init__(self, *, relayed: bool = False) -> None:
        self._relayed = relayed
        self._calls = 0

    def event(self, event: Event) -> Iterator[Chunk]:
        """What an event of a stream says. None is the last: an answer ends where its stream does."""
        return self.pieces(event.data)

    def whole(self, body: bytes) -> Chunk:
        """The answer in a whole body. With `flaw` if the model failed to write it and used tokens all the same."""
        said: list[Chunk] = []
        try:
            said.extend(self.pieces(body))
        except BrokenAnswer as flaw:
            if (used := summary(said)).usage is None:
                raise
            return replace(used, end=True, flaw=flaw)
        chunk = summary(said)
        if chunk.finish_reason is None and not (chunk.text or chunk.reasoning or chunk.tool_calls):
            raise BrokenAnswer("an answer without candidates")
        return replace(chunk, end=True)

    def document(self, body: bytes) -> Chunk:
        """What a whole body says that is relayed, a stream that comes as one array too. With `flaw` if it is cut."""
        chunk = summary(self.pieces(body))
        return replace(chunk, flaw=None if chunk.finish_reason else Truncated("an answer without a finishReason"))

    def pieces(self, data: bytes) -> Iterator[Chunk]:
        """What a document says: an answer, a part of one, or an array of such."""
        for answer in _documents(data):
            if answer.get("error"):
                raise BrokenAnswer("an error inside a successful answer")
            yield from self._piece(answer)

    def _piece(self, answer: Mapping[str, Any]) -> Iterator[Chunk]:
        candidate = an_object(next(iter(sequence(answer.get("candidates"))), {}))
        parts = [an_object(part) for part in sequence(mapping(candidate.get("content")).get("parts"))]
        chunk = Chunk(
            text="".join(text(part.get("text")) for part in parts if part.get("thought") is not True),
            reasoning="".join(text(part.get("text")) for part in parts if part.get("thought") is True),
            tool_calls=tuple(self._call(an_object(part["functionCall"])) for part in parts if part.get("functionCall")),
            usage=usage(answer.get("usageMetadata")),
            model=text(answer.get("modelVersion")),
        )
        reason = text(candidate.get("finishReason"))
        if reason in _FAILED and not self._relayed:
            yield chunk  # what was used until then has been used
            raise BrokenAnswer("the model failed to write an answer")
        blocked = not candidate and mapping(answer.get("promptFeedback")).get("blockReason")
        yield replace(chunk, finish_reason="content_filter" if blocked else self._finish(reason))

    def _finish(self, reason: str) -> str | None:
        if not reason:
            return None
        if reason == "MAX_TOKENS":
            return "length"
        if reason in _FILTERED:
            return "content_filter"
        return "tool_calls" if self._calls else "stop"

    def _call(self, call: Mapping[str, Any]) -> ToolCallPiece:
        """A call of a tool, which always comes whole. Older models give it no id, and every caller needs one."""
        index, self._calls = self._calls, self._calls + 1
        return ToolCallPiece(
            index,
            text(call.get("id")) or f"call_{uuid4().hex}",
            text(call.get("name")),
            orjson.dumps(mapping(call.get("args"))).decode(),
        )


def usage(reported: Any) -> Usage | None:
    """A usageMetadata; None where there is none. Its prompt includes cached tokens, its candidates no thoughts."""
    prompt = count(reported, "promptTokenCount")
    candidates = count(reported, "candidatesTokenCount")
    thoughts = count(reported, "thoughtsTokenCount")
    if prompt is None and candidates is None and thoughts is None:
        return None
    return Usage(
        (prompt or 0) + (count(reported, "toolUsePromptTokenCount") or 0),
        (candidates or 0) + (thoughts or 0),
        cached=count(reported, "cachedContentTokenCount") or 0,
        reasoning=thoughts or 0,
    )


def embedding(body: bytes) -> Chunk:
    """What embeddings used. Not every model says; then the use is estimated."""
    return summary(Chunk(usage=usage(answer.get("usageMetadata"))) for answer in _documents(body))


def refuses_key(body: bytes) -> bool:
    """Whether an error is about the key (https://cloud.google.com/apis/design/errors, google.api.ErrorReason)."""
    try:
        errors = [mapping(answer.get("error")) for answer in _documents(body)]
        reasons = [mapping(detail).get("reason") for error in errors for detail in sequence(error.get("details"))]
    except BrokenAnswer:
        return False
    return any(str(reason).startswith(("API_KEY_", "CREDENTIALS_", "CONSUMER_")) for reason in reasons)


def _documents(data: bytes) -> list[Mapping[str, Any]]:
    """The objects of a document that is one, or an array of them, as streams without events and some errors are."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise BrokenAnswer("not JSON") from error
    return [an_object(item) for item in (value if isinstance(value, list) else [value])]
