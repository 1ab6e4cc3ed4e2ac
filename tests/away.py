"""A database that goes away under a running gateway and comes back, and what all must then be as it was."""

import resource
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from tests.gateway import Gateway
from tests.ledger_processes import Database
from tests.link import Link
from tests.server.stage import CHAT, GENERATE, Stage
from tests.serving import gateway_on, running
from tests.upstream import Upstream

STREAMS = 10
_TOLD_SECONDS = 2.0  # within which a caller learns that the database is away
_SLACK = 0.8  # seconds that a busy machine may add
_RETURN_SECONDS = 15.0  # within which calls pass again
_GOOD = {"provider": "vendor", "model": "m", "prompt": "x"}
_LIMITED = """
from accounts.models import Quota, User
for unit in ("requests", "tokens", "concurrency"):
    Quota.objects.create(user=User.objects.get(username="staff"), unit=unit, limit=10_000_000)
"""


@dataclass
class Away:
    """A gateway whose caller has quotas, its database, and on PostgreSQL what lies between the two."""

    database: Database
    gateway: Gateway
    stage: Stage
    upstream: Upstream
    link: Link | None

    def call(self) -> httpx.Response:
        return self.gateway.call(self.stage.token, _GOOD)

    def wait_until_calls_pass(self) -> None:
        deadline = time.monotonic() + _RETURN_SECONDS
        while (answer := self.call()).status_code != 200:
            assert answer.status_code == 503, answer.text
            assert time.monotonic() < deadline, f"calls do not pass again: {answer.text}"
            time.sleep(0.1)

    def settle(self) -> None:
        """Waits until no call is open. Asserts that each has one row and one attempt, and that all was given back."""
        deadline = time.monotonic() + _RETURN_SECONDS
        while self.database.rows("select count(*) from accounts_call where state = 'open'") != [(0,)]:
            assert time.monotonic() < deadline, "calls stay open"
            time.sleep(0.1)
        doubled = "select request_id from accounts_call group by request_id having count(*) > 1"
        assert self.database.rows(doubled) == []
        doubled = "select call_id from accounts_attempt group by call_id having count(*) > 1"
        assert self.database.rows(doubled) == []
        assert self.database.rows("select sum(reserved) from accounts_counter") == [(0,)]
        asked = self.database.rows("select count(*) from accounts_attempt")
        assert self.database.rows("select used from accounts_counter where unit = 'requests'") == asked
        assert asked == [(len(self.upstream.calls),)], "what the vendor was asked, and nothing else"
        spent = self.database.rows("select sum(input_tokens + output_tokens) from accounts_call")
        assert self.database.rows("select used from accounts_counter where unit = 'tokens'") == spent


@contextmanager
def set_up(database: Database, upstream: Upstream) -> Iterator[Away]:
    """A gateway that runs."""
    with ExitStack() as stack:
        url, link, settings = database.environment.get("DATABASE_URL"), None, {}
        if url:
            parts = urlsplit(url)
            link = Link(parts.hostname or "", parts.port or 5432).start()
            stack.callback(link.stop)
            user, _, _ = parts.netloc.rpartition("@")
            settings = {"DATABASE_URL": parts._replace(netloc=f"{user}@127.0.0.1:{link.port}").geturl()}
        gateway = gateway_on(database, **settings)
        stack.enter_context(running(gateway))
        stage = Stage(gateway, upstream, stack.enter_context(ExitStack()))
        gateway.python(_LIMITED)
        yield Away(database, gateway, stage, upstream, link)


@contextmanager
def _held(away: Away) -> Iterator[None]:
    """Another has SQLite's one right to write."""
    with closing(sqlite3.connect(away.database.directory / "gateway.sqlite3", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def _full(away: Away) -> Iterator[None]:
    """No file of the process's can grow, as on a disk that is full."""
    assert away.gateway.process is not None
    process = away.gateway.process.pid
    before = resource.prlimit(process, resource.RLIMIT_FSIZE)
    resource.prlimit(process, resource.RLIMIT_FSIZE, (1024, before[1]))
    yield
    resource.prlimit(process, resource.RLIMIT_FSIZE, before)


@contextmanager
def _refused(away: Away) -> Iterator[None]:
    """PostgreSQL is stopped."""
    assert away.link is not None
    away.link.go_away()
    yield
    away.link.come_back()


@contextmanager
def _silent(away: Away) -> Iterator[None]:
    """PostgreSQL takes what it is sent, and says nothing."""
    assert away.link is not None
    away.link.hang()
    yield
    away.link.go_on()


@dataclass(frozen=True)
class Fault:
    """What happens to a database. readable: it can still be asked, so only what is written fails."""

    kind: str
    happens: Callable[[Away], AbstractContextManager[None]]
    readable: bool = False


FAULTS = {
    "held": Fault("sqlite", _held, readable=True),
    "full": Fault("sqlite", _full, readable=True),
    "refused": Fault("postgresql", _refused),
    "silent": Fault("postgresql", _silent),
}


def goes_and_comes_back(away: Away, fault: Fault, *, calls_after: int) -> None:
    """New calls are refused at once, running ones go on, and afterwards the books are right."""
    streams = [
        away.stage.stream(*[("/v1/chat/completions", CHAT), ("/api/generate", GENERATE)][n % 2]) for n in range(STREAMS)
    ]
    assert away.call().status_code == 200
    with fault.happens(away):
        for _ in range(3):
            _is_refused(away, readable=fault.readable)
        away.upstream.go_on.set()
        for stream in streams:
            assert b"[DONE]" in stream.read_until(b"\r\n0\r\n\r\n"), "what runs is not disturbed"
        _is_refused(away, readable=fault.readable)
        time.sleep(1.0)
    away.wait_until_calls_pass()
    for _ in range(calls_after):
        assert away.call().status_code == 200
    assert httpx.get(f"{away.gateway.url}/ready").status_code == 200
    away.settle()
    assert away.database.rows("select count(*) from accounts_call where state = 'done' and streamed") == [(STREAMS,)]


def _is_refused(away: Away, *, readable: bool) -> None:
    began = time.monotonic()
    answer = away.call()
    took = time.monotonic() - began
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "STORAGE_UNAVAILABLE")
    assert int(answer.headers["retry-after"]) > 0
    assert took < _TOLD_SECONDS + _SLACK, took
    if not readable:
        began = time.monotonic()
        assert httpx.get(f"{away.gateway.url}/ready", timeout=10).status_code == 503
        took = time.monotonic() - began
        assert took < _TOLD_SECONDS + _SLACK, took
