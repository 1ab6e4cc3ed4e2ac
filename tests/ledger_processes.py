"""Several processes with a ledger each on one scratch database, and a look at that database from outside."""

import json
import os
import secrets
import sqlite3
import subprocess
import sys
import threading
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.gateway import ROOT

_NOT_INHERITED = {"DJANGO_SETTINGS_MODULE", "DATABASE_URL", "REDIS_URL", "DEBUG", "VAR_DIR"}
Look = Callable[[str], list[tuple[Any, ...]]]
_CHILD = "from tests.ledger_child import main; main()"


class Database:
    """A database of a test's own. url: of PostgreSQL; without it, SQLite in that directory."""

    def __init__(self, directory: Path, url: str = "") -> None:
        self.directory = directory
        self._url = url
        self.environment = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
        self.environment |= {"VAR_DIR": str(directory), "LOG_FORMAT": "text"}
        if url:
            self.environment |= {
                "DATABASE_URL": url,
                "SECRET_KEY": secrets.token_urlsafe(50),
                "GATEWAY_ENCRYPTION_KEYS": urlsafe_b64encode(os.urandom(32)).decode(),
            }

    def manage(self, *arguments: str) -> None:
        subprocess.run([sys.executable, "manage.py", *arguments], cwd=ROOT, env=self.environment, check=True)

    @contextmanager
    def opened(self) -> Iterator[Look]:
        """A connection that finds what is committed."""
        if self._url:
            with psycopg.connect(self._url, autocommit=True) as connection:
                yield lambda query: connection.execute(query.encode()).fetchall()
        else:
            path = self.directory / "gateway.sqlite3"
            with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as file:
                yield lambda query: file.execute(query).fetchall()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What a query finds."""
        with self.opened() as look:
            return look(query)


@contextmanager
def scratch(kind: str, directory: Path) -> Iterator[Database]:
    """A database of a kind, sqlite or postgresql; the test is skipped where there is none."""
    if kind == "sqlite":
        yield Database(directory)
        return
    url = os.environ.get("TEST_POSTGRESQL_URL", "")
    if not url:
        pytest.skip("needs a PostgreSQL server: TEST_POSTGRESQL_URL=postgresql://…")
    name = f"gateway_test_{secrets.token_hex(6)}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
        try:
            yield Database(directory, f"{url.rpartition('/')[0]}/{name}")
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


KINDS = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]


class LedgerProcess:
    """A child process with a ledger: see tests/ledger_child.py for what it does."""

    def __init__(self, database: Database, name: str) -> None:
        self._log = database.directory / f"{name}.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "shell", "--no-imports", "-c", _CHILD],
                cwd=ROOT,
                env=database.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )

    def ask(self, command: str, **arguments: Any) -> None:
        """Tells it what to do, and does not wait."""
        assert self.process.stdin
        self.process.stdin.write(json.dumps([command, arguments]).encode() + b"\n")
        self.process.stdin.flush()

    def answer(self) -> Any:
        """What became of the last thing that it was told."""
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line, self.log()
        return json.loads(line)

    def do(self, command: str, **arguments: Any) -> Any:
        self.ask(command, **arguments)
        return self.answer()

    def log(self) -> str:
        """Everything that it has logged."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def stop(self) -> None:
        if self.process.poll() is None:
            assert self.process.stdin
            self.process.stdin.close()
            self.process.wait(30)
        for stream in (self.process.stdin, self.process.stdout):
            assert stream
            stream.close()


@contextmanager
def processes(database: Database, *names: str) -> Iterator[list[LedgerProcess]]:
    """Processes that end with the block."""
    database.manage("migrate", "--verbosity", "0")
    started = [LedgerProcess(database, name) for name in names]
    try:
        yield started
    finally:
        for one in started:
            one.stop()


@contextmanager
def sampled(database: Database, query: str, every: float = 0.01) -> Iterator[list[tuple[Any, ...]]]:
    """What a query finds while the block runs, looked at from outside every so many seconds."""
    found: list[tuple[Any, ...]] = []
    over = threading.Event()

    def sample() -> None:
        with database.opened() as look:
            while not over.wait(every):
                found.extend(look(query))

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()
