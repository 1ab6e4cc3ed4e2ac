"""Whose pages may open a WebSocket."""

from collections.abc import Sequence

import pytest

from proxyproject.socket_origin import may_open

OURS = ["example.org", ".example.net", "127.0.0.1", "[::1]"]
LISTED = ("https://friend.example.com", "https://*.wide.example.com", "http://127.0.0.1:5173")


def asked(scheme: str, host: str, *origins: str, hosts: Sequence[str] = OURS, **named: str) -> bool:
    headers = [(b"host", host.encode()), *((b"origin", origin.encode("latin-1")) for origin in origins)]
    headers += [(name.encode(), value.encode()) for name, value in named.items()]
    return may_open(scheme, headers, hosts, LISTED)


@pytest.mark.parametrize("hosts", [OURS, ["*"]])
@pytest.mark.parametrize(
    ("scheme", "host", "origin"),
    [
        ("ws", "example.org", "http://example.org"),
        ("ws", "example.org:80", "http://example.org"),
        ("wss", "example.org", "https://example.org"),
        ("wss", "example.org:443", "https://example.org"),
        ("ws", "example.org:8000", "http://example.org:8000"),
        ("wss", "Example.ORG:8443", "https://example.org:8443"),
        ("ws", "example.org.", "http://example.org."),
        ("ws", "127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("ws", "[::1]:8000", "http://[::1]:8000"),
        ("wss", "a.example.net", "https://a.example.net"),
        ("ws", "example.org", "https://friend.example.com"),
        ("ws", "example.org", "https://a.wide.example.com"),
        ("ws", "127.0.0.1:8000", "http://127.0.0.1:5173"),
    ],
)
def test_pages_of_ours_may(scheme: str, host: str, origin: str, hosts: list[str]) -> None:
    assert asked(scheme, host, origin, hosts=hosts)


@pytest.mark.parametrize("hosts", [OURS, ["*"]])
@pytest.mark.parametrize(
    ("scheme", "host", "origin"),
    [
        ("ws", "example.org", "null"),
        ("ws", "example.org", ""),
        ("ws", "example.org", "http://evil.example"),
        ("ws", "example.org", "https://example.org"),
        ("wss", "example.org", "http://example.org"),
        ("ws", "example.org:8000", "http://example.org"),
        ("ws", "example.org:8000", "http://example.org:8001"),
        ("ws", "example.org", "http://example.org:8000"),
        ("wss", "example.org:80", "https://example.org"),
        ("ws", "example.org", "http://a.example.org"),
        ("ws", "a.example.net", "http://b.example.net"),
        ("ws", "example.org", "http://example.org.evil.example"),
        ("ws", "example.org", "http://evilexample.org"),
        ("ws", "example.org", "http://example.org."),
        ("ws", "example.org.", "http://example.org"),
        ("ws", "example.org", "HTTP://EXAMPLE.ORG"),
        ("ws", "example.org", "http://example.org@evil.example"),
        ("ws", "example.org", "http://evil.example@example.org"),
        ("ws", "example.org", "http://user:word@example.org"),
        ("ws", "example.org", "http://example.org/"),
        ("ws", "example.org", "http://example.org/path"),
        ("ws", "example.org", "http://example.org?x"),
        ("ws", "example.org", "http://example.org#x"),
        ("ws", "example.org", "http://example.org\\.evil.example"),
        ("ws", "example.org", "http://example.org http://evil.example"),
        ("ws", "example.org", "http://example.org, http://example.org"),
        ("ws", "example.org", " http://example.org"),
        ("ws", "example.org", "http://example.org\n"),
        ("ws", "example.org", "http://\u00e9xample.org"),
        ("ws", "example.org", "ws://example.org"),
        ("ws", "example.org", "file://"),
        ("ws", "example.org", "chrome-extension://example.org"),
        ("ws", "example.org", "example.org"),
        ("ws", "example.org", "//example.org"),
        ("ws", "127.0.0.1:8000", "http://localhost:8000"),
        ("ws", "example.org", "http://friend.example.com"),
        ("ws", "example.org", "https://friend.example.com:444"),
        ("ws", "example.org", "https://friend.example.com.evil.example"),
        ("ws", "example.org", "https://evilwide.example.com"),
        ("ws", "example.org", "http://a.wide.example.com"),
        ("ftp", "example.org", "http://example.org"),
    ],
)
def test_pages_of_others_may_not(scheme: str, host: str, origin: str, hosts: list[str]) -> None:
    assert not asked(scheme, host, origin, hosts=hosts)
    assert not asked(scheme, host, origin, hosts=hosts, authorization="Token t", cookie="sessionid=x")


def test_a_host_that_is_not_ours_is_nobody() -> None:
    assert not asked("ws", "evil.example", "http://evil.example")
    assert not asked("ws", "evil.example", authorization="Token t")
    assert asked("ws", "evil.example", "http://evil.example", hosts=["*"])


@pytest.mark.parametrize("host", ["", "a b", "example.org, example.org", "example.org:x", "@example.org"])
@pytest.mark.parametrize("hosts", [OURS, ["*"]])
def test_what_is_no_host_is_nobody(host: str, hosts: list[str]) -> None:
    assert not asked("ws", host, f"http://{host}", hosts=hosts)
    assert not asked("ws", host, hosts=hosts, authorization="Token t")


def test_there_is_one_host_and_one_origin() -> None:
    ours = [(b"host", b"example.org"), (b"origin", b"http://example.org")]
    assert may_open("ws", ours, OURS, ())
    assert not may_open("ws", [*ours, ours[1]], OURS, ())
    assert not may_open("ws", [*ours, (b"origin", b"http://evil.example")], OURS, ())
    assert not may_open("ws", [*ours, ours[0]], OURS, ())
    assert not may_open("ws", ours[1:], OURS, ())


@pytest.mark.parametrize("name", [b"authorization", b"x-api-key", b"x-goog-api-key", b"xi-api-key"])
def test_a_program_needs_no_origin_but_a_credential(name: bytes) -> None:
    host, cookie = (b"host", b"example.org"), (b"cookie", b"sessionid=x")
    assert may_open("ws", [host, (name, b"x")], OURS, ())
    assert may_open("ws", [host, (name, b"x"), cookie], OURS, ())
    assert not may_open("ws", [host, (name, b" "), cookie], OURS, ())


def test_without_either_nobody_may() -> None:
    assert not asked("ws", "example.org")
    assert not asked("ws", "example.org", cookie="sessionid=x")
