"""Servers of a test's own, on a scratch database of either kind."""

import atexit
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from tests.gateway import Gateway
from tests.ledger_processes import Database

_SHARED = ("DATABASE_URL", "SECRET_KEY", "GATEWAY_ENCRYPTION_KEYS")  # what all processes on one database must have


def gateway_on(database: Database, **settings: str) -> Gateway:
    """A server on that database; the caller starts and stops it."""
    shared = {name: value for name in _SHARED if (value := database.environment.get(name))}
    return Gateway(database.directory, **shared | settings)


@cache
def _with_tables() -> Path:
    """A file of SQLite's with all tables and nothing in them."""
    directory = Path(tempfile.mkdtemp(prefix="gateway-tests-"))
    atexit.register(shutil.rmtree, directory)
    Gateway(directory).manage("migrate", "--verbosity", "0")
    return directory / "gateway.sqlite3"


def fresh(var_dir: Path, **settings: str) -> Gateway:
    """A server on SQLite whose tables are there already: to make them takes half of a first start."""
    var_dir.mkdir(parents=True)
    shutil.copyfile(_with_tables(), var_dir / "gateway.sqlite3")
    return Gateway(var_dir, **settings)


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
