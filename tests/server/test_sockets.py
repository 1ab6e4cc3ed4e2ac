"""WebSockets: what a client may do in them, and that it costs little to be flooded by it or not to be read by it."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any

import pytest

from tests.server.frames import BINARY, CLOSE, PING, PONG, TEXT, SocketWire, frame, head
from tests.server.wire import Probe

STALL, SILENCE, HANDSHAKE = 1.0, 0.7, 0.5  # seconds, the limits
LARGEST = 262_144  # bytes of a message
KERNEL = 8_000_000  # bytes that vanish into the kernel's buffers whatever a server does


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Probe]:
    limits = {"stall": STALL, "ping": SILENCE, "pong": SILENCE, "handshake": HANDSHAKE, "linger": 0.5, "closing": 0.8}
    server = Probe(tmp_path_factory.mktemp("sockets") / "log", **limits)
    yield server
    server.stop()


def connect(probe: Probe, clients: ExitStack, *, receive_buffer: int | None = None) -> SocketWire:
    return clients.enter_context(SocketWire(probe.port, receive_buffer=receive_buffer))


def told(probe: Probe) -> Any:
    return json.loads(probe.ask("/sockets")[1])


def wait_for(probe: Probe, name: str, value: int, within: float = 5.0) -> None:
    deadline = time.monotonic() + within
    while told(probe)[name] < value:
        assert time.monotonic() < deadline, told(probe)
        time.sleep(0.02)


def test_what_is_said_comes_back(probe: Probe, clients: ExitStack) -> None:
    wire = connect(probe, clients).open("/echo")
    for sent, opcode in (("grüße".encode(), TEXT), (b"\xff\x00", BINARY), (b"", TEXT), (b"x" * LARGEST, BINARY)):
        assert wire.send(frame(sent, opcode)).next() == (opcode, sent, 8)
    wire.send(frame(b"a", fin=False) + frame(b"ping", PING) + frame(b"", 0, fin=False) + frame(b"b", 0))
    assert [wire.next()[:2] for _ in range(2)] == [(PONG, b"ping"), (TEXT, b"ab")]
    assert wire.send(frame(b"\x0f\xa1", CLOSE)).next().opcode == CLOSE
    assert wire.rest(within=1).body == b""
    probe.wait_until_idle()
    assert told(probe)["codes"][-1] == 4001


def test_bytes_that_come_one_by_one_are_a_message_too(probe: Probe, clients: ExitStack) -> None:
    wire = connect(probe, clients).open("/echo")
    for byte in frame(b"drip", fin=False) + frame(b"drop", 0):
        wire.send(bytes([byte]))
        time.sleep(0.005)
    assert wire.next().payload == b"dripdrop"


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (head(LARGEST + 1), 1009),
        (head(1 << 62), 1009),
        (frame(b"x" * 200_000, fin=False) + head(100_000, 0), 1009),
        (frame(b"x", masked=False), 1002),
        (frame(b"x", rsv=4), 1002),
        (frame(b"x", 3), 1002),
        (frame(b"x", 0), 1002),
        (frame(b"x", fin=False) + frame(b"y"), 1002),
        (frame(b"x" * 126, PING), 1002),
        (head(1 << 40, PING), 1002),
        (frame(b"x", PING, fin=False), 1002),
        (frame(b"\xff"), 1007),
        (frame("ü".encode()[:1]), 1007),
        (frame(b"\x03\xed", CLOSE), 1002),
    ],
)
def test_what_is_wrong_ends_with_the_reason(probe: Probe, clients: ExitStack, sent: bytes, code: int) -> None:
    wire = connect(probe, clients).open("/takes")
    before = told(probe)["taken"]
    wire.send(sent)
    assert (wire.close_code(), told(probe)["taken"]) == (code, before)
    probe.wait_until_idle()
    assert told(probe)["codes"][-1] == code


def test_who_sends_on_after_that_is_not_listened_to(probe: Probe, clients: ExitStack) -> None:
    wire = connect(probe, clients).open("/takes")
    before, began = probe.resident_megabytes, time.monotonic()
    with pytest.raises(ConnectionError):
        wire.send(head(1 << 40, PING))
        while time.monotonic() < began + 5:
            wire.send(b"x" * 65_536)
    assert time.monotonic() - began < 2
    assert probe.resident_megabytes - before < 5
    probe.wait_until_idle()


@pytest.mark.parametrize(("path", "status"), [("/refuses", 403), ("/fails", 500), ("/nothing", 500), ("/thinks", 503)])
def test_the_application_decides_about_a_handshake(probe: Probe, clients: ExitStack, path: str, status: int) -> None:
    got = connect(probe, clients).ask(path).rest(within=HANDSHAKE + 1)
    assert (got.status, got.whole, json.loads(got.body)["success"]) == (status, True, False)


@pytest.mark.parametrize(
    ("lines", "method", "status"),
    [
        (("Sec-WebSocket-Version: 8",), "GET", 400),
        (("Content-Length: 5",), "GET", 400),
        ((), "POST", 405),
    ],
)
def test_what_is_no_handshake_is_refused(
    probe: Probe, clients: ExitStack, lines: tuple[str, ...], method: str, status: int
) -> None:
    wire = connect(probe, clients).ask("/echo", *lines, method=method)
    if lines == ("Content-Length: 5",):
        wire.send(b"hello")
    got = wire.rest(within=1)
    assert (got.status, got.whole) == (status, True)
    probe.wait_until_idle()


def test_who_speaks_before_the_answer_is_cut_off(probe: Probe, clients: ExitStack) -> None:
    wire = connect(probe, clients).ask("/thinks")
    time.sleep(0.1)
    assert wire.say("hello").rest(within=HANDSHAKE / 2).status == 0


def test_compression_is_not_agreed_to(probe: Probe, clients: ExitStack) -> None:
    wire = connect(probe, clients).ask("/echo", "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits")
    status, answer = wire.answered()
    assert (status, b"extensions" in answer.lower()) == (101, False)


def test_no_header_of_a_client_moves_a_path(probe: Probe, clients: ExitStack) -> None:
    wire = connect(probe, clients).open("/echo", "Daphne-Root-Path: /ec")
    scope = json.loads(wire.say("scope").next().payload)
    assert (scope["scheme"], scope["path"], scope["root_path"]) == ("ws", "/echo", "")


@pytest.mark.parametrize(("text", "code"), [("fail", 1011), ("leave", 1000), ("close", 4001)])
def test_the_end_of_an_application_is_the_end_of_its_socket(
    probe: Probe, clients: ExitStack, text: str, code: int
) -> None:
    assert connect(probe, clients).open("/echo").say(text).close_code() == code
    probe.wait_until_idle()


def test_who_does_not_answer_a_close_frame_is_cut_off(probe: Probe, clients: ExitStack) -> None:
    wire = connect(probe, clients).open("/echo")
    wire.send(frame(b"close") + frame(b"and another thing"))  # at once: it is cut off soon
    assert wire.next().code == 4001
    assert wire.rest(within=3).body == b""
    probe.wait_until_idle()


def test_a_client_that_is_silent_is_asked_and_then_ended(probe: Probe, clients: ExitStack) -> None:
    dead, alive = connect(probe, clients).open("/echo"), connect(probe, clients).open("/echo")
    began = time.monotonic()
    assert dead.next_of_any_kind().opcode == PING
    assert SILENCE * 0.8 < time.monotonic() - began < SILENCE * 2
    for _ in range(3):
        got = alive.next_of_any_kind()
        assert got.opcode == PING
        alive.send(frame(got.payload, PONG))
    assert time.monotonic() - began > 2 * SILENCE
    assert dead.rest(within=0.1).body == b""
    assert alive.say("still here").next().payload == b"still here"


def test_a_client_that_does_not_read_stops_the_application_and_is_dropped(probe: Probe, clients: ExitStack) -> None:
    sent, ended, before = told(probe)["sent"], told(probe)["ended"], probe.resident_megabytes
    wires = [connect(probe, clients, receive_buffer=4096).open("/flood") for _ in range(5)]
    time.sleep(STALL / 2)
    now = told(probe)
    assert 0 < (now["sent"] - sent) * 65_536 < len(wires) * KERNEL
    assert now["ended"] == ended
    assert probe.resident_megabytes - before < 10
    wires.pop().socket.close()  # its application goes on without waiting for it
    wait_for(probe, "ended", ended + 5, within=3 * STALL)
    probe.wait_until_idle()


def test_a_slow_reader_gets_every_message(probe: Probe, clients: ExitStack) -> None:
    wire = connect(probe, clients, receive_buffer=65_536).open("/flood")
    for number in range(400):
        assert wire.next().payload[:2] == number.to_bytes(2, "big")
        time.sleep(0.003)


def test_who_asks_for_pongs_and_takes_none_is_dropped(probe: Probe, clients: ExitStack) -> None:
    wire, before = connect(probe, clients, receive_buffer=4096).open("/takes"), probe.resident_megabytes
    pings, began = frame(b"x" * 125, PING) * 500, time.monotonic()
    with pytest.raises(ConnectionError):
        while time.monotonic() < began + 8:
            wire.send(pings)
            assert probe.resident_megabytes - before < 6
    probe.wait_until_idle()


def test_messages_that_the_application_does_not_take_stay_with_the_client(probe: Probe, clients: ExitStack) -> None:
    """It takes none for a second; what was sent then comes, in order and whole, after it."""
    before, taken = probe.resident_megabytes, told(probe)["bytes"]
    wire = connect(probe, clients).open("/sleeps")
    wire.socket.settimeout(0.5)
    stream, sent = memoryview(frame(bytes(200_000), BINARY) * 150), 0
    with pytest.raises(TimeoutError):
        while sent < len(stream):
            sent += wire.socket.send(stream[sent:])
    assert sent < 2 * KERNEL
    assert probe.resident_megabytes - before < 6
    wire.socket.settimeout(15)
    wire.socket.sendall(stream[sent:])
    wait_for(probe, "bytes", taken + 150 * 200_000)


def test_a_flood_of_tiny_frames_costs_little_and_lets_others_in(probe: Probe, clients: ExitStack) -> None:
    before, taken = probe.resident_megabytes, told(probe)["taken"]
    wire = connect(probe, clients).open("/takes")
    wire.socket.setblocking(False)
    frames, longest, most = memoryview(frame(b"x") * 100_000), 0.0, 0.0
    while frames or told(probe)["taken"] < taken + 100_000:
        with suppress(BlockingIOError):
            frames = frames[wire.socket.send(frames) :] if frames else frames
        time.sleep(0.05)
        began = time.monotonic()
        assert probe.ask("/hello") == (200, b"hello")
        longest = max(longest, time.monotonic() - began)
        most = max(most, probe.resident_megabytes - before)
    assert longest < 1
    assert most < 5


def test_a_message_in_tiny_fragments_costs_what_it_holds(probe: Probe, clients: ExitStack) -> None:
    wire = connect(probe, clients).open("/takes")
    before, size = probe.resident_megabytes, told(probe)["bytes"]
    wire.send(frame(b"xx", fin=False) + frame(b"xx", 0, fin=False) * 100_000 + frame(b"all of it?", PING))
    assert wire.next().payload == b"all of it?"
    assert probe.resident_megabytes - before < 3
    wire.send(frame(b"", 0))
    wait_for(probe, "bytes", size + 200_002)
