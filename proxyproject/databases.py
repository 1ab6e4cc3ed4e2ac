"""From DATABASE_URL to Django's database settings."""

from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

from proxyproject.secret_files import make_directory

_SQLITE = "django.db.backends.sqlite3"
_POSTGRESQL = "django.db.backends.postgresql"
_BUSY_TIMEOUT = 20  # seconds that a SQLite writer waits for another

# Persistent connections do not work under ASGI; the driver's pool takes their place. After a failed attempt it waits
# longer each time, for minutes in the end, so it is told to begin anew soon.
# https://www.psycopg.org/psycopg3/docs/api/pool.html
_POOL = {"min_size": 1, "max_size": 20, "timeout": 5, "reconnect_timeout": 2}
# How long it takes to notice that the other side is gone without a word, in seconds but for tcp_user_timeout, which is
# in milliseconds. The system's own defaults are minutes to hours.
# https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
_POSTGRESQL_OPTIONS = {
    "pool": _POOL,
    "connect_timeout": 2,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


def database_settings(url: str, var_dir: Path) -> dict[str, Any]:
    """Django's settings for the database that `url` names, or for a SQLite file under `var_dir` when it is empty.

    Raises ImproperlyConfigured for an address that is no SQLite or PostgreSQL database.
    """
    if not url:
        make_directory(var_dir)
        return _sqlite({"ENGINE": _SQLITE, "NAME": str(var_dir / "gateway.sqlite3")})
    try:
        settings = dict(environ.Env.db_url_config(url))
    except (ImproperlyConfigured, ValueError, KeyError) as error:
        raise ImproperlyConfigured(
            "DATABASE_URL cannot be read; write postgresql://USER:PASSWORD@HOST/NAME."
        ) from error
    if settings.get("ENGINE") == _SQLITE:
        return _sqlite(settings)
    if settings.get("ENGINE") == _POSTGRESQL:
        settings["CONN_MAX_AGE"] = 0
        settings["CONN_HEALTH_CHECKS"] = True  # so the pool gives out no connection that a restart has cut
        settings["OPTIONS"] = {**_POSTGRESQL_OPTIONS, **settings.get("OPTIONS", {})}
        return settings
    raise ImproperlyConfigured("DATABASE_URL must name a PostgreSQL or SQLite database: postgresql://… or sqlite:///….")


def _sqlite(settings: dict[str, Any]) -> dict[str, Any]:
    # A transaction that begins reading and then writes fails at once when another writes: IMMEDIATE takes the lock
    # up front and waits. In WAL mode synchronous=NORMAL can lose the last commits when power fails, never on a kill.
    settings["OPTIONS"] = {
        **settings.get("OPTIONS", {}),
        "transaction_mode": "IMMEDIATE",
        "timeout": _BUSY_TIMEOUT,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
    return settings
