"""Clients that do not read, or read slowly: they cost the server next to nothing, and never a dead one for ever."""

import time
from contextlib import ExitStack, suppress

from tests.server.conftest import STALL
from tests.server.wire import Probe, Wire

FLOOD = 26_214_400  # bytes of a whole flood
KERNEL = 8_000_000  # bytes that vanish into the kernel's buffers whatever a server does


def test_a_client_that_does_not_read_stops_the_stream_and_is_dropped(probe: Probe, clients: ExitStack) -> None:
    _, sent_before, ended_before = probe.state()
    before = probe.resident_megabytes
    wires = [clients.enter_context(Wire(probe.port, receive_buffer=4096)).get("/flood") for _ in range(5)]
    time.sleep(STALL / 2)
    _, sent, ended = probe.state()
    assert (sent - sent_before) * 65_536 < len(wires) * KERNEL
    assert ended == ended_before
    assert probe.resident_megabytes - before < 10
    deadline = time.monotonic() + 2 * STALL
    while probe.state()[2] < ended_before + len(wires):
        assert time.monotonic() < deadline, "still waiting for a client that reads nothing"
        time.sleep(0.02)
    assert not any(wire.rest().whole for wire in wires)
    probe.wait_until_idle()


def test_a_slow_reader_gets_every_byte(probe: Probe) -> None:
    with Wire(probe.port, receive_buffer=65_536).get("/flood", "Connection: close") as wire:
        size, began = 0, time.monotonic()
        while piece := wire.socket.recv(1 << 18):
            size += len(piece)
            time.sleep(0.01)
        assert size > FLOOD
        assert time.monotonic() - began > 2 * STALL, "longer than anybody may stall"


def test_a_client_that_reads_nothing_after_the_end_is_dropped(probe: Probe, clients: ExitStack) -> None:
    """The application is done; what is left of its answer must not be held for ever, whether the connection is kept."""
    wires = [clients.enter_context(Wire(probe.port, receive_buffer=4096)) for _ in range(2)]
    wires[0].get("/big")
    wires[1].get("/big", "Connection: close")
    time.sleep(2 * STALL)
    for wire in wires:
        got = wire.rest()
        assert (got.status, got.whole) == (200, False)


def test_others_are_answered_while_one_streams_without_a_pause(probe: Probe) -> None:
    with Wire(probe.port).get("/flood", "Connection: close") as wire:
        longest = 0.0
        for _ in range(20):
            began = time.monotonic()
            probe.ask("/hello")
            longest = max(longest, time.monotonic() - began)
        assert wire.rest().whole
    assert longest < 0.5


def test_surplus_bytes_do_not_hide_that_a_client_has_left(probe: Probe) -> None:
    ended = probe.state()[2]
    with Wire(probe.port).get("/waits") as wire:
        wire.read_until(b"one")
        with suppress(ConnectionError):  # ending it then and there is an answer too
            for _ in range(4):
                wire.send(b"x" * 10_000)
                time.sleep(0.05)
    deadline = time.monotonic() + 1
    while probe.state()[2] == ended:
        assert time.monotonic() < deadline
        time.sleep(0.02)
