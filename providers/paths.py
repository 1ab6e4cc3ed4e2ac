"""What a vendor's path is for, as far as a quota must know: what is free, what limits an answer, what makes many."""

import re

# They store, list, count, judge or stop, and write nothing.
# https://platform.openai.com/docs/api-reference, https://platform.claude.com/docs/en/api/overview,
# https://ai.google.dev/api; a version may stand before the name.
_FREE = re.compile(
    r"(?:/v\d\w*|/upload|/api)*/(?:files|uploads|moderations|vector_stores|conversations|containers|evals|fine_tuning"
    r"|tokenize|detokenize|corpora|cachedContents)(?:[/:].*)?"
    r"|.*/(?:count_tokens|input_tokens|cancel)|.*:(?:countTokens|countTextTokens|cancel)"
)
# Many requests at once, made later: their answers are fetched for nothing.
_BATCH = re.compile(r".*/batches|.*:(?:batchGenerateContent|asyncBatchEmbedContent)")
_LIMITS = (
    ("/chat/completions", ("max_completion_tokens", "max_tokens")),
    ("/responses", ("max_output_tokens",)),
    ("/completions", ("max_tokens",)),
    ("/messages", ("max_tokens",)),
)
ALL_LIMITS = ("max_completion_tokens", "max_tokens", "max_output_tokens")


def is_free(path: str) -> bool:
    """Whether a POST to that path, in its plain spelling, makes no model write anything."""
    return _FREE.fullmatch(path) is not None


def is_batch(path: str) -> bool:
    """Whether a POST to that path, in its plain spelling, asks for many answers that are made later."""
    return _BATCH.fullmatch(path) is not None


def limit_fields(path: str) -> tuple[str, ...]:
    """The fields of a body that limit the answer of that path, in tokens; all there are for a path that is not known.

    Gemini's are none of them: they stand in an object of their own.
    """
    return next((fields for ending, fields in _LIMITS if path.endswith(ending)), ALL_LIMITS)
