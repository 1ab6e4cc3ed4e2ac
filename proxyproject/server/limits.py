"""How much of everything a client is given."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What the server allows before it ends a connection, and how long it takes to stop. Times are in seconds.

    body_bytes: the largest body of a request; one that is larger is handed over as far as it has come, for the
    application to refuse. head: from the first byte of a request, or from the connection, to the end of its headers.
    body and body_rate: a body may take so many seconds, and one more for so many bytes of it that have come. stall: how
    long what was sent may wait without a single byte being taken. linger: how long the rest of a refused body is read
    and thrown away, so that the client sees the refusal. abandoned: how long an application may go on without a client.

    Of a WebSocket, message_bytes: its largest message, fragments together. waiting_messages and waiting_bytes: from how
    many on, not taken by the application yet, no more is read. handshake: how long the application may take to accept
    it. ping: how long it may be silent before it is asked for a sign of life. pong: how long it may take to give one.
    closing: how long it may take to answer a close frame.

    notice: how long connections are accepted after the signal to stop, so that load balancers see it. shutdown:
    how long after that signal running requests may go on. settle: what those have that are cut then, for a last word.
    """

    body_bytes: int = 32 * 1024 * 1024
    head: float = 10.0
    body: float = 20.0
    body_rate: int = 8192
    stall: float = 45.0
    linger: float = 2.0
    abandoned: float = 600.0
    message_bytes: int = 256 * 1024
    waiting_messages: int = 16
    waiting_bytes: int = 1024 * 1024
    handshake: float = 10.0
    ping: float = 20.0
    pong: float = 20.0
    closing: float = 10.0
    notice: float = 0.5
    shutdown: float = 30.0
    settle: float = 2.0
