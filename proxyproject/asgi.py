"""The ASGI application: two lanes in one wrapper. Runs under `manage.py serve`, daphne, uvicorn and granian alike."""

import os
from typing import TYPE_CHECKING

from django.core.asgi import get_asgi_application

if TYPE_CHECKING:
    from proxyproject.request_log import ASGIApplication, Receive, Scope, Send

SOCKET_PATH = "/ws/chat/"


def socket_application() -> "ASGIApplication":
    """What answers at SOCKET_PATH. Django must be loaded by then."""
    from chat.consumer import ChatSocket

    chat: ASGIApplication = ChatSocket.as_asgi()
    return chat


async def refuse_socket(scope: "Scope", receive: "Receive", send: "Send") -> None:
    """Answers the handshake with 403."""
    await send({"type": "websocket.close", "code": 1000})


def build_application() -> "ASGIApplication":
    """Loads Django and puts the two lanes behind the request log and the body limit."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "proxyproject.settings")
    site_lane = get_asgi_application()
    # These need the settings and the apps, which the line above has loaded.
    from django.conf import settings

    from proxyproject.body_limit import BodyLimit
    from proxyproject.forwarded import TrustedProxies
    from proxyproject.gateway_lane import GatewayLane
    from proxyproject.gateway_urls import is_gateway_path
    from proxyproject.request_log import RequestLog
    from proxyproject.socket_origin import SocketOrigin

    gateway_lane = GatewayLane()
    socket = SocketOrigin(socket_application())

    async def lanes(scope: "Scope", receive: "Receive", send: "Send") -> None:
        if scope["type"] == "websocket":
            await (socket if scope["path"] == SOCKET_PATH else refuse_socket)(scope, receive, send)
            return
        in_gateway = scope["type"] == "http" and is_gateway_path(scope["path"])
        await (gateway_lane if in_gateway else site_lane)(scope, receive, send)

    return TrustedProxies(RequestLog(BodyLimit(lanes)), settings.TRUSTED_PROXIES)


application = build_application()
