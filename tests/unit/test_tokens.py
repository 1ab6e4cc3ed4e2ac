"""API tokens: what one looks like, that near misses are none, and what is stored of it."""

import hashlib
import re
import string

import pytest

from accounts import tokens

TOKEN = tokens.make()


def test_format() -> None:
    assert re.fullmatch(r"agw_[A-Za-z0-9]{46}", TOKEN)
    assert tokens.is_well_formed(TOKEN)


def test_no_two_are_alike() -> None:
    made = {tokens.make() for _ in range(1000)}
    assert len(made) == 1000
    assert all(tokens.is_well_formed(token) for token in made)
    used = set("".join(token[len(tokens.PREFIX) : -6] for token in made))
    assert used == set(string.ascii_letters + string.digits)


def test_what_may_be_shown_tells_tokens_apart_and_gives_little_away() -> None:
    shown = TOKEN[: tokens.SHOWN]
    assert shown.startswith("agw_")
    assert len(shown) == 10


@pytest.mark.parametrize("position", range(len(TOKEN)))
def test_every_change_of_one_character_is_seen(position: int) -> None:
    for character in string.printable + "é١":
        changed = TOKEN[:position] + character + TOKEN[position + 1 :]
        if changed != TOKEN:
            assert not tokens.is_well_formed(changed), character
            assert tokens.digest(changed) != tokens.digest(TOKEN)


@pytest.mark.parametrize("position", range(len(tokens.PREFIX), len(TOKEN) - 1))
def test_two_characters_the_wrong_way_round_are_seen(position: int) -> None:
    left, right = TOKEN[position], TOKEN[position + 1]
    if left != right:
        assert not tokens.is_well_formed(TOKEN[:position] + right + left + TOKEN[position + 2 :])


NO_TOKENS = {
    "empty": "",
    "prefix": "agw_",
    "made-up": "agw_" + "a" * 46,
    "one-short": TOKEN[:-1],
    "first-lost": TOKEN[1:],
    "one-long": TOKEN + "a",
    "line-end": TOKEN + "\n",
    "leading-blank": " " + TOKEN,
    "twice": TOKEN + TOKEN,
    "upper-case": TOKEN.upper(),
    "lower-case": TOKEN.lower(),
    "without-prefix": TOKEN.removeprefix("agw_"),
    "another-prefix": "sk-" + TOKEN[3:],
    "not-ascii": "é" * 50,
    "surrogates": "agw_" + "\udc80" * 46,
    "very-long": "x" * 100_000,
}


@pytest.mark.parametrize("token", NO_TOKENS.values(), ids=NO_TOKENS)
def test_what_is_no_token(token: str) -> None:
    assert not tokens.is_well_formed(token)


def test_digest_is_sha256() -> None:
    digest = tokens.digest(TOKEN)
    assert digest == hashlib.sha256(TOKEN.encode()).hexdigest() == tokens.digest(TOKEN)
    assert len(digest) == 64
