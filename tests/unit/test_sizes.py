"""How much text a request of any wire format has: whatever a model may read, wherever it stands."""

from typing import Any

import pytest

from providers.sizes import text_size

WORDS = "Say hello to me!"
FILE = "iVBORw0KGgoA" * 50
CALL = {"id": "call_1", "type": "function", "function": {"name": "", "arguments": WORDS}}


@pytest.mark.parametrize(
    ("content", "chars"),
    [
        ("ሰላም", 3),
        ([{"role": "user", "content": "abc"}, {"role": "tool", "content": [{"type": "text", "text": "de"}]}], 5),
        (["ab", "c", ["d"]], 4),
        ([1, 2.5, True, None, {"text": None}], 0),
        ({"instructions": "a", "model": "p/m", "n": 1}, 1),
    ],
)
def test_the_size_of_the_text(content: Any, chars: int) -> None:
    assert text_size(content) == (chars, 9 if content == "ሰላም" else chars)


@pytest.mark.parametrize(
    "body",
    [
        {"tools": [{"type": "function", "function": {"description": WORDS}}]},
        {"tools": [{"function": {"parameters": {"properties": {"data": {"description": WORDS}}}}}]},
        {"tools": [{"input_schema": {"type": WORDS}}]},
        {"messages": [{"role": "assistant", "content": None, "tool_calls": [CALL]}]},
        {"messages": [{"role": "user", "content": "", "name": WORDS}]},
        {"messages": [{"role": "assistant", "refusal": WORDS}]},
        {"messages": [{"role": "user", "content": [{"type": "tool_use", "input": {"data": WORDS, "id": ""}}]}]},
        {"input": [{"type": "function_call_output", "call_id": "c", "output": WORDS}]},
        {"messages": [{"content": [{"type": "document", "source": {"type": "text", "data": WORDS}}]}]},
        {"messages": [{"content": [{"type": "document", "source": {"data": WORDS}}]}]},
        {"response_format": {"type": "json_schema", "json_schema": {"description": WORDS}}},
    ],
)
def test_words_count_wherever_they_stand(body: dict[str, Any]) -> None:
    assert text_size(body) == (len(WORDS), len(WORDS))


@pytest.mark.parametrize("label", ["role", "type", "id", "model"])
def test_a_label_that_is_long_is_none(label: str) -> None:
    assert text_size([{label: "user"}]) == (0, 0)
    assert text_size([{label: "user " * 100}]) == (500, 500)


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{FILE}", "detail": "auto"}},
        {"type": "image_url", "image_url": {"url": "https://a.example/b.png"}},
        {"type": "input_image", "image_url": f"data:image/png;base64,{FILE}"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": FILE}},
        {"type": "input_audio", "input_audio": {"data": FILE, "format": "wav"}},
        {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{FILE}"}},
        {"b64_json": FILE},
        {"data": f"{FILE[:76]}\n{FILE[:76]}\r\n{FILE[:10]}==\n"},
    ],
)
def test_files_are_no_text(part: dict[str, Any]) -> None:
    assert text_size({"messages": [{"role": "user", "content": [part]}]}) == (0, 0)


@pytest.mark.parametrize(
    "part",
    [{"content": f"data:image/png;base64,{FILE}"}, {"data": f"data:,{WORDS}"}, {"url": f"data:a;base64,{WORDS * 99}"}],
)
def test_words_do_not_pass_for_a_file(part: dict[str, str]) -> None:
    (words,) = part.values()
    assert text_size(part)[0] == len(words)
