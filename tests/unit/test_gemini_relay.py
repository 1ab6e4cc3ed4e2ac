"""Requests in Gemini's own wire format: what reaches the vendor, and what is read along of its answers."""

import asyncio
from typing import Any

import pytest

from providers.adapters.headers import without_credentials
from providers.adapters.meters import summary
from providers.adapters.registry import TYPES, adapter_for
from providers.errors import BrokenAnswer, StatusError, Truncated, UpstreamError
from providers.types import Chunk, NativeRequest, Usage
from tests.unit.gemini_vendor import ADAPTER, BASE, ENDPOINT, OVERLOADED, answer, as_bytes, call, sse, vendor

BODY = b'{"contents": [],\n "generationConfig": {}}'
USED = {"promptTokenCount": 5, "candidatesTokenCount": 3}
NO_KEY = {
    "error": {
        "code": 400,
        "message": "API key not valid. Please pass a valid API key.",
        "status": "INVALID_ARGUMENT",
        "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}],
    }
}


def native(path: str, query: str = "", method: str = "POST", **headers: str) -> NativeRequest:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return NativeRequest("gemini", method, path, query, named, BODY if method == "POST" else b"")


def relayed(
    path: str, content: Any, kind: str = "application/json; charset=UTF-8", status: int = 200, method: str = "POST"
) -> tuple[bytes, Chunk]:
    """What a caller gets of a relayed answer, and what was learned from it."""
    send = vendor(content, kind, status)

    async def read() -> list[Chunk]:
        async with ADAPTER.relay(ENDPOINT, native(path, method=method), send) as opened:
            return [chunk async for chunk in opened.chunks]

    chunks = asyncio.run(read())
    return b"".join(chunk.raw for chunk in chunks), summary(chunks)


def test_what_reaches_the_vendor() -> None:
    request = ADAPTER.build_native(
        ENDPOINT,
        native(
            "/v1beta/models/gemini-2.5-flash:streamGenerateContent",
            "%24alt=s%73e&key=gateway-token&x=&alt=sse",
            x_goog_api_key="gateway-token",
            authorization="Bearer gateway-token",
            x_goog_api_client="genai/1",
            content_type="application/json",
        ),
    )
    assert str(request.url) == f"{BASE}/v1beta/models/gemini-2.5-flash:streamGenerateContent?%24alt=s%73e&x=&alt=sse"
    assert request.content == BODY
    assert request.headers["x-goog-api-client"] == "genai/1"
    assert request.headers.get_list("x-goog-api-key") == ["AIza-canary"]
    assert "gateway-token" not in str(request.headers) + str(request.url)


@pytest.mark.parametrize(
    ("query", "passes"),
    [
        ("", ""),
        ("key=s", ""),
        ("KEY=s&alt=sse", "alt=sse"),
        ("a=1&k%65y=s&b=%2f&access_token=s&c", "a=1&b=%2f&c"),
        ("api_key=s&api-key=s&apikey=s", ""),
        ("keys=1&page_token=2&&monkey=", "keys=1&page_token=2&&monkey="),
    ],
)
def test_no_credential_in_a_query_passes(query: str, passes: str) -> None:
    assert without_credentials(query) == passes


@pytest.mark.parametrize(
    ("request_", "model"),
    [
        (native("/v1beta/models/gemini-2.5-flash:generateContent"), "gemini-2.5-flash"),
        (native("/v1beta/models/gemini%2D2.5-flash%3AgenerateContent"), "gemini-2.5-flash"),
        (native("/v1beta/models/gemini-2.5-flash", method="GET"), "gemini-2.5-flash"),
        (native("/v1beta/models", method="GET"), ""),
        (NativeRequest("", "POST", "/v1beta/openai/chat/completions", body=b'{"model": "gemini-3"}'), "gemini-3"),
    ],
)
def test_the_model_stands_in_the_path(request_: NativeRequest, model: str) -> None:
    assert ADAPTER.named_model(request_) == model


EVENTS = sse(answer({"text": "Hi"}, reason=None), answer(call("now")), {"usageMetadata": USED})
ARRAY = [answer({"text": "Hi"}, reason=None, usageMetadata={"promptTokenCount": 5}), answer(usageMetadata=USED)]


