"""Runs the server in this process until a signal ends it."""

from collections.abc import Callable

from accounts import ledger
from providers.upstream.client import close_pools
from proxyproject.asgi import application
from proxyproject.server.daphne import GatewayServer  # first of all: daphne chooses Twisted's reactor


def serve(host: str, port: int, on_listening: Callable[[], None]) -> str:
    """Serves; returns when the server has ended: an empty string, or why it could not listen."""
    server = GatewayServer(application, host=host, port=port, on_listening=on_listening, on_stopping=close_pools)
    server.run()
    ledger.writer.stop()
    return server.listen_failed
