"""OpenAI's pictures in fal's words and its embeddings in Gemini's, as tables."""

import base64
import json
import struct
from typing import Any

import pytest

from providers.adapters.base import HttpAdapter
from providers.adapters.fal import FalAdapter
from providers.adapters.gemini import GeminiAdapter
from providers.adapters.translation import Translated
from providers.errors import BrokenAnswer, RequestNotPossible
from providers.types import Endpoint, NativeRequest

ADAPTERS: dict[str, HttpAdapter] = {"fal": FalAdapter(), "gemini": GeminiAdapter()}
PATHS = {"fal": "/images/generations", "gemini": "/embeddings"}
MODELS = {"fal": "fal-ai/flux/dev", "gemini": "gemini-embedding-001"}
FIELDS: dict[str, dict[str, Any]] = {"fal": {"prompt": "a cat"}, "gemini": {"input": "a"}}


def endpoint_of(vendor: str, **config: Any) -> Endpoint:
    return Endpoint(name="other", type=vendor, base_url="https://api.example.com", key="canary", config=config)


def translated(vendor: str, fields: dict[str, Any], model: str | None = None, **config: Any) -> Translated:
    body = json.dumps({"model": "other/m-1", **FIELDS[vendor], **fields}).encode()
    headers = {"content-type": "application/json"}
    named = MODELS[vendor] if model is None else model
    request = NativeRequest("openai", "POST", PATHS[vendor], headers=headers, body=body, model=named)
    assert ADAPTERS[vendor].translates(request)
    return ADAPTERS[vendor].translations["openai", PATHS[vendor]](endpoint_of(vendor, **config), request)


