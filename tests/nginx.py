"""A real nginx in front of a server, with the configuration of docs/go-live.md, and clients that speak to it."""

import re
import shutil
import socket
import ssl
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import httpx

from tests.gateway import ROOT, Gateway, free_port
from tests.mailbox import Mailbox
from tests.sdks.tls import self_signed
from tests.server.frames import SocketWire
from tests.visitor import Visitor

NAME = "gateway.example.test"
ORIGIN = f"https://{NAME}"
_GIVEN_NAME = "gateway.example.com"
_BLOCK = re.compile(r"```nginx\n(.*?)```", re.DOTALL)
_START_SECONDS = 10.0
# All that a client could say to look like somebody else. %s is where it would rather be.
FORGED = {
    "X-Forwarded-For": "%s",
    "X-Forwarded-Host": "evil.example.com",
    "X-Forwarded-Port": "8443",
    "X-Forwarded-Prefix": "/admin",
    "X-Forwarded-Scheme": "http",
    "X-Real-IP": "%s",
    "Forwarded": "for=%s;host=evil.example.com;proto=http",
    "True-Client-IP": "%s",
    "X_Forwarded_For": "%s",
    "X-Original-URL": "/admin/",
}
# The directives round the documented part: one process, and nothing outside its folder.
_ROUND = """
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{documented}
}}
"""


def program() -> str | None:
    """Where nginx is; None for nowhere."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


def documented() -> str:
    """The configuration as people are told to write it."""
    found = _BLOCK.search((ROOT / "docs" / "go-live.md").read_text(encoding="utf-8"))
    assert found, "docs/go-live.md has no configuration of nginx"
    return found[1]


class Nginx:
    """nginx as a child process, for NAME.

    Parameters: folder, where it keeps everything; behind, the port of the server on 127.0.0.1 that it passes all on to.
    """

    def __init__(self, folder: Path, behind: int) -> None:
        self.port, self.plain_port = free_port(), free_port()
        self._folder = folder
        trusted, _ = self_signed(folder, NAME)
        self.trust = ssl.create_default_context(cafile=str(trusted))
        written = documented()
        for given, ours in {
            _GIVEN_NAME: NAME,
            "listen 80;": f"listen 127.0.0.1:{self.plain_port};",
            "listen 443 ssl;": f"listen 127.0.0.1:{self.port} ssl;",
            "/etc/ssl/gateway/fullchain.pem": str(trusted),
            "/etc/ssl/gateway/privkey.pem": str(folder / "key.pem"),
            "http://127.0.0.1:8000;": f"http://127.0.0.1:{behind};",
        }.items():
            assert given in written, given
            written = written.replace(given, ours)
        self._configuration = folder / "nginx.conf"
        self._configuration.write_text(_ROUND.format(folder=folder, documented=written), encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Starts it; returns when it listens."""
        command = [program() or "nginx", "-p", str(self._folder), "-c", str(self._configuration)]
        with (self._folder / "output").open("wb") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
            except ConnectionRefusedError:
                time.sleep(0.02)
            else:
                return self
        raise RuntimeError((self._folder / "output").read_text(encoding="utf-8"))

    def stop(self) -> None:
        """Ends it and waits for it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)

    def client(self, source: str = "127.0.0.2", **headers: str) -> httpx.Client:
        """Somebody at the address `source`, for whom NAME leads here."""
        return httpx.Client(
            base_url=ORIGIN, headers=headers, timeout=30, transport=Redirected(self.port, self.trust, source)
        )

    def wire(self, source: str = "127.0.0.2") -> "FarWire":
        """As `client`, for a WebSocket."""
        return FarWire(self.port, source, self.trust)


class Redirected(httpx.BaseTransport):
    """Connects to 127.0.0.1:`port` whatever the address says, which is what a name server would bring about.

    Parameters: trust, None for plain http; source, the address that it connects from.
    """

    def __init__(self, port: int, trust: ssl.SSLContext | None, source: str = "127.0.0.2") -> None:
        limits = httpx.Limits(max_keepalive_connections=0)  # so that nobody need close a client
        self._way = httpx.HTTPTransport(verify=trust or True, local_address=source, limits=limits, trust_env=False)
        self._port, self._scheme = port, "https" if trust else "http"

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        there = request.url.copy_with(scheme=self._scheme, host="127.0.0.1", port=self._port)
        names = {**request.extensions, "sni_hostname": request.url.host}
        return self._way.handle_request(
            httpx.Request(request.method, there, headers=request.headers, stream=request.stream, extensions=names)
        )

    def close(self) -> None:
        self._way.close()


class FarWire(SocketWire):
    """A connection that asks to become a WebSocket.

    Parameters: port; source, the address that it comes from; trust, None for plain http.
    """

    def __init__(self, port: int, source: str = "127.0.0.2", trust: ssl.SSLContext | None = None) -> None:
        self.port = port
        self._come = self._begun = b""
        self.opened_at = time.monotonic()
        self.socket = socket.create_connection(("127.0.0.1", port), 15, (source, 0))
        if trust is not None:
            self.socket = trust.wrap_socket(self.socket, server_hostname=NAME)

    def status(self, path: str, *lines: str) -> int:
        """Of the answer to a handshake."""
        return self.ask(path, *lines, host=NAME).answered()[0]


@dataclass
class House:
    """A gateway, nginx before it, the token of somebody who may do all, and one that is good from 127.0.0.2 only."""

    gateway: Gateway
    nginx: Nginx
    mailbox: Mailbox
    token: str = ""
    bound: str = ""

    def straight(self, source: str = "127.0.0.2") -> httpx.Client:
        """Somebody who goes round nginx, over plain http."""
        return httpx.Client(
            base_url=f"http://{NAME}", timeout=30, transport=Redirected(self.gateway.port, None, source)
        )


class Guest(Visitor):
    """Somebody with a browser, far away."""

    def __init__(self, house: House, source: str = "127.0.0.2", **headers: str) -> None:
        browser = {"Accept": "text/html", "User-Agent": "Mozilla/5.0 (X11; Linux x86_64)", "Origin": ORIGIN}
        self.client = house.nginx.client(source, **browser, **headers)

    @property
    def session(self) -> str | None:
        return self.client.cookies.get("__Host-sessionid")


def forged(address: str, proto: str = "http") -> dict[str, str]:
    """Headers of somebody who would like to be at another address, and the rest elsewhere too."""
    headers = {name: value.replace("%s", address) for name, value in FORGED.items()}
    return {**headers, "X-Forwarded-Proto": proto}
