"""Somebody with a browser, as far as forms and cookies go."""

import re
import secrets
from typing import Any

import httpx

from tests.gateway import Gateway

_HIDDEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
_ONE_EACH = httpx.Limits(max_keepalive_connections=0)  # so that nobody need close a visitor
PASSWORD = "a long enough pass phrase"


class Visitor:
    """Parameters: gateway; address, where it says to come from (a gateway that trusts this machine believes it)."""

    def __init__(self, gateway: Gateway, address: str = "") -> None:
        headers = {"Accept": "text/html", "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"}
        if address:
            headers["X-Forwarded-For"] = address
        self.client = httpx.Client(base_url=gateway.url, headers=headers, timeout=30, limits=_ONE_EACH)

    def get(self, path: str) -> httpx.Response:
        return self.client.get(path)

    def form_token(self, page: str) -> str:
        """What the form on a page must be sent with."""
        shown = self.client.get(page)
        token = _HIDDEN.search(shown.text)
        assert token, f"no form at {page}: {shown.status_code}"
        return token[1]

    def send(self, path: str, form: dict[str, str] | None = None, *, page: str = "", **options: Any) -> httpx.Response:
        """Fills in the form on a page, which is `page` or has the path that it is sent to, and sends it."""
        token = self.form_token(page or path)
        return self.client.post(path, data={**(form or {}), "csrfmiddlewaretoken": token}, **options)

    def sign_in(self, name: str, password: str = PASSWORD, page: str = "/login") -> httpx.Response:
        return self.send(page, {"username": name, "password": password})

    def is_signed_in(self) -> bool:
        return self.get("/account").status_code == 200

    @property
    def session(self) -> str | None:
        return self.client.cookies.get("sessionid")


def person(gateway: Gateway, **more: Any) -> str:
    """The name of a new user, who has PASSWORD."""
    name = f"person-{secrets.token_hex(4)}"
    fields = {"username": name, "password": PASSWORD, **more}
    gateway.python(f"from accounts.models import User; User.objects.create_user(**{fields!r})")
    return name
