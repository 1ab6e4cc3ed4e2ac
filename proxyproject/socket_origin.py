"""Whose pages may open a WebSocket: no browser asks before it sends the cookies along, so this does.

ALLOWED_HOSTS says which hosts are ours, and may say all; so it is the page's own origin that must match, exactly.
"""

import logging
import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import split_domain_port, validate_host
from django.utils.http import is_same_domain

from proxyproject.request_log import ASGIApplication, Receive, Scope, Send

logger = logging.getLogger("gateway.errors")

_CREDENTIALS = frozenset({b"authorization", b"x-api-key", b"x-goog-api-key", b"xi-api-key"})
_SCHEMES = {"ws": "http", "wss": "https"}
_PORTS = {"http": ":80", "https": ":443"}
# As browsers write it: in lower case, without what goes without saying.
_ORIGIN = re.compile(r"(https?)://([a-z0-9_.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")
_LOOPBACK = (".localhost", "127.0.0.1", "[::1]")  # what Django takes for its own while DEBUG is on


class SocketOrigin:
    """Wraps the application of a WebSocket: only pages of this origin or of those listed get through, and programs.

    A program is who sends no Origin, but a credential that no browser adds by itself. Everybody else gets a 403.
    """

    def __init__(self, application: ASGIApplication) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        hosts = settings.ALLOWED_HOSTS or (_LOOPBACK if settings.DEBUG else ())
        # Not CORS_ALLOWED_ORIGINS: their pages come with a credential of their own, which a browser's socket cannot
        # send, and never with somebody's session.
        if may_open(scope.get("scheme", "ws"), scope["headers"], hosts, settings.CSRF_TRUSTED_ORIGINS):
            await self._application(scope, receive, send)
            return
        origins = [value for name, value in scope["headers"] if name == b"origin"]
        logger.warning("A socket was refused to the origin %r.", origins)
        await send({"type": "websocket.close", "code": 1008})


def may_open(
    scheme: str, headers: Sequence[tuple[bytes, bytes]], allowed_hosts: Sequence[str], listed: Sequence[str]
) -> bool:
    """Whether a handshake is answered.

    Parameters: scheme, `ws` or `wss` as the client has it; headers, with their names in lower case; allowed_hosts, as
    in ALLOWED_HOSTS; listed, other origins, in which `https://*.example.org` stands for all below that domain.
    """
    hosts = [value.decode("latin-1") for name, value in headers if name == b"host"]
    origins = [value.decode("latin-1") for name, value in headers if name == b"origin"]
    domain = split_domain_port(hosts[0])[0] if len(hosts) == 1 else ""
    if not domain or not validate_host(domain, list(allowed_hosts)):
        return False
    if not origins:
        return any(name in _CREDENTIALS and value.strip() for name, value in headers)
    if len(origins) != 1 or not _ORIGIN.fullmatch(origins[0]):
        return False
    return origins[0] == _own_origin(scheme, hosts[0]) or any(_is_meant(origins[0], origin) for origin in listed)


def _own_origin(scheme: str, host: str) -> str:
    own = _SCHEMES.get(scheme, "")
    return f"{own}://{host.lower().removesuffix(_PORTS.get(own, ' '))}"


def _is_meant(origin: str, listed: str) -> bool:
    if "*" not in listed:
        return origin == listed.lower().rstrip("/")
    asked, meant = urlsplit(origin), urlsplit(listed.lower())
    return asked.scheme == meant.scheme and is_same_domain(asked.netloc, meant.netloc.lstrip("*"))
