"""A WebSocket's client that can do what no library lets one do."""

import socket
import struct
from typing import NamedTuple, Self

from tests.server.wire import Wire

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
_MASK = b"\x01\x02\x03\x04"
_KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # the answer to that key, from RFC 6455


class Frame(NamedTuple):
    """A frame from the server."""

    opcode: int
    payload: bytes
    flags: int

    @property
    def code(self) -> int:
        """The code of a close frame; 1005 where it has none."""
        return int.from_bytes(self.payload[:2], "big") if self.payload else 1005


def frame(payload: bytes, opcode: int = TEXT, *, fin: bool = True, rsv: int = 0, masked: bool = True) -> bytes:
    """A frame as a client sends it; or as it must not."""
    return head(len(payload), opcode, fin=fin, rsv=rsv, masked=masked) + (_xor(payload) if masked else payload)


def head(length: int, opcode: int = TEXT, *, fin: bool = True, rsv: int = 0, masked: bool = True) -> bytes:
    """The beginning of a frame, up to its payload."""
    first, flag = fin << 7 | rsv << 4 | opcode, masked << 7
    if length < 126:
        begun = struct.pack("!BB", first, flag | length)
    elif length < 65_536:
        begun = struct.pack("!BBH", first, flag | 126, length)
    else:
        begun = struct.pack("!BBQ", first, flag | 127, length)
    return begun + (_MASK if masked else b"")


def _xor(payload: bytes) -> bytes:
    mask = (_MASK * (len(payload) // 4 + 1))[: len(payload)]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(mask, "big")).to_bytes(len(payload), "big")


class SocketWire(Wire):
    """A connection that asks to become a WebSocket."""

    def __init__(self, port: int, *, receive_buffer: int | None = None) -> None:
        super().__init__(port, receive_buffer=receive_buffer)
        self.port = port
        self._come = b""

    def ask(self, path: str, *lines: str, host: str | None = None, method: str = "GET") -> Self:
        """Sends the handshake."""
        named = host if host is not None else f"127.0.0.1:{self.port}"
        upgrade = (
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {_KEY}",
        )
        head = [f"{method} {path} HTTP/1.1", f"Host: {named}", *upgrade, *lines]
        return self.send("\r\n".join(head).encode("latin-1") + b"\r\n\r\n")

    def answered(self) -> tuple[int, bytes]:
        """The status of the answer to the handshake, and its head."""
        answer, _, self._come = self.read_until(b"\r\n\r\n").partition(b"\r\n\r\n")
        return int(answer.split()[1]), answer

    def open(self, path: str, *lines: str) -> Self:
        """A socket that was accepted."""
        status, answer = self.ask(path, *lines).answered()
        assert (status, ACCEPT in answer) == (101, True), answer
        return self

    def say(self, text: str) -> Self:
        return self.send(frame(text.encode()))

    def next(self) -> Frame:
        """The next frame, once pings are answered. Raises ConnectionError where the connection ends instead."""
        while (got := self.next_of_any_kind()).opcode == PING:
            self.send(frame(got.payload, PONG))
        return got

    def next_of_any_kind(self) -> Frame:
        """The next frame, pings too."""
        first, second = self._take(2)
        length = second & 127
        if length > 125:
            length = int.from_bytes(self._take(2 if length == 126 else 8), "big")
        return Frame(first & 15, self._take(length), first >> 4)

    def _take(self, count: int) -> bytes:
        while len(self._come) < count:
            piece = self.socket.recv(1 << 18)
            if not piece:
                raise ConnectionError("the connection has ended")
            self._come += piece
        taken, self._come = self._come[:count], self._come[count:]
        return taken

    def close_code(self) -> int:
        """The code of the close frame, whatever comes before it; answers it and waits for the end."""
        while (got := self.next()).opcode != CLOSE:
            pass
        try:
            self.send(frame(got.payload[:2], CLOSE)).socket.shutdown(socket.SHUT_WR)
            self.rest(within=3)
        except OSError:
            pass  # it did not wait for an answer
        return got.code
