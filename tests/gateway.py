"""A real server process for the tests: its own VAR_DIR, its own port, production settings."""

import os
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import psycopg

from tests.beside import Beside

ROOT = Path(__file__).resolve().parent.parent
_START_SECONDS = 30.0
_SETTLEMENT_SECONDS = 1.0
_NOT_INHERITED = {"DJANGO_SETTINGS_MODULE", "DATABASE_URL", "REDIS_URL", "DEBUG", "SSL_CERT_FILE"}


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Gateway:
    """`manage.py serve --setup` as a child process.

    Parameters: var_dir, where it keeps everything; settings, environment variables on top of the ordinary ones.
    """

    def __init__(self, var_dir: Path, **settings: str) -> None:
        self.var_dir = var_dir
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
        self.environment |= {"VAR_DIR": str(var_dir), "PYTHONUNBUFFERED": "1", **settings}
        self.host = settings.get("ALLOWED_HOSTS", f"127.0.0.1:{self.port}").split(",")[0]
        self._output = var_dir.parent / f"{var_dir.name}-server.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._beside: Beside | None = None

    def start(self) -> "Gateway":
        """Starts the server; returns when it answers."""
        with self._output.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "serve", "--setup", "--port", str(self.port)],
                cwd=ROOT,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            try:
                if httpx.get(f"{self.url}/status", headers={"Host": self.host}, timeout=2).status_code == 200:
                    return self
            except httpx.TransportError:
                if self.process.poll() is not None:
                    break
            time.sleep(0.05)
        raise RuntimeError(f"The server did not start:\n{self.log()}")

    def stop(self) -> None:
        """Ends the server and waits for it."""
        if self._beside is not None:
            self._beside.stop()
            self._beside = None
        if self.process is not None:
            self.process.terminate()
            self.process.wait(15)

    def log(self) -> str:
        """Everything that the server has printed and logged."""
        return self._output.read_text(encoding="utf-8", errors="replace") if self._output.exists() else ""

    def manage(self, *arguments: str) -> str:
        """What a management command prints on stdout."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"manage.py {arguments[0]} failed: {done.stderr}")
        return done.stdout

    def python(self, script: str) -> str:
        """What a piece of Python prints that runs with the server's settings, beside it and as quick as it can be.

        Raises RuntimeError with the traceback where it fails.
        """
        if self._beside is None:
            self._beside = Beside(ROOT, self.environment)
        return self._beside.run(script)

    def token(self, username: str, *, staff: bool = False) -> str:
        """A new token for a user, who is made if need be."""
        given = {"create": True, "staff": staff}
        call = "from django.core.management import call_command; call_command('issue_token', {!r}, **{!r})"
        return self.python(call.format(username, given)).strip()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What a query finds in the server's database, whichever that is, as its driver has it.

        A call that it finds open is given a moment: nobody waits for a settlement.
        """
        deadline = time.monotonic() + _SETTLEMENT_SECONDS
        while True:
            found = self._rows(query)
            if time.monotonic() > deadline or not any("open" in row for row in found):
                return found
            time.sleep(0.02)

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        if url := self.environment.get("DATABASE_URL"):
            with psycopg.connect(url, autocommit=True) as server:
                return server.execute(query.encode()).fetchall()
        path = self.var_dir / "gateway.sqlite3"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as file:
            return file.execute(query).fetchall()

    def call(self, token: str, body: Any, path: str = "/api/generate", **options: Any) -> httpx.Response:
        """Sends JSON with a token: a POST unless `method` says otherwise."""
        headers = {"Authorization": f"Bearer {token}", **options.pop("headers", {})}
        method = options.pop("method", "POST")
        return httpx.request(method, self.url + path, json=body, headers=headers, timeout=30, **options)