def answered(said: Translated, answer: Any) -> dict[str, Any]:
    assert said.answer is not None
    body, kind = said.answer(answer if isinstance(answer, bytes) else json.dumps(answer).encode())
    assert kind == "application/json"
    content: dict[str, Any] = json.loads(body)
    return content


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {}),
        ({"n": 3, "size": "1024x768"}, {"num_images": 3, "image_size": {"width": 1024, "height": 768}}),
        ({"size": "auto", "response_format": "url", "n": None}, {}),
        ({"quality": "auto", "background": "auto", "moderation": "auto", "stream": False, "user": "u1"}, {}),
    ],
)
def test_pictures_at_fal(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    request = ADAPTERS["fal"].build_native(endpoint_of("fal"), translated("fal", fields).request)
    assert str(request.url) == "https://api.example.com/fal-ai/flux/dev"
    assert request.headers["authorization"] == "Key canary"
    assert json.loads(request.content) == {"prompt": "a cat", **expected}


def test_pictures_without_a_base_url() -> None:
    said = translated("fal", {}, "workflows/me/two.5-x_y")
    request = ADAPTERS["fal"].build_native(Endpoint(name="other", type="fal", key="canary"), said.request)
    assert str(request.url) == "https://fal.run/workflows/me/two.5-x_y"


def test_pictures_of_a_model_that_is_not_allowed() -> None:
    endpoint = endpoint_of("fal", allowed_endpoints=["fal-ai/fast-*"])
    with pytest.raises(RequestNotPossible, match="does not permit that model"):
        ADAPTERS["fal"].build_native(endpoint, translated("fal", {}).request)
    ADAPTERS["fal"].build_native(endpoint, translated("fal", {}, "fal-ai/fast-sdxl").request)


def test_what_fal_made() -> None:
    picture = {"url": "https://v3.fal.media/1.png", "width": 512}
    made = answered(translated("fal", {}), {"images": [picture, {**picture, "url": "https://v3.fal.media/2.png"}]})
    assert isinstance(made.pop("created"), int)
    assert made == {"data": [{"url": "https://v3.fal.media/1.png"}, {"url": "https://v3.fal.media/2.png"}]}


@pytest.mark.parametrize(
    "answer", [b"", b"[]", b"{}", b'{"images":[]}', b'{"images":[1]}', b'{"images":[{}]}', b'{"video":{"url":"x"}}']
)
def test_what_are_no_pictures(answer: bytes) -> None:
    with pytest.raises(BrokenAnswer):
        answered(translated("fal", {}), answer)


@pytest.mark.parametrize(
    "model",
    [
        *("", "flux", "/flux", "fal-ai/", "fal-ai//flux", "fal-ai/../x", "./x", "a/.", "a/b?c=d", "a/b#c", "a/%2e%2e"),
        *("a@evil.example/b", "a:1/b", "a/b\n", "a/ b", "ሀ/ለ", "a\\b/c"),
    ],
)
def test_models_that_fal_cannot_have(model: str) -> None:
    with pytest.raises(RequestNotPossible, match=r"`model` must name one of fal's, such as `other/fal-ai/flux/dev`"):
        translated("fal", {}, model)


def test_a_model_is_never_a_host() -> None:
    said = translated("fal", {}, "queue.fal.run/fal-ai/flux")
    request = ADAPTERS["fal"].build_native(Endpoint(name="other", type="fal", key="canary"), said.request)
    assert str(request.url) == "https://fal.run/queue.fal.run/fal-ai/flux"


@pytest.mark.parametrize(
    ("config", "fields", "version", "wish"),
    [
        ({}, {}, "v1beta", {}),
        ({"api_version": "v1"}, {"dimensions": 256, "user": "u1"}, "v1", {"outputDimensionality": 256}),
    ],
)
@pytest.mark.parametrize(("given", "texts"), [("ሀ", ["ሀ"]), (["a", "b"], ["a", "b"])])
def test_embeddings_at_gemini(
    config: dict[str, str], fields: dict[str, Any], version: str, wish: dict[str, Any], given: Any, texts: list[str]
) -> None:
    said = translated("gemini", {"input": given, **fields}, **config)
    request = ADAPTERS["gemini"].build_native(endpoint_of("gemini"), said.request)
    place = f"https://api.example.com/{version}/models/gemini-embedding-001:batchEmbedContents"
    assert (str(request.url), request.headers["x-goog-api-key"]) == (place, "canary")
    each = {"model": "models/gemini-embedding-001", **wish}
    assert json.loads(request.content) == {
        "requests": [{**each, "content": {"parts": [{"text": text}]}} for text in texts]
    }


def test_a_model_with_signs_in_its_name() -> None:
    path = translated("gemini", {}, "models/a/b?c:d").request.path
    assert path == "/v1beta/models/a%2Fb%3Fc%3Ad:batchEmbedContents"


VALUES = [0.1, -2, 3.5]


@pytest.mark.parametrize(
    ("reported", "usage"),
    [
        ({}, {"prompt_tokens": 2, "total_tokens": 2, "estimated": True}),
        ({"usageMetadata": {"promptTokenCount": 5}}, {"prompt_tokens": 5, "total_tokens": 5}),
    ],
)
def test_what_gemini_answers(reported: dict[str, Any], usage: dict[str, Any]) -> None:
    answer = {"embeddings": [{"values": VALUES}, {"values": VALUES[:1]}], **reported}
    said = {"input": ["ሀሁ", "a"]}  # seven bytes
    assert answered(translated("gemini", said), answer) == {
        "object": "list",
        "data": [
            {"object": "embedding", "index": 0, "embedding": VALUES},
            {"object": "embedding", "index": 1, "embedding": VALUES[:1]},
        ],
        "model": "gemini-embedding-001",
        "usage": usage,
    }
    packed = answered(translated("gemini", {**said, "encoding_format": "base64"}), answer)["data"][0]["embedding"]
    assert struct.unpack("<3f", base64.b64decode(packed)) == pytest.approx(VALUES)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"[]",
        b"{}",
        b'{"error":{"code":503}}',
        b'{"embeddings":[]}',
        b'{"embeddings":[{"values":[]}]}',
        b'{"embeddings":[{"values":["1"]}]}',
        b'{"embeddings":[{"values":[true]}]}',
        b'{"embeddings":[{"values":[1e300]}]}',
        b'{"embeddings":[{"values":[1]},{"values":[1]}]}',
    ],
)
def test_what_are_no_embeddings(answer: bytes) -> None:
    with pytest.raises(BrokenAnswer):
        answered(translated("gemini", {"encoding_format": "base64"}), answer)


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("fal", {"prompt": None}, "`prompt`"),
    ("fal", {"response_format": "b64_json"}, "`response_format` must be `url`"),
    *(("fal", {"n": n}, "`n`") for n in (0, 1.5, "1", True)),
    *(("fal", {"size": size}, "`size`") for size in ("big", "0x1", "1x", "1024 x 1024", "1024X1024", "100000x1", 1)),
    ("fal", {"stream": True}, "`stream`"),
    *(
        ("fal", {name: value}, f"`{name}`")
        for name, value in {
            "quality": "high",
            "background": "transparent",
            "moderation": "low",
            "style": "vivid",
            "output_format": "webp",
            "output_compression": 50,
            "partial_images": 2,
            "seed": 1,
        }.items()
    ),
    *(("gemini", {"input": given}, "`input`") for given in (None, "", [], [1, 2], [[1]], ["a", ""], {"a": "b"}, 1)),
    *(("gemini", {"dimensions": size}, "`dimensions`") for size in (0, "256", 1.5)),
    *(("gemini", {"encoding_format": name}, "`encoding_format`") for name in ("int8", 1, ["float"])),
    ("gemini", {"task": "search"}, "`task`"),
]


@pytest.mark.parametrize(("vendor", "fields", "sentence"), REFUSED)
def test_what_is_refused(vendor: str, fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RequestNotPossible, match=sentence) as caught:
        translated(vendor, fields)
    assert caught.value.status == 400
