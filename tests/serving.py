"""Servers on a scratch database of either kind."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.gateway import Gateway
from tests.ledger_processes import Database

_SHARED = ("DATABASE_URL", "SECRET_KEY", "GATEWAY_ENCRYPTION_KEYS")  # what all processes on one database must have


def gateway_on(database: Database, **settings: str) -> Gateway:
    """A server on that database; the caller starts and stops it."""
    shared = {name: value for name in _SHARED if (value := database.environment.get(name))}
    return Gateway(database.directory, **shared | settings)


@contextmanager
def running(*gateways: Gateway) -> Iterator[None]:
    """Starts servers, and stops what is left of them with the block."""
    try:
        for gateway in gateways:
            gateway.start()
        yield
    finally:
        for gateway in gateways:
            gateway.stop()