@pytest.mark.parametrize(
    ("verb", "content", "kind", "used"),
    [
        (":generateContent", answer({"text": "Hi"}, usageMetadata=USED), "application/json", Usage(5, 3)),
        ("%3AgenerateContent", answer({"text": "Hi"}, usageMetadata=USED), "application/json", Usage(5, 3)),
        (":generateContent", answer({"text": "Hi"}), "application/json", None),
        (":generateContent", answer(reason="MALFORMED_FUNCTION_CALL", usageMetadata=USED), "text/json", Usage(5, 3)),
        (":streamGenerateContent", EVENTS, "text/event-stream", Usage(5, 3)),
        (":streamGenerateContent", ARRAY, "application/json", Usage(5, 3)),
        (":countTokens", {"totalTokens": 31}, "application/json", Usage()),
        (":embedContent", {"embedding": {"values": [0.1]}}, "application/json", None),
        (":embedContent", {"embedding": {}, "usageMetadata": {"promptTokenCount": 9}}, "text/json", Usage(9, 0)),
        (":batchEmbedContents", {"embeddings": []}, "application/json", None),
        ("", {"name": "a-file"}, "application/json", None),
    ],
)
def test_what_a_relayed_answer_used(verb: str, content: Any, kind: str, used: Usage | None) -> None:
    """An answer passes byte for byte. Where it does not say what it used, nothing is claimed: that is estimated."""
    passed, learned = relayed(f"/v1beta/models/gemini-2.5-flash{verb}", content, kind)
    assert passed == as_bytes(content)
    assert (learned.usage, learned.flaw, learned.end) == (used, None, True)


def test_openai_s_dialect_is_counted_too() -> None:
    said = {"choices": [{"message": {"content": "Hi"}}], "usage": {"prompt_tokens": 5, "completion_tokens": 3}}
    assert relayed("/v1beta/openai/chat/completions", said)[1].usage == Usage(5, 3)


def test_a_list_costs_nothing() -> None:
    assert relayed("/v1beta/models", {"models": []}, method="GET")[1].usage == Usage()


@pytest.mark.parametrize(
    ("content", "kind", "flaw"),
    [
        (sse(answer({"text": "Hi"}, reason=None)), "text/event-stream", Truncated),
        (sse(answer({"text": "Hi"}, reason=None), OVERLOADED), "text/event-stream", BrokenAnswer),
        ([answer({"text": "Hi"}, reason=None), OVERLOADED], "application/json", BrokenAnswer),
        ([answer({"text": "Hi"}, reason=None)], "application/json", Truncated),
        (b'[{"candidates": [', "application/json", BrokenAnswer),
    ],
)
def test_a_relayed_answer_that_is_not_whole_passes_and_is_known(
    content: Any, kind: str, flaw: type[UpstreamError]
) -> None:
    passed, learned = relayed("/v1beta/models/gemini-2.5-flash:streamGenerateContent", content, kind)
    assert passed == as_bytes(content)
    assert type(learned.flaw) is flaw


@pytest.mark.parametrize("content", [NO_KEY, [NO_KEY]])
def test_a_refusal_of_the_key_does_not_pass(content: Any) -> None:
    with pytest.raises(StatusError) as raised:
        relayed("/v1beta/models/gemini-2.5-flash:generateContent", content, status=400)
    assert raised.value.status == 401


@pytest.mark.parametrize("content", [OVERLOADED, b"<html>", b'{"error": 7}', b'{"error": {"details": [7]}}', b"[]"])
def test_any_other_refusal_passes(content: Any) -> None:
    passed, learned = relayed("/v1beta/models/gemini-2.5-flash:generateContent", content, status=400)
    assert passed == as_bytes(content)
    assert isinstance(learned.flaw, StatusError)


def test_the_type_is_in_the_table() -> None:
    kind = TYPES["gemini"]
    assert (kind.base_url, kind.wire, kind.config) == (BASE, "gemini", {"api_version": str})
    assert isinstance(adapter_for("gemini"), type(ADAPTER))
