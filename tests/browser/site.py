"""A web site of somebody else's, whose pages call the gateway: another port is another origin."""

import mimetypes
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

from tests.gateway import ROOT

BUILDS = ROOT / "tests" / "node" / "dist"  # the vendors' clients, as `npm run bundle` makes them
_FOLDERS = (Path(__file__).parent / "pages", BUILDS)


class Site(ThreadingHTTPServer):
    """Serves the pages of these tests and the vendors' clients, and keeps in `uploads` what is PUT to it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Visit)
        self.uploads: dict[str, bytes] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def start(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self) -> None:
        self.shutdown()
        self.server_close()


class _Visit(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        name = self.path.partition("?")[0].removeprefix("/")
        file = next(
            (folder / name for folder in _FOLDERS if name in {entry.name for entry in folder.glob("*.*")}), None
        )
        if file is None:
            self._answer(404, b"", "text/plain")
        else:
            self._answer(200, file.read_bytes(), mimetypes.guess_type(name)[0] or "text/plain")

    def do_PUT(self) -> None:
        self.server.uploads[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(200, b"{}", "application/json")

    def _answer(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing of this is worth a line."""
