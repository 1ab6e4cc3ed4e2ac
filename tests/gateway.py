"""A real server process for the tests: its own VAR_DIR, its own port, production settings."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parent.parent
_START_SECONDS = 30.0
_NOT_INHERITED = {"DJANGO_SETTINGS_MODULE", "DATABASE_URL", "REDIS_URL", "DEBUG"}


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
        self._output = var_dir.parent / f"{var_dir.name}-server.log"
        self.process: subprocess.Popen[bytes] | None = None

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
                if httpx.get(f"{self.url}/status", timeout=2).status_code == 200:
                    return self
            except httpx.TransportError:
                if self.process.poll() is not None:
                    break
            time.sleep(0.05)
        raise RuntimeError(f"The server did not start:\n{self.log()}")

    def stop(self) -> None:
        """Ends the server and waits for it."""
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

    def token(self, username: str, *, staff: bool = False) -> str:
        """A new token for a user, who is made if need be."""
        return self.manage("issue_token", username, "--create", *(["--staff"] if staff else [])).strip()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What a query finds in the server's database, whichever that is."""
        script = (
            "import json; from django.db import connection; c = connection.cursor(); "
            f"c.execute({query!r}); print(json.dumps(c.fetchall(), default=str))"
        )
        return [tuple(row) for row in json.loads(self.manage("shell", "--no-imports", "-c", script))]

    def call(self, token: str, body: Any, path: str = "/api/generate", **options: Any) -> httpx.Response:
        """Sends JSON with a token: a POST unless `method` says otherwise."""
        headers = {"Authorization": f"Bearer {token}", **options.pop("headers", {})}
        method = options.pop("method", "POST")
        return httpx.request(method, self.url + path, json=body, headers=headers, timeout=30, **options)
