"""Clients that leave: when, how, and what must then be in the ledger and at the upstream."""

import json
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from socket import SHUT_WR, SO_LINGER, SOL_SOCKET, create_connection, socket
from struct import pack
from typing import Any

import psycopg

from tests.conftest import PROVIDER_KEY
from tests.gateway import Gateway
from tests.upstream import Upstream

MOMENTS = ("queued", "head", "body", "middle", "end")
NOTICE_SECONDS = 0.3  # in which a gateway has surely seen that a client left
_PATIENCE = 20.0  # seconds
_numbers = count(1)


def _fin(connection: socket) -> None:
    connection.setblocking(False)
    with suppress(BlockingIOError):  # what is left unread would make the close a reset
        while connection.recv(65536):
            pass
    connection.close()


def _reset(connection: socket) -> None:
    connection.setsockopt(SOL_SOCKET, SO_LINGER, pack("ii", 1, 0))
    connection.close()


def _half_close(connection: socket) -> None:
    connection.shutdown(SHUT_WR)


def _killed(connection: socket) -> None:
    """Another process has the socket, and dies."""
    holder = subprocess.Popen(["sleep", "60"], pass_fds=[connection.fileno()])
    connection.close()
    holder.kill()
    holder.wait()


WAYS: dict[str, Callable[[socket], None]] = {
    "fin": _fin,
    "reset": _reset,
    "half-close": _half_close,
    "killed": _killed,
}


@contextmanager
def books(gateway: Gateway) -> Iterator[Callable[[str], list[tuple[Any, ...]]]]:
    """What asks the gateway's database, without a process for each question."""
    if url := gateway.environment.get("DATABASE_URL"):
        with psycopg.connect(url, autocommit=True) as server:
            yield lambda query: list(server.execute(query.encode()))
        return
    file = sqlite3.connect(gateway.var_dir / "gateway.sqlite3", isolation_level=None)
    try:
        yield lambda query: file.execute(query).fetchall()
    finally:
        file.close()


@dataclass
class Stage:
    """A gateway with an upstream, and one provider for each `on_disconnect`, which is its name."""

    gateway: Gateway
    upstream: Upstream
    token: str = ""
    staff: str = ""

    def __post_init__(self) -> None:
        self.suffix = str(self.upstream.port)
        self.token = self.token or self.gateway.token("ordinary")
        self.staff = self.staff or self.gateway.token("staff", staff=True)
        for policy in ("cancel", "drain", "keep"):
            body = {
                "name": policy + self.suffix,
                "type": "openai",
                "base_url": self.upstream.url,
                "api_key": PROVIDER_KEY,
                "default_model": "m",
                "allow_private_network": True,
                "on_disconnect": policy,
            }
            made = self.gateway.call(self.staff, body, "/api/providers")
            assert made.status_code == 201, made.text

    def call(self, policy: str, model: str, *, streamed: bool, request_id: str, relayed: bool) -> socket:
        """Sends a call, to a path that relays to this upstream or to one that translates; reads nothing yet."""
        provider = policy + self.suffix
        body: dict[str, Any] = {"messages": [{"role": "user", "content": "count"}], "stream": streamed}
        body |= {"model": f"{provider}/{model}"} if relayed else {"provider": provider, "model": model}
        content = json.dumps(body).encode()
        path = "/v1/chat/completions" if relayed else "/api/generate"
        head = (
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self.token}\r\n"
            f"X-Request-ID: {request_id}\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        connection = create_connection(("127.0.0.1", self.gateway.port), timeout=_PATIENCE)
        connection.sendall(head.encode() + content)
        return connection

    def healthy(self, policy: str) -> bool:
        found = self.gateway.call(self.token, None, f"/api/providers/{policy}{self.suffix}/health", method="GET")
        return bool(found.json()["data"]["status"] == "healthy")

    @contextmanager
    def held_admissions(self) -> Iterator[None]:
        """No call can be admitted meanwhile: somebody else has the database."""
        if url := self.gateway.environment.get("DATABASE_URL"):
            with psycopg.connect(url) as other:
                other.execute("LOCK TABLE accounts_call IN SHARE ROW EXCLUSIVE MODE")
                yield
            return
        with books(self.gateway) as ask:
            ask("BEGIN IMMEDIATE")
            yield
            ask("ROLLBACK")


