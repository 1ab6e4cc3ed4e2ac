"""The server under many clients that do not read, do not send or are still there when it stops."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.ledger_processes import Database
from tests.server.stage import CHAT, GENERATE, Stage, read_all, refused_after
from tests.server.wire import Probe, Wire
from tests.serving import gateway_on
from tests.upstream import Upstream

pytestmark = pytest.mark.long

GRACE = 5.0  # seconds
KERNEL = 8_000_000  # bytes that vanish into the kernel's buffers whatever a server does
STREAMS = 50


@pytest.fixture
def probe(tmp_path: Path) -> Iterator[Probe]:
    server = Probe(tmp_path / "log")
    yield server
    server.stop()


@pytest.fixture
def clients() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def slowest(probe: Probe, calls: int) -> float:
    """Seconds that the slowest of some good calls took."""
    longest = 0.0
    for _ in range(calls):
        began = time.monotonic()
        assert probe.ask("/hello") == (200, b"hello")
        longest = max(longest, time.monotonic() - began)
    return longest


def test_twenty_clients_that_do_not_read(probe: Probe, clients: ExitStack) -> None:
    before = probe.resident_megabytes
    for _ in range(20):
        clients.enter_context(Wire(probe.port, receive_buffer=4096)).get("/flood")
    began, peak = time.monotonic(), 0.0
    while probe.state()[2] < 20:
        assert time.monotonic() - began < 60, "a client that reads nothing is dropped within a minute"
        peak = max(peak, probe.resident_megabytes)
        time.sleep(0.1)
    assert time.monotonic() - began > 40, "but not at once"
    assert peak - before < 25
    assert probe.state()[1] * 65_536 < 20 * KERNEL
    probe.wait_until_idle()


def test_five_hundred_half_open_requests(probe: Probe, clients: ExitStack) -> None:
    usual = slowest(probe, 200)
    wires = [clients.enter_context(Wire(probe.port)) for _ in range(600)]
    for wire in wires[:500]:
        wire.send(b"GET /hello HTTP/1.1\r\nX-A: ")
    for wire in wires[500:]:
        wire.get("/upload", "Content-Length: 1000", method="POST")
    began = time.monotonic()
    open_ones, longest = wires, 0.0
    while open_ones:
        assert time.monotonic() - began < 23, f"{len(open_ones)} are still open"
        for wire in open_ones:
            if int(time.monotonic() - began) % 2:
                with suppress(OSError):
                    wire.socket.send(b"x")
        longest = max(longest, slowest(probe, 5))
        open_ones = [wire for wire in open_ones if not wire.has_answer()]
    assert longest < max(1.0, 4 * usual)
    probe.wait_until_idle()


@pytest.mark.parametrize("ends", ["whole", "cut"])
def test_fifty_streams_when_the_server_stops(
    upstream: Upstream, clients: ExitStack, scratch_database: Database, ends: str
) -> None:
    gateway = gateway_on(scratch_database, GATEWAY_SHUTDOWN_TIMEOUT=str(GRACE)).start()
    try:
        stage = Stage(gateway, upstream, clients)
        bodies = [("/v1/chat/completions", CHAT), ("/api/generate", GENERATE)]
        wires = [stage.stream(*bodies[number % 2]) for number in range(STREAMS)]
        uploads = [stage.connect().get("/v1/messages", "Content-Length: 999", method="POST") for _ in range(5)]
        idle = [stage.connect() for _ in range(20)]
        for wire in idle[:10]:
            wire.get("/status").answer()
        began = stage.signal()
        threading.Timer(0.5, stage.signal).start()
        threading.Timer(2.0, stage.signal).start()
        time.sleep(0.05)
        status, _ = idle[0].get("/ready").answer()
        assert status == 503
        assert refused_after(gateway.port, began) < 1
        assert all(got.status == 0 for got in read_all([*uploads, *idle[1:]]))
        if ends == "whole":
            threading.Timer(1.0, upstream.go_on.set).start()
        answers = read_all(wires)
        assert stage.exit_code(within=GRACE + 5) == 0
        assert time.monotonic() - began < GRACE + 5
        for got in answers:
            assert got.whole
            assert (b"[DONE]" in got.body) == (ends == "whole")
            assert (b"The server is stopping." in got.body) == (ends == "cut")
        assert stage.states() == {"done" if ends == "whole" else "shutdown": STREAMS}
    finally:
        if gateway.process is not None and gateway.process.poll() is None:
            gateway.process.kill()
            gateway.process.wait(5)
