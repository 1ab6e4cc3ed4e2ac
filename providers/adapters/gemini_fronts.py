"""OpenAI's embeddings for Gemini.

Sources: https://ai.google.dev/api/embeddings and https://platform.openai.com/docs/api-reference/embeddings/create
"""

import base64
import struct
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import orjson

from providers.adapters.gemini_answer import usage
from providers.adapters.json_values import an_object, document, mapping, sequence
from providers.adapters.openai_media import JSON, WIRE, fields_of
from providers.adapters.translation import Said, Translated, Translation, in_json
from providers.asked import a_count
from providers.errors import BrokenAnswer, RequestNotPossible
from providers.sizes import text_size
from providers.types import Endpoint, NativeRequest

_BYTES_PER_TOKEN = 4  # for estimates only, as everywhere in the gateway


def embeddings(endpoint: Endpoint, request: NativeRequest) -> Translated:
    """POST /embeddings: all texts in one batch."""
    asked = fields_of(request, "input", "dimensions", "encoding_format")
    texts = _texts(asked.get("input"))
    encoding = asked.get("encoding_format") or "float"
    if encoding not in ("float", "base64"):
        raise RequestNotPossible("`encoding_format` must be `float` or `base64`.")
    size = a_count("dimensions", asked.get("dimensions"))
    model = (request.model or "").removeprefix("models/")
    wish = {} if size is None else {"outputDimensionality": size}
    content = [{"model": f"models/{model}", "content": {"parts": [{"text": text}]}, **wish} for text in texts]
    version = quote(str(endpoint.config.get("api_version") or "v1beta"), safe="")
    path = f"/{version}/models/{quote(model, safe='')}:batchEmbedContents"

    def answer(body: bytes) -> Said:
        return _answer(body, model, texts, packed=encoding == "base64")

    return Translated(in_json("gemini", path, {"requests": content}), answer)


def _texts(given: Any) -> list[str]:
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) and text for text in texts):
        raise RequestNotPossible("`input` must be a text or a list of texts; this provider takes no tokens.")
    return texts


def _answer(body: bytes, model: str, texts: list[str], *, packed: bool) -> Said:
    said = document(body)
    if said.get("error"):
        raise BrokenAnswer("an error inside a successful answer")
    found = [_values(an_object(one)) for one in sequence(said.get("embeddings"))]
    if len(found) != len(texts):
        raise BrokenAnswer("not one embedding for each text")
    data = [
        {"object": "embedding", "index": place, "embedding": _packed(values) if packed else values}
        for place, values in enumerate(found)
    ]
    return orjson.dumps({"object": "list", "data": data, "model": model, "usage": _used(said, texts)}), JSON


def _values(embedding: Mapping[str, Any]) -> list[float]:
    values = sequence(embedding.get("values"))
    if not values or not all(type(value) in (int, float) for value in values):
        raise BrokenAnswer("an embedding that is no list of numbers")
    return values


def _packed(values: list[float]) -> str:
    """In base64, each number in four bytes with the lowest first: what OpenAI's clients ask for by themselves."""
    try:
        return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()
    except (OverflowError, struct.error) as error:
        raise BrokenAnswer("a number too large for an embedding") from error


def _used(said: Mapping[str, Any], texts: list[str]) -> dict[str, Any]:
    reported = usage(mapping(said.get("usageMetadata")))
    if reported is not None:
        return {"prompt_tokens": reported.input, "total_tokens": reported.input + reported.output}
    _, size = text_size(texts)
    tokens = -(-size // _BYTES_PER_TOKEN)
    return {"prompt_tokens": tokens, "total_tokens": tokens, "estimated": True}


FRONTS: Mapping[tuple[str, str], Translation] = {(WIRE, "/embeddings"): embeddings}
