"""The ASGI application: two lanes in one wrapper. Runs under `manage.py serve`, daphne, uvicorn and granian alike."""

import os

from django.core.asgi import get_asgi_application

from proxyproject.request_log import ASGIApplication, Receive, RequestLog, Scope, Send


def build_application() -> ASGIApplication:
    """Loads Django and puts the two lanes behind the request log and the body limit."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "proxyproject.settings")
    site_lane = get_asgi_application()
    # These need the apps, which the line above has loaded.
    from proxyproject.body_limit import BodyLimit
    from proxyproject.gateway_lane import GatewayLane
    from proxyproject.gateway_urls import is_gateway_path

    gateway_lane = GatewayLane()

    async def lanes(scope: Scope, receive: Receive, send: Send) -> None:
        in_gateway = scope["type"] == "http" and is_gateway_path(scope["path"])
        await (gateway_lane if in_gateway else site_lane)(scope, receive, send)

    return RequestLog(BodyLimit(lanes))


application = build_application()
