"""The end of the server as those see it who have a WebSocket open."""

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.server.frames import SocketWire
from tests.server.stage import refused_after
from tests.server.wire import Probe

GRACE = 2.0  # seconds


@pytest.fixture
def stopping(tmp_path: Path) -> Iterator[Probe]:
    """A probe that the test will stop."""
    server = Probe(tmp_path / "log", shutdown=GRACE, notice=0.2, settle=0.5, closing=0.3)
    yield server
    server.stop()


def test_sockets_are_closed_as_soon_as_nothing_goes_on_in_them(stopping: Probe, clients: ExitStack) -> None:
    busy = clients.enter_context(SocketWire(stopping.port)).open("/echo")
    wires = [clients.enter_context(SocketWire(stopping.port)).open("/heeds") for _ in range(20)]
    late = clients.enter_context(SocketWire(stopping.port))
    began = time.monotonic()
    stopping.terminate()
    time.sleep(0.05)
    assert late.ask("/echo").rest(within=1).status == 503
    assert [wire.close_code() for wire in wires] == [1012] * len(wires)
    assert time.monotonic() - began < GRACE / 2
    assert busy.say("still answered").next().payload == b"still answered"
    assert busy.say("close").close_code() == 4001
    assert stopping.process.wait(5) == 0
    assert "cut" not in stopping.log()


def test_those_that_do_not_end_are_closed_last(stopping: Probe, clients: ExitStack) -> None:
    """One cut in its work, after its last word; one that ignores the stop, one even the cut; one that nobody reads."""
    working, waiting, clinging, stuck = (
        clients.enter_context(SocketWire(stopping.port, receive_buffer=4096)).open(path)
        for path in ("/works", "/takes", "/clings", "/flood")
    )
    began = time.monotonic()
    stopping.process.send_signal(signal.SIGTERM)
    assert refused_after(stopping.port, began) < GRACE
    assert working.next().payload == b"cut"
    assert [wire.close_code() for wire in (working, waiting, clinging)] == [1012] * 3
    assert time.monotonic() - began > GRACE
    assert stopping.process.wait(5) == 0
    assert time.monotonic() - began < GRACE + 2
    stuck.socket.close()
    assert "Traceback" not in stopping.log()
