"""The id of a request: the caller's own where it is safe to print, else a new one."""

import re

import pytest

from web import request_id

NEW = re.compile(r"[0-9a-f]{32}")


@pytest.mark.parametrize(
    "offered",
    [
        "a",
        "7",
        "abc-123",
        "6f1c2a9e-7d0b-4c35-9a57-0e7b1f3c2d4e",
        "trace:span.1_2",
        "Root-1.67891233-abcdef012345678912345678",
        "x" * 128,
    ],
)
def test_a_sane_id_is_kept(offered: str) -> None:
    assert request_id.choose(offered) == offered


@pytest.mark.parametrize(
    "offered",
    [
        None,
        "",
        " ",
        "a b",
        " a",
        "a ",
        "a\n",
        "a\nb",
        "a\r\nSet-Cookie: x=1",
        "a\tb",
        "a\x00b",
        "a\x1b[31m",
        "x" * 129,
        "é",
        "ሰላም",
        "١٢٣",
        "-a",
        ".a",
        "_a",
        "a/b",
        "a%0Ab",
        "<script>",
        "a,b",
        'a"b',
        "a\u2028b",
    ],
    ids=ascii,
)
def test_any_other_is_replaced(offered: str | None) -> None:
    assert NEW.fullmatch(request_id.choose(offered))


def test_new_ids_differ() -> None:
    assert len({request_id.choose(None) for _ in range(1000)}) == 1000


def test_outside_a_request_there_is_none() -> None:
    assert request_id.current.get() == "-"