def wait_until(holds: Callable[[], bool], seconds: float, found: Callable[[], object], case: str = "") -> None:
    """Waits until something holds. When it does not, the failure says what was found instead, and in which case."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"{case}: {found()}"
        time.sleep(0.02)


def read_until(connection: socket, mark: bytes) -> bytes:
    """What comes up to a mark, and whatever came along with it."""
    seen = b""
    while mark not in seen:
        piece = connection.recv(65536)
        assert piece, seen
        seen += piece
    return seen


def leave(stage: Stage, policy: str, moment: str, way: str, *, streamed: bool, calls: int) -> None:
    """So many clients at once leave at one moment in one way. Asserts all that must come of it."""
    case, upstream = f"{policy}, {moment}, {way}, streamed={streamed}", stage.upstream
    batch = f"leaving{stage.suffix}-{next(_numbers)}"
    asked = len(upstream.calls)
    upstream.held = upstream.hung_up = 0
    upstream.go_on.clear()
    model = "m" if moment == "queued" else f"hold-{moment}"

    def go() -> list[socket]:
        return [
            stage.call(policy, model, streamed=streamed, request_id=f"{batch}-{number}", relayed=number % 2 == 0)
            for number in range(calls)
        ]

    if moment == "queued":
        with stage.held_admissions():
            connections = go()
            time.sleep(NOTICE_SECONDS)
            _leave_all(connections, way)
            time.sleep(NOTICE_SECONDS)
    else:
        connections = go()
        wait_until(lambda: upstream.held == calls, _PATIENCE, lambda: f"{upstream.held} calls came upstream", case)
        if streamed and moment in {"middle", "end"}:
            for connection in connections:
                read_until(connection, b"One" if moment == "middle" else b"four")
        _leave_all(connections, way)
        if policy == "cancel":
            wait_until(lambda: upstream.hung_up == calls, 2.0, lambda: f"{upstream.hung_up} closed upstream", case)
        else:
            time.sleep(NOTICE_SECONDS)
            assert upstream.hung_up == 0, f"{case}: closed upstream"
            upstream.go_on.set()
    for connection in connections:
        if way == "half-close":
            connection.close()
    _check_books(stage, case, batch, calls, _expected(policy, moment, streamed=streamed))
    assert len(upstream.calls) - asked == (0 if moment == "queued" else calls), case
    assert stage.healthy(policy), case


def _leave_all(connections: list[socket], way: str) -> None:
    for connection in connections:
        WAYS[way](connection)


def _expected(policy: str, moment: str, *, streamed: bool) -> dict[str, Any]:
    """What each row must say; output_tokens is left out where it is an estimate."""
    if moment == "queued":
        return {"estimated": False, "input_tokens": 0, "output_tokens": 0, "attempts": 0}
    if policy == "cancel":
        return {"estimated": True, "attempts": 1}
    used = {"input_tokens": 9, "output_tokens": 4} if streamed else {"input_tokens": 7, "output_tokens": 5}
    return {"estimated": False, "attempts": 1, **used}


def _check_books(stage: Stage, case: str, batch: str, calls: int, expected: dict[str, Any]) -> None:
    query = (
        "SELECT c.state, c.estimated, c.input_tokens, c.output_tokens,"
        " (SELECT count(*) FROM accounts_attempt a WHERE a.call_id = c.id)"
        f" FROM accounts_call c WHERE c.request_id LIKE '{batch}-%'"
    )
    with books(stage.gateway) as ask:
        wait_until(
            lambda: [row[0] for row in ask(query)] == ["client_gone"] * calls, _PATIENCE, lambda: ask(query), case
        )
        time.sleep(0.1)  # a row too many would come late
        rows = [
            {"estimated": bool(row[1]), "input_tokens": row[2], "output_tokens": row[3], "attempts": row[4]}
            for row in ask(query)
        ]
    assert len(rows) == calls, case
    for row in rows:
        assert {name: row[name] for name in expected} == expected, case
