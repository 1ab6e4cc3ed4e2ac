"""Who gets through a handshake, with what stands round the gateway's own socket, and what the access log says of it."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.gateway import Gateway
from tests.server.frames import SocketWire, frame
from tests.server.wire import Probe


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Probe]:
    server = Probe(tmp_path_factory.mktemp("handshakes") / "log")
    yield server
    server.stop()


def status_of(probe: Probe, clients: ExitStack, *lines: str, host: str | None = None) -> int:
    wire = clients.enter_context(SocketWire(probe.port)).ask("/guarded", *lines, host=host)
    return wire.answered()[0]


def line_of(log: Callable[[], str], name: str) -> list[str]:
    """The words of the access log's line for that request, once it is there: it comes after the answer."""
    deadline = time.monotonic() + 3
    while not (lines := [line for line in log().splitlines() if f"[{name}]" in line and " WS " in line]):
        assert time.monotonic() < deadline, log()
        time.sleep(0.01)
    (line,) = lines
    return line[line.index(" WS ") :].split()


def test_pages_of_ours_get_through(probe: Probe, clients: ExitStack) -> None:
    ours = f"127.0.0.1:{probe.port}"
    assert status_of(probe, clients, f"Origin: http://{ours}", "Cookie: sessionid=x") == 101
    assert status_of(probe, clients, f"Origin: https://{ours}", "X-Forwarded-Proto: https") == 101
    assert status_of(probe, clients, "Authorization: Token t") == 101


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("Cookie: sessionid=x",),
        ("Origin: null", "Authorization: Token t"),
        ("Origin: http://evil.example", "Cookie: sessionid=x"),
        ("Origin: http://127.0.0.1", "Cookie: sessionid=x"),
        ("Origin: https://127.0.0.1:{port}",),
        ("Origin: http://127.0.0.1:{port}", "X-Forwarded-Proto: https"),
        ("Origin: http://127.0.0.1:{port}@evil.example",),
        ("Origin: http://127.0.0.1:{port}.",),
    ],
)
def test_all_others_are_refused(probe: Probe, clients: ExitStack, lines: tuple[str, ...]) -> None:
    assert status_of(probe, clients, *(line.format(port=probe.port) for line in lines)) == 403


def test_two_origins_are_none(probe: Probe, clients: ExitStack) -> None:
    ours = f"Origin: http://127.0.0.1:{probe.port}"
    assert status_of(probe, clients, ours, "Origin: http://evil.example") == 403
    assert status_of(probe, clients, ours, ours) == 403


def test_a_host_of_others_is_refused(probe: Probe, clients: ExitStack) -> None:
    lines = ("Origin: http://evil.example", "Authorization: Token t")
    assert status_of(probe, clients, *lines, host="evil.example") == 403
    assert status_of(probe, clients, lines[1], host="evil.example") == 403


def test_what_a_proxy_says_is_believed(probe: Probe, clients: ExitStack) -> None:
    wire = clients.enter_context(SocketWire(probe.port))
    forwarded = ("X-Forwarded-Proto: https", "X-Forwarded-For: 203.0.113.7", "Authorization: Token t")
    scope = json.loads(wire.open("/guarded", *forwarded).say("scope").next().payload)
    assert (scope["scheme"], scope["client"][0]) == ("wss", "203.0.113.7")


def test_a_socket_has_an_id_and_a_line_in_the_log(probe: Probe, clients: ExitStack) -> None:
    wire = clients.enter_context(SocketWire(probe.port))
    status, answer = wire.ask("/guarded", "Authorization: Token t", "X-Request-ID: talkative").answered()
    assert (status, b"X-Request-ID: talkative".lower() in answer.lower()) == (101, True)
    assert wire.say("gr\u00fc\u00dfe").next().payload.decode() == "gr\u00fc\u00dfe"
    assert wire.send(frame(b"12345", 2)).next().payload == b"12345"
    assert "talkative" not in probe.log(), "it is written at the end"
    wire.send(frame(b"\x03\xe8", 8))
    assert line_of(probe.log, "talkative")[:4] == ["WS", "/guarded", "101", "12"]


def test_a_failure_in_a_socket_is_told_and_logged(probe: Probe, clients: ExitStack) -> None:
    wire = clients.enter_context(SocketWire(probe.port))
    wire.open("/guarded", "Authorization: Token t", "X-Request-ID: unlucky")
    assert wire.say("fail").close_code() == 1011
    assert line_of(probe.log, "unlucky")[:4] == ["WS", "/guarded", "101", "0"]


@pytest.mark.parametrize("path", ["/ws/chat", "/ws/chat/x", "/ws/", "/", "/api/chat", "/ws/chat/;x", "/x/ws/chat/"])
def test_there_is_no_other_socket(gateway: Gateway, clients: ExitStack, user_token: str, path: str) -> None:
    wire = clients.enter_context(SocketWire(gateway.port))
    got = wire.ask(path, f"Authorization: Token {user_token}", "Daphne-Root-Path: /x").rest(within=2)
    assert (got.status, json.loads(got.body)["error"]["code"]) == (403, "FORBIDDEN")


def test_a_foreign_page_gets_no_socket(gateway: Gateway, clients: ExitStack) -> None:
    wire = clients.enter_context(SocketWire(gateway.port))
    lines = ("Origin: http://evil.example", "Cookie: sessionid=x", "X-Request-ID: foreign-page")
    assert wire.ask("/ws/chat/", *lines).rest(within=2).status == 403
    assert line_of(gateway.log, "foreign-page")[:4] == ["WS", "/ws/chat/", "403", "0"]
