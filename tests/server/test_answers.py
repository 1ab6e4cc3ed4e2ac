"""Applications that break: their clients never take a broken answer for a whole one, and nothing of it stays."""

import pytest

from tests.server.wire import Probe, Wire


@pytest.mark.parametrize("path", ["/raises", "/cancels"])
def test_a_stream_that_fails_is_visibly_broken_and_leaves_nothing(probe: Probe, path: str) -> None:
    for _ in range(20):
        with Wire(probe.port).get(path) as wire:
            got = wire.rest(within=2)
            assert (got.status, b"one\n" in got.body, got.whole) == (200, True, False)
    for _ in range(10):
        with Wire(probe.port) as wire:
            for _ in range(50):
                assert wire.get("/hello").answer() == (200, b"hello")
    probe.wait_until_idle()
    if path == "/raises":
        assert probe.log().count("in the middle") == 20, "one line each"


def test_http_1_0_without_a_length_is_reset(probe: Probe) -> None:
    """Where the end of the connection is the end of the body, only a reset can say that it is none."""
    with Wire(probe.port).send(b"GET /raises HTTP/1.0\r\n\r\n") as wire, pytest.raises(ConnectionResetError):
        while wire.socket.recv(4096):
            pass


@pytest.mark.parametrize("path", ["/no-head", "/no-body"])
def test_what_fails_before_the_first_byte_is_a_500(probe: Probe, path: str) -> None:
    with Wire(probe.port) as wire:
        status, body = wire.get(path).answer()
        assert (status, b"INTERNAL_ERROR" in body) == (500, True)
        assert wire.get("/hello").answer() == (200, b"hello"), "on the same connection"


@pytest.mark.parametrize(("method", "path"), [("HEAD", "/pieces"), ("GET", "/status/204"), ("GET", "/status/304")])
def test_no_byte_of_a_body_that_must_not_be(probe: Probe, method: str, path: str) -> None:
    with Wire(probe.port) as wire:
        wire.get(path, method=method)
        head, _, after = wire.read_until(b"\r\n\r\n").partition(b"\r\n\r\n")
        assert b"HTTP/1.1 " in head
        assert wire.get("/hello").answer() == (200, b"hello"), "the next answer begins where it should"
        assert after == b""
