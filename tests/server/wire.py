"""A client that reads when it is told to, and a server process with the probing application."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from tests.gateway import ROOT, free_port

_START_SECONDS = 15.0


class Got(NamedTuple):
    """All that came until the connection ended. whole: with the last chunk, or as long as announced."""

    status: int
    head: str
    body: bytes
    whole: bool
    seconds: float


class Wire:
    """A connection. receive_buffer: bytes that the kernel takes for a client that does not read."""

    def __init__(self, port: int, *, receive_buffer: int | None = None) -> None:
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(15)
        try:
            self.socket.connect(("127.0.0.1", port))
        except OSError:
            self.socket.close()
            raise
        self.opened_at = time.monotonic()
        self._begun = b""  # of an answer that was not read to its end

    def send(self, data: bytes) -> Self:
        self.socket.sendall(data)
        return self

    def get(self, path: str, *lines: str, method: str = "GET") -> Self:
        """Sends the head of a request."""
        head = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *lines]
        return self.send("\r\n".join(head).encode() + b"\r\n\r\n")

    def read_until(self, mark: bytes) -> bytes:
        """What comes up to the mark, and with it. Raises ConnectionError at an end before that."""
        data = b""
        while mark not in data:
            piece = self.socket.recv(65_536)
            if not piece:
                raise ConnectionError(data)
            data += piece
        self._begun = data
        return data

    def answer(self) -> tuple[int, bytes]:
        """One whole answer of known length: its status and body."""
        head, _, body = self.read_until(b"\r\n\r\n").partition(b"\r\n\r\n")
        announced = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        assert announced, head
        length = int(announced[1])
        while len(body) < length:
            body += self.socket.recv(length - len(body))
        self._begun = b""
        return int(head.split()[1]), body

    def rest(self, within: float = 15.0) -> Got:
        """Reads to the end of the connection. Raises TimeoutError when there is none in time."""
        data, deadline = self._begun, time.monotonic() + within
        with suppress(ConnectionResetError):
            while True:
                self.socket.settimeout(max(0.01, deadline - time.monotonic()))
                piece = self.socket.recv(1 << 20)
                if not piece:
                    break
                data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").lower()
        length = re.search(r"content-length: (\d+)", lines)
        whole = len(body) == int(length[1]) if length else body.endswith(b"0\r\n\r\n")
        seconds = time.monotonic() - self.opened_at
        return Got(int(head.split()[1]) if head else 0, lines, body, whole, seconds)

    def has_answer(self) -> bool:
        """Whether anything has come, an end too."""
        self.socket.settimeout(0)
        try:
            self.socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except ConnectionResetError:
            return True
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()


class Probe:
    """tests/server/probe.py as a child process; PROBE_SERVER=stock makes it daphne as it comes."""

    def __init__(self, log: Path, **limits: float) -> None:
        self.port = free_port()
        self._log = log
        given = [f"{name}={value}" for name, value in limits.items()]
        if stock := os.environ.get("PROBE_SERVER"):
            given.append(stock)
        with log.open("wb") as output:
            command = [sys.executable, "-m", "tests.server.probe", str(self.port), *given]
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            with suppress(ConnectionError), Wire(self.port) as wire:
                wire.get("/hello").answer()
                return
            time.sleep(0.05)
        raise RuntimeError(self.log())

    def log(self) -> str:
        return self._log.read_text(encoding="utf-8")

    def ask(self, path: str) -> tuple[int, bytes]:
        with Wire(self.port) as wire:
            return wire.get(path).answer()

    def state(self) -> tuple[int, int, int]:
        """Entries in the server's table, chunks that floods could send, streams that were closed."""
        connections, sent, ended = map(int, self.ask("/state")[1].split())
        return connections, sent, ended

    def wait_until_idle(self, within: float = 3.0) -> None:
        """Raises AssertionError when the server's table is not empty in time."""
        deadline = time.monotonic() + within
        while (entries := self.state()[0]) > 0:
            assert time.monotonic() < deadline, f"{entries} entries are left"
            time.sleep(0.02)

    @property
    def resident_megabytes(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        found = re.search(r"VmRSS:\s+(\d+)", status)
        assert found
        return int(found[1]) / 1024

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait(5)
