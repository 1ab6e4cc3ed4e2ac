"""A mail server for one test: it takes everything, and sends nothing on."""

import queue
import socketserver
import threading
from email import message_from_bytes, policy
from email.message import EmailMessage


class _Talk(socketserver.StreamRequestHandler):
    """One conversation in SMTP (RFC 5321), of which a client needs no more than this."""

    def handle(self) -> None:
        self._say(b"220 mailbox")
        while line := self.rfile.readline():
            word = line.split(b" ")[0].strip().upper()
            if word == b"DATA":
                self._say(b"354 go on")
                self._keep()
            self._say(b"221 bye" if word == b"QUIT" else b"250 ok")
            if word == b"QUIT":
                return

    def _keep(self) -> None:
        lines = iter(self.rfile.readline, b".\r\n")
        body = b"".join(line.removeprefix(b".") for line in lines)
        assert isinstance(self.server, Mailbox)
        self.server.arrived.put(message_from_bytes(body, EmailMessage, policy=policy.default))

    def _say(self, line: bytes) -> None:
        self.wfile.write(line + b"\r\n")


class Mailbox(socketserver.ThreadingTCPServer):
    """Listens on a port of its own from the start; `stop` ends it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Talk)
        self.arrived: queue.Queue[EmailMessage] = queue.Queue()
        self.port = int(self.server_address[1])
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def next(self) -> EmailMessage:
        """The mail that arrives next. Raises queue.Empty when none does within 10 seconds."""
        return self.arrived.get(timeout=10)

    def stop(self) -> None:
        self.shutdown()
        self.server_close()
