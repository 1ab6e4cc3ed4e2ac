"""The end of the server: nobody is surprised. Running answers end whole or say why not, and every call is settled."""

import json
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import temporary_gateway
from tests.server.stage import CHAT, GENERATE, SILENT, Stage, read_all, refused_after
from tests.upstream import Upstream

GRACE = 2.0  # seconds


@pytest.fixture
def stage(tmp_path: Path, upstream: Upstream, clients: ExitStack) -> Iterator[Stage]:
    server = temporary_gateway(tmp_path, GATEWAY_SHUTDOWN_TIMEOUT=str(GRACE)).start()
    yield Stage(server, upstream, clients)
    assert server.process is not None
    server.process.kill()
    server.stop()


def test_what_cannot_end_in_time_is_cut_and_says_so(stage: Stage) -> None:
    told = [stage.stream("/v1/chat/completions", CHAT), stage.stream("/api/generate", GENERATE)]
    waiting = stage.post("/v1/chat/completions", SILENT)
    upload = stage.connect().get("/v1/messages", "Content-Length: 1000", method="POST").send(b"x" * 500)
    idle, kept = stage.connect(), stage.connect()
    kept.get("/status").answer()
    time.sleep(0.2)
    began = stage.signal()
    threading.Timer(0.3, stage.signal).start()
    threading.Timer(1.0, stage.signal).start()
    time.sleep(0.05)
    status, body = kept.get("/ready").answer()
    assert (status, json.loads(body)["error"]["code"]) == (503, "SERVER_STOPPING")
    status, body = stage.post("/v1/chat/completions", CHAT, stage.connect()).answer()
    assert (status, b"stopping" in body, b'"type":"server_error"' in body) == (503, True, True)
    assert 0.3 < refused_after(stage.gateway.port, began) < 1
    idle.rest(within=1)
    upload.rest(within=1)
    answers = read_all([*told, waiting])
    assert stage.exit_code(within=GRACE + 5) == 0
    assert GRACE - 0.5 < time.monotonic() - began < GRACE + 5
    for got in answers[:2]:
        assert b"The server is stopping." in got.body
        assert b"[DONE]" not in got.body
    assert (answers[2].status, b"The server is stopping." in answers[2].body) == (503, True)
    assert "retry-after: 1" in answers[2].head
    assert stage.states() == {"shutdown": 3}
    assert "Traceback" not in stage.gateway.log()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_ends_in_time_ends_whole(stage: Stage, number: int) -> None:
    wires = [stage.stream("/v1/chat/completions", CHAT) for _ in range(5)]
    began = stage.signal(number)
    threading.Timer(1.0, stage.upstream.go_on.set).start()
    for got in read_all(wires):
        assert (b"[DONE]" in got.body, got.body.endswith(b"0\r\n\r\n")) == (True, True)
    assert stage.exit_code(within=2) == 0
    assert time.monotonic() - began < GRACE + 0.5, "nothing more to wait for"
    assert stage.states() == {"done": 5}
