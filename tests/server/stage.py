"""A gateway that will be stopped, a provider at the scripted upstream, and clients that hold connections to it."""

import json
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from tests.conftest import PROVIDER_KEY
from tests.gateway import Gateway
from tests.server.wire import Got, Wire
from tests.upstream import Upstream

CHAT = json.dumps({"model": "vendor/paced", "messages": [{"role": "user", "content": "x"}], "stream": True})
GENERATE = json.dumps({"provider": "vendor", "model": "paced", "prompt": "x", "stream": True})
SILENT = json.dumps({"model": "vendor/silent", "messages": [{"role": "user", "content": "x"}]})


class Stage:
    """A gateway with a provider at the scripted upstream, and clients on it."""

    def __init__(self, gateway: Gateway, upstream: Upstream, clients: ExitStack) -> None:
        self.gateway, self.upstream = gateway, upstream
        self.token = gateway.token("staff", staff=True)
        self._clients = clients
        fields = {"type": "openai", "base_url": upstream.url, "api_key": PROVIDER_KEY, "allow_private_network": True}
        made = gateway.call(self.token, {"name": "vendor", **fields}, "/api/providers")
        assert made.status_code == 201, made.text

    def connect(self) -> Wire:
        return self._clients.enter_context(Wire(self.gateway.port))

    def post(self, path: str, body: str, wire: Wire | None = None) -> Wire:
        """A request that has been sent."""
        lines = (f"Authorization: Bearer {self.token}", f"Content-Length: {len(body)}")
        return (wire or self.connect()).get(path, *lines, method="POST").send(body.encode())

    def stream(self, path: str, body: str) -> Wire:
        """A stream that has begun."""
        wire = self.post(path, body)
        assert b"One" in wire.read_until(b"One")
        return wire

    def signal(self, number: int = signal.SIGTERM) -> float:
        """Sends the signal; returns when."""
        assert self.gateway.process is not None
        self.gateway.process.send_signal(number)
        return time.monotonic()

    def exit_code(self, within: float) -> int:
        assert self.gateway.process is not None
        return self.gateway.process.wait(within)

    def states(self) -> dict[str, int]:
        rows = self.gateway.rows("select state, count(*) from accounts_call group by state")
        return dict(rows)


def read_all(wires: list[Wire]) -> list[Got]:
    """What each of them gets until its connection ends."""
    with ThreadPoolExecutor(max(1, len(wires))) as readers:
        return list(readers.map(lambda wire: wire.rest(within=30), wires))


def refused_after(port: int, began: float) -> float:
    """Seconds from `began` until nobody listens any more."""
    while time.monotonic() < began + 5:
        try:
            Wire(port).socket.close()
        except ConnectionRefusedError:
            return time.monotonic() - began
        time.sleep(0.02)
    raise AssertionError("connections are still accepted")
