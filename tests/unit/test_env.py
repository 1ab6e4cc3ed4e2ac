"""Settings from the environment: what is read, from where, and the sentence for what cannot be read."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from proxyproject import env

NAME = "GATEWAY_TEST_VALUE"


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (NAME, f"{NAME}_FILE"):
        monkeypatch.delenv(name, raising=False)


READERS: dict[str, Callable[[], object]] = {
    "text": lambda: env.text(NAME, "default"),
    "flag": lambda: env.flag(NAME, default=True),
    "whole_number": lambda: env.whole_number(NAME, 7, at_least=1),
    "seconds": lambda: env.seconds(NAME, 1.5),
    "one_of": lambda: env.one_of(NAME, ("json", "text"), "text"),
    "comma_list": lambda: env.comma_list(NAME, ("a", "b")),
    "networks": lambda: [str(network) for network in env.networks(NAME)],
}
DEFAULTS = {
    "text": "default",
    "flag": True,
    "whole_number": 7,
    "seconds": 1.5,
    "one_of": "text",
    "comma_list": ["a", "b"],
    "networks": [],
}
GOOD = [
    ("text", "value", "value"),
    ("text", "  value \n", "value"),
    ("text", "ሰላም", "ሰላም"),
    *(("flag", word, True) for word in ("1", "true", "True", "TRUE", "yes", "on", " on ")),
    *(("flag", word, False) for word in ("0", "false", "False", "no", "off", "OFF")),
    ("whole_number", "1", 1),
    ("whole_number", " 42 ", 42),
    ("whole_number", "007", 7),
    ("seconds", "0", 0.0),
    ("seconds", "2", 2.0),
    ("seconds", "0.25", 0.25),
    ("one_of", "json", "json"),
    ("one_of", " text ", "text"),
    ("comma_list", "x", ["x"]),
    ("comma_list", "x, y ,z", ["x", "y", "z"]),
    ("comma_list", " ,x,, ", ["x"]),
    ("comma_list", ",", []),
    ("networks", "10.0.0.1", ["10.0.0.1/32"]),
    ("networks", "10.0.0.1/8, 192.168.0.0/16 ,", ["10.0.0.0/8", "192.168.0.0/16"]),
    ("networks", "::1,fd00::/8", ["::1/128", "fd00::/8"]),
]
BAD = [
    *(("flag", word) for word in ("2", "maybe", "ja", "truee", "1 0")),
    *(("whole_number", word) for word in ("0", "-1", "+5", "1.5", "1e3", "ten", "0x10", "١", "²", "1 000", "1_000")),
    *(("seconds", word) for word in ("-1", "-0.1", "nan", "inf", "-inf", "1e999", "1s", "one", "1,5")),
    *(("one_of", word) for word in ("xml", "JSON", "json,text", "j")),
]


@pytest.mark.parametrize(("reader", "value", "expected"), GOOD)
def test_values(monkeypatch: pytest.MonkeyPatch, reader: str, value: str, expected: object) -> None:
    monkeypatch.setenv(NAME, value)
    assert READERS[reader]() == expected


@pytest.mark.parametrize(("reader", "value", "expected"), GOOD)
def test_values_from_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, reader: str, value: str, expected: object
) -> None:
    (tmp_path / "value").write_text(value + "\n", encoding="utf-8")
    monkeypatch.setenv(f"{NAME}_FILE", str(tmp_path / "value"))
    assert READERS[reader]() == expected


@pytest.mark.parametrize("reader", READERS)
def test_defaults(reader: str) -> None:
    assert READERS[reader]() == DEFAULTS[reader]


BLANK = ["", " ", " \t", "\n"]


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("blank", BLANK, ids=repr)
def test_a_blank_variable_is_none(monkeypatch: pytest.MonkeyPatch, reader: str, blank: str) -> None:
    monkeypatch.setenv(NAME, blank)
    assert READERS[reader]() == DEFAULTS[reader]
    monkeypatch.setenv(f"{NAME}_FILE", blank)
    assert READERS[reader]() == DEFAULTS[reader]


@pytest.mark.parametrize("blank", BLANK, ids=repr)
def test_a_blank_variable_leaves_the_word_to_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, blank: str
) -> None:
    (tmp_path / "value").write_text("from the file", encoding="utf-8")
    monkeypatch.setenv(NAME, blank)
    monkeypatch.setenv(f"{NAME}_FILE", str(tmp_path / "value"))
    assert env.text(NAME, "default") == "from the file"


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("blank", BLANK, ids=repr)
def test_a_blank_file_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, reader: str, blank: str) -> None:
    """Nobody names a file in order to say nothing; a secret that was not written must not become a default."""
    (tmp_path / "value").write_text(blank, encoding="utf-8")
    monkeypatch.setenv(f"{NAME}_FILE", str(tmp_path / "value"))
    with pytest.raises(ImproperlyConfigured) as refused:
        READERS[reader]()
    assert_sentence(refused.value, f"{NAME}_FILE", str(tmp_path / "value"), "empty")


@pytest.mark.parametrize(("reader", "value"), BAD)
def test_bad_values_are_refused_by_name(monkeypatch: pytest.MonkeyPatch, reader: str, value: str) -> None:
    monkeypatch.setenv(NAME, value)
    with pytest.raises(ImproperlyConfigured) as refused:
        READERS[reader]()
    assert_sentence(refused.value, NAME, repr(value))


@pytest.mark.parametrize("value", ["proxy", "10.0.0.256", "10.0.0.0/33", "10.0.0.1,proxy", "10.0.0.1 10.0.0.2", "*"])
def test_what_is_no_network_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(NAME, value)
    with pytest.raises(ImproperlyConfigured) as refused:
        env.networks(NAME)
    assert_sentence(refused.value, NAME, "such as 10.0.0.1")


def test_the_least_number_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, "1023")
    with pytest.raises(ImproperlyConfigured) as refused:
        env.whole_number(NAME, 4096, at_least=1024)
    assert_sentence(refused.value, "at least 1024")


@pytest.mark.parametrize("value", ["65536", "9" * 5000])
def test_the_most_is_named(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(NAME, value)
    with pytest.raises(ImproperlyConfigured) as refused:
        env.whole_number(NAME, 8000, at_most=65535)
    assert_sentence(refused.value, NAME, "at most 65535")


def test_the_choices_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, "xml")
    with pytest.raises(ImproperlyConfigured) as refused:
        env.one_of(NAME, ("json", "text"), "text")
    assert_sentence(refused.value, "json, text")


@pytest.mark.parametrize("reader", READERS)
def test_both_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, reader: str) -> None:
    (tmp_path / "value").write_text("1", encoding="utf-8")
    monkeypatch.setenv(NAME, "1")
    monkeypatch.setenv(f"{NAME}_FILE", str(tmp_path / "value"))
    with pytest.raises(ImproperlyConfigured) as refused:
        READERS[reader]()
    assert_sentence(refused.value, NAME, f"{NAME}_FILE")


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", ["missing", "directory", "below-a-file", "not-utf8"])
def test_a_file_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, reader: str, kind: str) -> None:
    (tmp_path / "directory").mkdir()
    (tmp_path / "file").write_text("1", encoding="utf-8")
    (tmp_path / "not-utf8").write_bytes(b"\xff\xfe1")
    path = tmp_path / ("file/below" if kind == "below-a-file" else kind)
    monkeypatch.setenv(f"{NAME}_FILE", str(path))
    with pytest.raises(ImproperlyConfigured) as refused:
        READERS[reader]()
    assert_sentence(refused.value, f"{NAME}_FILE", str(path))


def assert_sentence(error: ImproperlyConfigured, *parts: str) -> None:
    text = str(error)
    assert text.endswith("."), text
    for part in parts:
        assert part in text


@pytest.mark.parametrize(
    ("arguments", "host", "port"),
    [
        pytest.param(["serve", "--host", "0.0.0.0", "--port", "9"], "0.0.0.0", "9", id="two-words"),
        pytest.param(["serve", "--host=0.0.0.0", "--port=9"], "0.0.0.0", "9", id="one-word"),
        pytest.param(["serve", "--port", "9"], "kept", "9", id="one-only"),
        pytest.param(["serve"], "kept", "kept", id="neither"),
        pytest.param(["serve", "--host"], "kept", "kept", id="value-missing"),
        pytest.param(["migrate", "--host", "0.0.0.0"], "kept", "kept", id="another-command"),
        pytest.param(["issue_token", "serve", "--port", "9"], "kept", "kept", id="serve-is-an-argument"),
        pytest.param([], "kept", "kept", id="no-command"),
    ],
)
def test_address_from_arguments(monkeypatch: pytest.MonkeyPatch, arguments: list[str], host: str, port: str) -> None:
    monkeypatch.setenv("HOST", "kept")
    monkeypatch.setenv("PORT", "kept")
    env.bind_address_from_arguments(["manage.py", *arguments])
    assert (os.environ["HOST"], os.environ["PORT"]) == (host, port)


def test_some_of_takes_what_is_offered_only(monkeypatch: pytest.MonkeyPatch) -> None:
    assert env.some_of(NAME, ("/a", "/b"), ("/a",)) == {"/a"}
    monkeypatch.setenv(NAME, "/b, /a")
    assert env.some_of(NAME, ("/a", "/b"), ("/a",)) == {"/a", "/b"}
    monkeypatch.setenv(NAME, "/a,/api/generate")
    with pytest.raises(ImproperlyConfigured, match="'/api/generate'; it may name /a, /b"):
        env.some_of(NAME, ("/a", "/b"), ())
