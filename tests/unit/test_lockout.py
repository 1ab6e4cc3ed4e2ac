"""Guessing passwords: what is counted, for whom, and that no number of tries at once gets round it."""

import os
import secrets
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth import aauthenticate, authenticate
from django.contrib.auth.hashers import MD5PasswordHasher
from django.core.cache import cache, caches
from django.db import connection
from django.http import HttpRequest
from django.test import RequestFactory, override_settings
from pytest_django import Settings

from accounts import hashing, lockout
from accounts.errors import TooManyAtOnce, TooManyTries
from accounts.models import User
from storage.errors import StorageUnavailable

RIGHT, WRONG = "the right pass phrase", "the wrong pass phrase"

pytestmark = pytest.mark.django_db


class Counting(MD5PasswordHasher):
    """A quick one, which knows how many passwords were looked at."""

    looked_at = 0

    def verify(self, password: str, encoded: str) -> bool:
        Counting.looked_at += 1
        return super().verify(password, encoded)


@pytest.fixture(autouse=True)
def people(settings: Settings) -> Iterator[None]:
    """Ada and Bob, with the same password, and a server that remembers no tries."""
    settings.PASSWORD_HASHERS = [f"{__name__}.Counting"]
    cache.clear()
    for name in ("ada", "bob"):
        User.objects.create_user(name, password=RIGHT)
    yield
    cache.clear()


def from_(address: str) -> HttpRequest:
    return RequestFactory(REMOTE_ADDR=address).post("/login")


def signs_in(name: str, address: str = "192.0.2.1", password: str = RIGHT) -> bool:
    return authenticate(from_(address), username=name, password=password) is not None


def fails(times: int, name: str = "ada", address: str = "192.0.2.1") -> None:
    for _ in range(times):
        assert not signs_in(name, address, WRONG)


def seconds_to_wait(name: str, address: str = "192.0.2.1") -> int:
    try:
        lockout.check(from_(address), name)
    except TooManyTries as error:
        return error.retry_after
    return 0


def test_a_name_at_an_address() -> None:
    fails(4)
    assert seconds_to_wait("ada") == 0
    fails(1)
    assert 0 < seconds_to_wait("ada") <= 300
    assert not signs_in("ada"), "the right password is not looked at either"
    assert signs_in("ada", "192.0.2.2"), "somebody elsewhere has the name too"
    assert signs_in("bob"), "and the address has other people"


def test_who_gets_in_begins_anew() -> None:
    for _ in range(3):
        fails(4)
        assert signs_in("ada")
    fails(5)
    assert not signs_in("ada")


def test_whoever_tries_many_names() -> None:
    for number in range(20):
        fails(1, f"name-{number}")
    assert 0 < seconds_to_wait("bob") <= 900
    assert not signs_in("bob")
    assert signs_in("bob", "192.0.2.2")


def test_signing_in_is_not_held_against_an_address() -> None:
    assert all(signs_in("ada") for _ in range(60))
    assert seconds_to_wait("bob") == 0


def test_many_who_try_one_name() -> None:
    for number in range(10):
        fails(5, address=f"198.51.100.{number}")
    assert not signs_in("ada", "203.0.113.9")
    assert 0 < seconds_to_wait("ada", "203.0.113.9") <= 3600
    assert signs_in("bob", "203.0.113.9")


