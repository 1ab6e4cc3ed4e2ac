"""A gateway that is watched: what it connects to, and a canary on this machine that must never be reached.

Its environment names the canary as the proxy for everything, which it must not believe.
"""

import asyncio
import itertools
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.gateway import Gateway, free_port
from tests.vendors.server import Arrived, Server
from tests.witness.sitecustomize import PUBLIC

WITNESS = Path(__file__).parent / "witness"
_KEY_VARIABLE = "EGRESS_TEST_KEY"
KEY = "sk-egress-canary-51c07bd2e9a64f83"
_LIMITS = {"connect_timeout": "1", "first_byte_timeout": "2", "gap_timeout": "2", "total_timeout": "3"}


@dataclass
class Canary(Server):
    """Counts who connects, and answers whatever is asked with `status` and `headers`."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def answer(self, arrived: Arrived, writer: asyncio.StreamWriter) -> None:
        headers = {"Content-Type": "application/json", "Content-Length": "2", **self.headers}
        lines = [f"HTTP/1.1 {self.status} X", *(f"{name}: {value}" for name, value in headers.items())]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n{}")
        await writer.drain()


def on_every_address() -> Canary:
    """A canary at all addresses that this machine has, IPv4 and IPv6."""
    return Canary(port=free_port(), hosts=("0.0.0.0", "::") if socket.has_dualstack_ipv6() else ("0.0.0.0",))


def proxied_to(canary: Canary) -> dict[str, str]:
    """An environment that asks for everything to go through a proxy."""
    names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "WS_PROXY")
    return {spelling: canary.url for name in names for spelling in (name, name.lower())} | {
        "NO_PROXY": "",
        "no_proxy": "",
    }


class Site:
    """The gateway, its administrator, and what was seen of its connections."""

    def __init__(self, directory: Path, canary: Canary) -> None:
        self._written = directory / "connections"
        self._written.touch()
        watched = {"PYTHONPATH": str(WITNESS), "CONNECTIONS": str(self._written), _KEY_VARIABLE: KEY}
        self.gateway = Gateway(directory / "var", **watched, **proxied_to(canary)).start()
        found = re.search(r"password: (\S+)\s+API token +(\S+)", self.gateway.log())
        assert found is not None, "the first run tells a password and a token"
        self._token = found[2]
        self._api = httpx.Client(base_url=self.gateway.url, timeout=20, trust_env=False)
        self._browser = httpx.Client(base_url=self.gateway.url, timeout=20, trust_env=False)
        self._browser.get("/admin/login/")
        self.admin("/admin/login/", {"username": "admin", "password": found[1]})
        self._seen = 0
        self._count = itertools.count()

    def close(self) -> None:
        self._api.close()
        self._browser.close()
        self.gateway.stop()

    def connections(self) -> list[str]:
        """Who was connected to since the last time that this was asked: address and port."""
        lines = self._written.read_text(encoding="utf-8").splitlines()
        new, self._seen = lines[self._seen :], len(lines)
        return new

    def went_nowhere(self) -> bool:
        """Whether nobody was connected to since then, but for the public address that a name had at first."""
        return all(line.startswith(f"{PUBLIC} ") for line in self.connections())

    def call(self, method: str, path: str | httpx.URL, body: Any = None, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self._token}", **options.pop("headers", {})}
        return self._api.request(method, path, json=body, headers=headers, **options)

    def admin(self, path: str, form: Mapping[str, str], *, follow: bool = True) -> httpx.Response:
        """Sends a form of the admin's; with `follow` it returns the page that comes of it."""
        sent = {"csrfmiddlewaretoken": self._browser.cookies["csrftoken"], **form}
        return self._browser.post(path, data=sent, headers={"Referer": self.gateway.url}, follow_redirects=follow)

    def save(self, row: str, name: str, kind: str, url: str, *, private: bool = False) -> str:
        """Saves a provider in the admin, a new one where `row` is empty. Returns the row's id, or empty: refused.

        No call before has seen what is saved, so that the next probe is a real one.
        """
        form = {
            "name": name,
            "type": kind,
            "description": f"saved for the {next(self._count)}. time",
            "base_url": url,
            "api_key_env": _KEY_VARIABLE,
            "default_model": "m",
            "models": "[]",
            "default_max_tokens": "100",
            "max_prompt_chars": "10000",
            "enabled": "on",
            **({"allow_private_network": "on"} if private else {}),
            "on_disconnect": "cancel",
            "config": "{}",
            "keys-TOTAL_FORMS": "0",
            "keys-INITIAL_FORMS": "0",
            "_continue": "",
            **_LIMITS,
        }
        path = f"/admin/providers/provider/{row}/change/" if row else "/admin/providers/provider/add/"
        page = self.admin(path, form, follow=False)
        if page.status_code == 200:
            assert re.search(r'<ul class="errorlist"[^>]*id="id_base_url_error"', page.text), page.text
            return ""
        assert page.status_code == 302, page.text
        return row or page.headers["location"].rstrip("/").split("/")[-2]

    def add(self, name: str, kind: str, url: str, **more: Any) -> httpx.Response:
        """Adds a provider by the API."""
        limits = {limit: float(seconds) for limit, seconds in _LIMITS.items()}
        body = {"name": name, "type": kind, "base_url": url, "api_key_env": _KEY_VARIABLE, "default_model": "m"}
        return self.call("POST", "/api/providers", {**body, **limits, **more})

    def delete(self, name: str) -> None:
        assert self.call("DELETE", f"/api/providers/{name}").status_code == 204

    def clear(self) -> None:
        """Deletes all providers but the one that the first run made."""
        for provider in self.call("GET", "/api/providers").json()["data"]:
            if provider["name"] != "demo":
                self.delete(provider["name"])
