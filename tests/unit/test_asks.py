"""What a request asks for at most, however it says so."""

import json
from typing import Any

import pytest

from providers.asks import asks_of_body
from providers.bounds import bound, likely_input
from providers.sizes import extent
from providers.types import ByName, Endpoint, Wanted

CHAT, RESPONSES, GEMINI = "/v1/chat/completions", "/responses", "/v1beta/models/m:generateContent"


@pytest.mark.parametrize(
    ("path", "body", "output", "choices"),
    [
        (CHAT, {}, None, 1),
        (CHAT, {"max_tokens": 5, "max_completion_tokens": 7, "n": 2}, 7, 2),
        (CHAT, {"max_output_tokens": 5}, None, 1),
        (CHAT, {"max_tokens": 5, "Max_Tokens": 9, "N": 3}, 9, 3),
        (CHAT, {"max_tokens": 5.5, "n": "3"}, 6, 3),
        (CHAT, {"max_tokens": " 50000 ", "n": 1e300}, 50_000, 10**12),
        (CHAT, {"max_tokens": None, "n": None}, None, 1),
        (CHAT, {"max_tokens": True, "n": "many"}, None, 1),
        (CHAT, {"max_tokens": float("nan"), "n": float("inf")}, None, 10**12),
        (CHAT, {"max_tokens": 10**400}, 10**12, 1),
        (RESPONSES, {"max_tokens": 5, "max_output_tokens": 6}, 6, 1),
        (RESPONSES, {"max_tokens": 5}, None, 1),
        ("/v1/messages", {"max_tokens": 5, "max_output_tokens": 6}, 5, 1),
        ("/generate", {"max_tokens": 5, "max_output_tokens": 6}, 6, 1),
        (GEMINI, {"generationConfig": {"maxOutputTokens": 5}, "generation_config": {"max_output_tokens": 9}}, 9, 1),
        (GEMINI, {"generation_config": {"candidate_count": "4"}}, None, 4),
    ],
)
def test_the_output(path: str, body: dict[str, Any], output: int | None, choices: int) -> None:
    asks = asks_of_body(body, extent(body), path)
    assert (asks.output, asks.choices) == (output, choices)


def _wanted(body: dict[str, Any], path: str = CHAT) -> Wanted:
    found = extent(body)
    return Wanted(ByName(), False, found.chars, found.size, asks=asks_of_body(body, found, path))


def most(body: dict[str, Any], kind: str = "openai") -> int:
    return bound(Endpoint("p", kind), "m", _wanted(body), None).input


def said(*parts: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": list(parts)}], "temperature": 0.5, "seed": 123456}


def test_plain_words_are_their_bytes_and_what_is_round_a_message() -> None:
    turns = [{"role": "user", "content": "four"}, {"role": "assistant", "content": "ሰላም"}]
    body = {"model": "m", "messages": turns, "max_tokens": 9, "stream": True, "metadata": {"a": 123}}
    assert most(body) == 4 + 9 + 2 * 16
    assert likely_input(Endpoint("p", "openai"), "m", _wanted(body)) == 4


DATA = "iVBORw0KGgoA" * 1000
FILES = {
    "address": {"type": "image_url", "image_url": {"url": "https://e.example/a.png"}},
    "data": {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{DATA}"}},
    "input": {"type": "input_image", "image_url": f"data:image/png;base64,{DATA}"},
    "without its type": {"image_url": {"url": "https://e.example/a.png"}},
    "anthropic": {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": DATA}},
    "by its id": {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
    "gemini": {"inlineData": {"mimeType": "image/png", "data": DATA}},
    "gemini, otherwise": {"file_data": {"file_uri": "https://e.example/a"}},
}


@pytest.mark.parametrize("part", FILES.values(), ids=FILES)
def test_a_picture_is_one_however_it_is_said(part: dict[str, Any]) -> None:
    counted = most(said(*[part] * 3)) - most(said())
    assert 3 * 4000 <= counted < 3 * 4000 + 200


def test_documents_and_sounds_are_counted_by_their_size() -> None:
    document = {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{DATA}"}}
    sound = {"type": "input_audio", "input_audio": {"data": DATA, "format": "wav"}}
    assert most(said(document)) >= len(DATA) // 4 + 4000
    assert len(DATA) // 40 + 4000 <= most(said(sound)) < len(DATA) // 4 + 4000
    inside = {"type": "document", "source": {"type": "content", "content": [FILES["anthropic"]] * 5}}
    assert most(said(inside)) > 5 * 4000


@pytest.mark.parametrize(
    "part",
    [
        {"type": "tool_use", "input": {"x": [1234567] * 100}},
        {"type": "tool_use", "input": {"a" * 300: 1, "b" * 300: None}},
        {"functionCall": {"name": "f", "args": {f"{number}": True for number in range(100)}}},
        {"a field of nobody's that is a text": "", "another " * 70: []},
        {"type": "redacted_thinking", "data": DATA},
        {"numbers": [0.12345678901] * 50},
    ],
)
def test_what_is_no_text_is_at_least_its_json(part: dict[str, Any]) -> None:
    inner = next((value for value in part.values() if isinstance(value, dict | list)), part)
    assert most(said(part)) - most(said()) >= 0.75 * len(json.dumps(inner, separators=(",", ":")))


def test_tokens_by_their_numbers() -> None:
    for tokens in ([5] * 800, [[123456] * 400] * 2):
        body = {"model": "m", "input": tokens}
        assert bound(Endpoint("p", "openai"), "m", _wanted(body, "/embeddings"), None).input - 16 * len(tokens) == 800


def test_tools_are_read_whole() -> None:
    schema = {"type": "object", "properties": {f"p{number}": {"type": "string"} for number in range(500)}}
    tools = [{"type": "function", "function": {"name": "f", "parameters": schema}}]
    assert most({**said(), "tools": tools}) - most(said()) >= len(json.dumps(schema, separators=(",", ":")))