def test_one_address_cannot_lock_a_name_for_all_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it goes on: here for three hours, without a pause and past the ends of all windows."""
    now = time.time()
    for minute in range(180):
        monkeypatch.setattr(time, "time", lambda at=now + 60.0 * minute: at)
        fails(5)
        assert seconds_to_wait("ada", "192.0.2.2") == 0
    assert signs_in("ada", "192.0.2.2")


def test_strangers_lock_out_strangers_only() -> None:
    home, elsewhere = "192.0.2.1", "203.0.113.9"
    assert signs_in("ada", home)
    for number in range(10):
        fails(5, address=f"198.51.100.{number}")
    assert not signs_in("ada", elsewhere)
    assert seconds_to_wait("ada", home) == 0
    assert signs_in("ada", home)
    fails(5, address=home)
    assert not signs_in("ada", home), "from there too, five are the most"


def test_what_a_regular_gets_wrong_is_not_held_against_the_name() -> None:
    for number in range(12):
        assert signs_in("ada", f"192.0.2.{number}")
        fails(4, address=f"192.0.2.{number}")
    fails(4, address="203.0.113.9")
    assert signs_in("ada", "203.0.113.9")


@pytest.fixture
def crowd() -> Iterator[None]:
    """As many strangers as may wait have their passwords looked at, and do not come to an end."""
    end, arrived = threading.Event(), threading.Semaphore(0)

    def stay() -> None:
        arrived.release()
        with hashing.turn():
            end.wait(5)

    with ThreadPoolExecutor(18) as people:
        for _ in range(18):
            people.submit(stay)
        for _ in range(18):
            arrived.acquire()
        time.sleep(0.1)  # from there into the queue
        yield
        end.set()


def test_who_is_not_looked_at_has_not_failed(crowd: None) -> None:
    before = Counting.looked_at
    for number in range(60):
        with pytest.raises(TooManyAtOnce) as refused:
            signs_in("ada", password=f"guess {number}")
        assert 1 <= refused.value.retry_after <= 5
    assert Counting.looked_at == before
    assert seconds_to_wait("ada") == 0


def test_while_redis_is_away_nobody_gets_in() -> None:
    before = Counting.looked_at
    away = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:1/0"}
    with override_settings(CACHES={"default": away}):
        for request in (from_("192.0.2.1"), None):
            with pytest.raises(StorageUnavailable):
                authenticate(request, username="ada", password=RIGHT)
            with pytest.raises(StorageUnavailable):
                lockout.check(request, "ada")
        with pytest.raises(StorageUnavailable):
            lockout.guard(from_("192.0.2.1"), "login")
    assert Counting.looked_at == before
    assert signs_in("ada")


@pytest.mark.parametrize("name", ["ADA", " ada ", "\uff41da"])
def test_a_name_written_otherwise_is_the_same_name(name: str) -> None:
    fails(5, name)
    assert seconds_to_wait("ada") > 0


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::2", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("unknown", "192.0.2.1", False),
    ],
)
def test_what_counts_as_one_address(one: str, other: str, same: bool) -> None:
    fails(5, address=one)
    assert (seconds_to_wait("ada", other) > 0) is same


@pytest.mark.django_db(transaction=True)
def test_tries_at_the_same_time_are_counted_too() -> None:
    def guess(number: int) -> bool:
        try:
            return signs_in("ada", password=f"guess {number}")
        finally:
            connection.close()  # this thread's

    before = Counting.looked_at
    with ThreadPoolExecutor(16) as together:
        assert not any(together.map(guess, range(64)))
    assert Counting.looked_at - before == 5


async def test_the_asynchronous_way_is_no_way_round() -> None:
    for _ in range(5):
        await aauthenticate(from_("192.0.2.1"), username="nobody-here", password=WRONG)
    with pytest.raises(TooManyTries):
        lockout.check(from_("192.0.2.1"), "nobody-here")


def test_a_name_without_a_request_is_counted_as_well() -> None:
    for _ in range(50):
        assert authenticate(None, username="ada", password=WRONG) is None
    assert authenticate(None, username="ada", password=RIGHT) is None


def test_a_rate_is_by_address_or_by_whom_one_says() -> None:
    for _ in range(20):
        lockout.guard(from_("192.0.2.1"), "signup")
    with pytest.raises(TooManyTries) as refused:
        lockout.guard(from_("192.0.2.1"), "signup")
    assert 0 < refused.value.retry_after <= 3600
    lockout.guard(from_("192.0.2.2"), "signup")
    lockout.guard(from_("192.0.2.1"), "signup", "user 7")
    lockout.guard(from_("192.0.2.1"), "password-reset")


@pytest.mark.redis
def test_counting_on_redis_is_the_same(settings: Settings) -> None:
    url = os.environ.get("TEST_REDIS_URL", "")
    if not url:
        pytest.skip("needs a Redis server: TEST_REDIS_URL=redis://…")
    prefix = f"lockout-{secrets.token_hex(4)}"
    redis = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": url, "KEY_PREFIX": prefix}
    settings.CACHES = {"default": redis}
    fails(3)
    assert signs_in("ada")
    fails(5)
    assert not signs_in("ada")
    assert 0 < seconds_to_wait("ada") <= 300
    assert signs_in("bob")


def test_nothing_that_is_kept_names_anybody() -> None:
    User.objects.create_user("somebody", password=RIGHT)  # no digits of base 16, unlike ada
    assert signs_in("somebody")
    fails(5, "somebody")
    kept = str(vars(caches["default"])["_cache"])
    assert "somebody" not in kept
    assert "192.0.2.1" not in kept
