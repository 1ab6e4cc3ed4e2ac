"""OpenAI's pictures for fal.ai: a run of a model whose input has the fields that fal's models of pictures share.

Sources: https://docs.fal.ai/model-apis/model-endpoints/synchronous-requests and https://fal.ai/models/fal-ai/flux/dev/api
"""

import re
import time
from collections.abc import Mapping
from typing import Any

import orjson

from providers.adapters.json_values import an_object, document, sequence
from providers.adapters.openai_media import JSON, WIRE, fields_of
from providers.adapters.translation import Said, Translated, Translation, in_json
from providers.asked import a_count, a_string
from providers.errors import BrokenAnswer, RequestNotPossible
from providers.types import Endpoint, NativeRequest

_SIZE = re.compile(r"([1-9]\d{0,4})x([1-9]\d{0,4})")
_MODEL = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)+", re.ASCII)


def pictures(endpoint: Endpoint, request: NativeRequest) -> Translated:
    """POST /images/generations. The answer names the addresses that the pictures are at; nothing is fetched here."""
    asked = fields_of(request, "prompt", "n", "size", "response_format")
    if asked.get("response_format") not in (None, "url"):
        raise RequestNotPossible("`response_format` must be `url`: this provider gives addresses of pictures.")
    content: dict[str, Any] = {"prompt": a_string("prompt", asked.get("prompt"))}
    if (count := a_count("n", asked.get("n"))) is not None:
        content["num_images"] = count
    if (size := asked.get("size")) not in (None, "auto"):
        content["image_size"] = _size(a_string("size", size))
    return Translated(in_json("fal", f"/fal.run/{_model(endpoint, request)}", content), _answer)


def _model(endpoint: Endpoint, request: NativeRequest) -> str:
    """The model's id, which is a path at fal: no other address may come out of it."""
    model = request.model or ""
    if not _MODEL.fullmatch(model):
        raise RequestNotPossible(f"`model` must name one of fal's, such as `{endpoint.name}/fal-ai/flux/dev`.")
    return model


def _size(named: str) -> dict[str, int]:
    read = _SIZE.fullmatch(named)
    if not read:
        raise RequestNotPossible("`size` must be a width and a height, such as `1024x1024`, or `auto`.")
    return {"width": int(read[1]), "height": int(read[2])}


def _answer(body: bytes) -> Said:
    addresses = [an_object(picture).get("url") for picture in sequence(document(body).get("images"))]
    if not addresses or not all(isinstance(address, str) for address in addresses):
        raise BrokenAnswer("an answer without addresses of pictures")
    return orjson.dumps({"created": int(time.time()), "data": [{"url": address} for address in addresses]}), JSON


FRONTS: Mapping[tuple[str, str], Translation] = {(WIRE, "/images/generations"): pictures}
