"""Guessing, made slow. Every password that anybody offers passes `LockoutBackend`, whichever page or path it came by.

Counted on Django's cache: with REDIS_URL for all processes together, without it for each process by itself. While that
is away nobody signs in, so that guessing is never free: StorageUnavailable.
Nothing there can be read back: names and addresses are hashed under SECRET_KEY.
"""

import ipaddress
import logging
import secrets
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth.backends import ModelBackend
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.utils.crypto import salted_hmac
from django_ratelimit.core import get_usage
from redis import RedisError

from accounts import hashing
from accounts.errors import TooManyAtOnce, TooManyTries
from accounts.models import User
from storage.errors import StorageUnavailable

logger = logging.getLogger("gateway.lockout")

_SALT = "accounts.lockout"
_RATES = {  # what one address may do, however it turns out; some by mailbox or by user instead
    "login": "60/m",
    "token": "120/m",
    "signup": "20/h",
    "password-reset": "20/h",
    "password-mail": "5/h",
    "password-set": "20/h",
    "password-change": "20/h",
    "account": "30/h",
}


@dataclass(frozen=True, slots=True)
class _Limit:
    """How many may fail within how many seconds."""

    what: str
    most: int
    seconds: int


_PAIR = _Limit("name and address", 5, 5 * 60)
# Twice this is less than a name's: windows of an hour overlap, and no address alone is to use up a name's.
_PAIR_LONG = _Limit("name and address, in the long run", 20, 60 * 60)
_ADDRESS = _Limit("address", 20, 15 * 60)
_NAME = _Limit("name", 50, 60 * 60)
_REGULAR_SECONDS = 30 * 24 * 3600  # for which a name that signed in from an address is known there


def guard(request: HttpRequest, what: str, whom: str = "") -> None:
    """Counts one more of `what` ("login", "token", "signup", …) by the request's address, or by `whom`.

    Raises TooManyTries when there were too many.
    """
    count, limit, seconds = _count(what, _hashed(whom or _network(request)), _RATES[what], step=True)
    if count > limit:
        raise TooManyTries(seconds)


def check(request: HttpRequest | None, username: str) -> None:
    """Raises TooManyTries while signing in with this name from this address is refused, whatever the password."""
    wait = _Tries(request, username).wait()
    if wait:
        raise TooManyTries(wait)


class LockoutBackend(ModelBackend):
    """Names and passwords against the database, and after too many failures against nothing for a while."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> User | None:
        """The user. Raises PermissionDenied before it looks at the password when there were too many failures.

        Raises TooManyAtOnce when too many passwords are looked at just now; that try is not counted.
        """
        if username is None or password is None:
            return None
        tries = _Tries(request, username)
        if not tries.begin():
            raise PermissionDenied
        try:
            with hashing.turn(regular=tries.is_regular):
                user = super().authenticate(request, username=username, password=password, **kwargs)
        except TooManyAtOnce:
            tries.take_back()
            raise
        if user is not None:
            tries.succeed()
        return user

    async def aauthenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> User | None:
        """As `authenticate`; ModelBackend's own would go round it."""
        return await sync_to_async(self.authenticate)(request, username=username, password=password, **kwargs)


class _Tries:
    """The tries with one name from one address.

    A try is counted when it begins and taken back when it succeeds, so that many at the same time are no way round.
    What strangers do to a name is not held against an address from which it signed in lately: they lock out each other.
    """

    def __init__(self, request: HttpRequest | None, username: str) -> None:
        name = _hashed("name", unicodedata.normalize("NFKC", username).casefold().strip())
        self._limits = [(_NAME, name)]
        self._last_success = ""
        self.is_regular = False
        if request is not None:
            address = _hashed("address", _network(request))
            pair = _hashed("pair", name, address)
            self._last_success = f"lockout:{pair}"
            with _cache_in_reach():
                since = cache.get(self._last_success, "")
            self.is_regular = bool(since)
            # The narrowest first: what it refuses is not counted by the wider ones.
            narrow = [(_PAIR, pair + since), (_PAIR_LONG, pair + since), (_ADDRESS, address)]
            self._limits = narrow if self.is_regular else narrow + self._limits

    def begin(self) -> bool:
        """Counts one more; whether it may go on."""
        for limit, value in self._limits:
            failed, wait = _failed(limit, value, step=True)
            if failed > limit.most:
                if failed == limit.most + 1:
                    logger.warning("Too many failed sign-ins for one %s; refused for %d s.", limit.what, wait)
                return False
        return True

    def succeed(self) -> None:
        """Takes the try back that was begun, and all of this name from this address, which is known from now on."""
        self.take_back()
        if self._last_success:
            with _cache_in_reach():
                cache.set(self._last_success, secrets.token_hex(8), _REGULAR_SECONDS)

    def take_back(self) -> None:
        """As if the try that was begun had not been."""
        for limit, value in self._limits:
            _count(f"succeeded, {limit.what}", value, (limit.most, limit.seconds), step=True)

    def wait(self) -> int:
        """The seconds until another try is looked at; 0: now."""
        waits = [0]
        for limit, value in self._limits:
            failed, wait = _failed(limit, value, step=False)
            if failed >= limit.most:
                waits.append(wait)
        return max(waits)


def _failed(limit: _Limit, value: str, *, step: bool) -> tuple[int, int]:
    """How many failed or are under way, and the seconds until they are forgotten."""
    rate = (limit.most, limit.seconds)
    begun, _, seconds = _count(f"begun, {limit.what}", value, rate, step=step)
    succeeded, _, _ = _count(f"succeeded, {limit.what}", value, rate, step=False)
    return begun - succeeded, seconds


def _count(what: str, value: str, rate: str | tuple[int, int], *, step: bool) -> tuple[int, int, int]:
    """Count, limit and seconds left of django-ratelimit's window; with `step` after one more."""
    with _cache_in_reach():
        usage = get_usage(None, group=f"gateway {what}", key=lambda *_: value, rate=rate, increment=step)
    if not usage["limit"]:  # its word for a count that could be neither read nor written
        raise StorageUnavailable("a count of tries was lost")
    return usage["count"], usage["limit"], max(1, usage["time_left"])


@contextmanager
def _cache_in_reach() -> Iterator[None]:
    """Raises StorageUnavailable when the block finds that Redis is away, or does not do as it is asked."""
    try:
        yield
    except RedisError as error:
        logger.error("Nobody can sign in: the tries cannot be counted in Redis: %s", error)
        raise StorageUnavailable(str(error)) from error


def _hashed(*parts: str) -> str:
    return salted_hmac(_SALT, "\n".join(parts), algorithm="sha256").hexdigest()


def _network(request: HttpRequest) -> str:
    """Where a request comes from: the address, or the /64 of an IPv6 address, which is one household's or server's."""
    address: str = request.META.get("REMOTE_ADDR") or ""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address  # a proxy of ours may write what it likes
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return address
