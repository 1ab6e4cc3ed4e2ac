"""Runs the server in this process until a signal ends it."""

from collections.abc import Callable

from django.conf import settings

from accounts import ledger
from providers.upstream.client import close_pools
from proxyproject.asgi import application
from proxyproject.server.daphne import GatewayServer  # first of all: daphne chooses Twisted's reactor
from proxyproject.server.limits import Limits


def serve(host: str, port: int, on_listening: Callable[[], None]) -> str:
    """Serves; returns when the server has ended: an empty string, or why it could not listen."""
    limits = Limits(body_bytes=settings.GATEWAY_MAX_BODY_BYTES, shutdown=settings.GATEWAY_SHUTDOWN_TIMEOUT)
    server = GatewayServer(
        application, host=host, port=port, on_listening=on_listening, on_stopping=close_pools, limits=limits
    )
    ledger.start()
    server.run()
    ledger.stop()
    return server.listen_failed
