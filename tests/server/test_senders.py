"""Clients that send too slowly or too much: the head in time, the body at a pace, and no more of it than allowed."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.gateway import Gateway
from tests.server.conftest import BODY, HEAD
from tests.server.wire import Got, Probe, Wire

LIMIT = 32 * 1024 * 1024
UPLOAD = b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"


def dripped(wire: Wire, beginning: bytes, drip: bytes) -> Got:
    """What comes of a client that sends a little every tenth of a second."""
    wire.send(beginning)
    over = threading.Event()

    def send() -> None:
        while not over.wait(0.1):
            try:
                wire.socket.send(drip)
            except OSError:
                return

    sender = threading.Thread(target=send)
    sender.start()
    try:
        return wire.rest(within=6)
    finally:
        over.set()
        sender.join()


DRIPS = {  # how it begins and goes on, the limit that ends it, and the status that it is told
    "silent": (b"", b"", HEAD, 0),
    "headers": (b"GET /hello HTTP/1.1\r\n", b"X-A: b\r\n", HEAD, 408),
    "request-line": (b"GET", b"x", HEAD, 408),
    "body": (UPLOAD, b"x", BODY, 408),
    "no-body": (UPLOAD, b"", BODY, 408),
}


@pytest.fixture(scope="module")
def drips(probe: Probe) -> dict[str, Got]:
    """What comes of each, all at once, since they do little but wait."""

    def one(name: str) -> Got:
        with Wire(probe.port) as wire:
            return dripped(wire, *DRIPS[name][:2])

    with ThreadPoolExecutor(len(DRIPS)) as clients:
        return dict(zip(DRIPS, clients.map(one, DRIPS), strict=True))


@pytest.mark.parametrize("name", DRIPS)
def test_a_drip_is_ended(probe: Probe, drips: dict[str, Got], name: str) -> None:
    (_, _, limit, status), got = DRIPS[name], drips[name]
    assert got.status == status
    assert limit * 0.8 < got.seconds < limit + 1
    if status:
        assert b"REQUEST_TIMEOUT" in got.body
    probe.wait_until_idle()


def test_a_second_request_on_a_kept_connection_has_its_deadline_too(probe: Probe) -> None:
    with Wire(probe.port) as wire:
        wire.get("/hello").answer()
        time.sleep(HEAD * 1.5)
        assert wire.get("/hello").answer()[0] == 200, "an idle connection is no slow request"
        assert dripped(wire, b"GET / HTTP/1.1\r\n", b"").status == 408


def test_a_slow_but_steady_upload_arrives(probe: Probe) -> None:
    """It takes longer than the deadline for a body; its pace is what counts."""
    with Wire(probe.port) as wire:
        wire.get("/upload", "Content-Length: 40000", method="POST")
        for _ in range(20):
            time.sleep(BODY * 2 / 20)
            wire.send(b"x" * 2000)
        assert wire.answer() == (200, b"40000")


def announced(wire: Wire) -> None:
    wire.get("/upload", f"Content-Length: {LIMIT + 1}", "Expect: 100-continue", method="POST")


def begun(wire: Wire) -> None:
    wire.get("/upload", "Content-Length: 200000000", method="POST").send(b"x" * 100_000)


def chunked(wire: Wire) -> None:
    wire.get("/upload", "Transfer-Encoding: chunked", method="POST")
    for _ in range(33):
        wire.send(b"100000\r\n" + bytes(0x100000) + b"\r\n")


@pytest.mark.parametrize("upload", [announced, begun, chunked])
def test_a_body_over_the_limit_is_refused_before_it_is_there(probe: Probe, upload: Callable[[Wire], None]) -> None:
    with Wire(probe.port) as wire:
        upload(wire)
        got = wire.rest(within=5)
    assert (got.status, got.whole, b"PAYLOAD_TOO_LARGE" in got.body) == (413, True, True)
    assert "connection: close" in got.head
    probe.wait_until_idle()


def test_a_client_that_sends_all_before_it_reads_sees_the_refusal(probe: Probe) -> None:
    before = probe.resident_megabytes
    with Wire(probe.port) as wire:
        wire.get("/upload", "Content-Length: 100000000", method="POST")
        for _ in range(100):
            wire.send(bytes(1_000_000))
        assert wire.rest().status == 413
    assert probe.resident_megabytes - before < 20


@pytest.mark.parametrize(("more", "status"), [(0, 200), (1, 413)])
def test_the_limit_is_exact(probe: Probe, more: int, status: int) -> None:
    with Wire(probe.port) as wire:
        wire.get("/upload", "Transfer-Encoding: chunked", method="POST")
        wire.send(b"%x\r\n" % (LIMIT + more) + bytes(LIMIT + more) + b"\r\n0\r\n\r\n")
        assert wire.answer()[0] == status


def test_a_length_of_thousands_of_digits_is_a_bad_request(probe: Probe) -> None:
    with Wire(probe.port) as wire:
        assert wire.get("/upload", "Content-Length: " + "9" * 5000, method="POST").rest(within=2).status == 400


@pytest.mark.parametrize(
    ("path", "words"),
    [("/v1/messages", b'"type":"request_too_large"'), ("/api/generate", b'"code":"PAYLOAD_TOO_LARGE"')],
)
def test_the_refusal_has_the_shape_of_the_path(gateway: Gateway, user_token: str, path: str, words: bytes) -> None:
    with Wire(gateway.port) as wire:
        wire.get(path, f"Authorization: Bearer {user_token}", "Content-Length: 99999999", method="POST")
        got = wire.rest(within=5)
    assert got.status == 413
    assert words in got.body
