"""Who the client really is, when a proxy of ours says so; and nobody, when anybody else does."""

import ipaddress
from collections.abc import Sequence

from accounts.scopes import is_within
from proxyproject.env import Network
from proxyproject.request_log import ASGIApplication, Receive, Scope, Send

_SCHEMES = {  # what a proxy says, as each type of scope has it
    "http": {"http": "http", "https": "https"},
    "websocket": {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"},
}
_PROTO, _FOR = b"x-forwarded-proto", b"x-forwarded-for"


class TrustedProxies:
    """Believes X-Forwarded-For and X-Forwarded-Proto from the proxies listed, and takes them away from all others.

    Parameters: application; proxies, the networks that TRUSTED_PROXIES names.
    """

    def __init__(self, application: ASGIApplication, proxies: Sequence[Network]) -> None:
        self._application = application
        self._proxies = proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sent = scope.get("headers", ())
        others = [pair for pair in sent if not pair[0].startswith(b"x-forwarded-")]
        if len(others) < len(sent):
            client = scope.get("client")
            if client and self._is_ours(client[0]):
                self._believe(scope)
            scope["headers"] = others
        await self._application(scope, receive, send)

    def _is_ours(self, address: str) -> bool:
        return is_within(address, self._proxies)

    def _believe(self, scope: Scope) -> None:
        said: dict[bytes, str] = {}
        for name, value in scope["headers"]:
            if name in {_PROTO, _FOR}:  # each proxy may add a line of its own
                said[name] = ", ".join(part for part in (said.get(name), value.decode("latin-1")) if part)
        if scheme := _SCHEMES[scope["type"]].get(said.get(_PROTO, "")):
            scope["scheme"] = scheme
        # The nearest hop comes last. Beyond the first from the end that is no proxy of ours, anybody may have written.
        for hop in reversed([hop.strip() for hop in said.get(_FOR, "").split(",") if hop.strip()]):
            address = _address(hop)
            if address is None:
                break
            scope["client"] = [address, 0]
            if not self._is_ours(address):
                break


def _address(hop: str) -> str | None:
    """A hop's address: some proxies write its port too, and brackets round one of IPv6. None for no address."""
    plain = hop.partition("]")[0].removeprefix("[") if hop.startswith("[") else hop
    if plain.count(":") == 1:
        plain = plain.partition(":")[0]
    if "%" in plain:  # a zone, which means nothing elsewhere, and may be any text
        return None
    try:
        return str(ipaddress.ip_address(plain))
    except ValueError:
        return None
