"""A database as it is after years: made by the database itself, since the ORM would take an hour."""

import sqlite3
from pathlib import Path

import psycopg

from tests.gateway import Gateway

USERS = 100_000
QUOTAS = 300_000  # three for each user
CALLS = 2_000_000
HEAVY_CALLS = 50_000  # of them by the first of these users
FIRST_USER = 1_000_000  # their ids begin here
_DAYS = 60  # that the calls are spread over

_CALL_COLUMNS = (
    "id, request_id, user_id, token_id, surface, provider, model, streamed, state, input_tokens, output_tokens,"
    " cached_tokens, cache_write_tokens, reasoning_tokens, measures, estimated, cost, lease, reserved_input,"
    " reserved_output, reserved_cost, holds, exceeded, opened_at, closed_at"
)

_DAY_COLUMNS = (
    "day, user_id, token_id, provider, model, calls, input_tokens, output_tokens, cached_tokens, cache_write_tokens,"
    " reasoning_tokens, cost, calls_without_price, calls_estimated"
)


def fill(gateway: Gateway) -> None:
    """Adds users with their quotas and calls to a gateway's database; its server should not run meanwhile."""
    url = gateway.environment.get("DATABASE_URL")
    if url:
        with psycopg.connect(url, autocommit=True) as server:
            for statement in _statements(postgresql=True):
                server.execute(statement.encode())
            server.execute(b"ANALYZE")
        return
    file = sqlite3.connect(Path(gateway.var_dir) / "gateway.sqlite3")
    with file:
        for statement in _statements(postgresql=False):
            file.execute(statement)
    file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    file.close()


def _statements(*, postgresql: bool) -> list[str]:
    def numbers(count: int) -> str:
        if postgresql:
            return f"(SELECT generate_series(0, {count - 1}) AS n) AS numbers"
        series = f"SELECT 0 AS n UNION ALL SELECT n + 1 FROM s LIMIT {count}"
        return f"(WITH RECURSIVE s AS ({series}) SELECT n FROM s) AS numbers"

    moment = f"n * {_DAYS * 86400.0 / CALLS}"
    if postgresql:
        now, opened = "now()", f"now() - interval '{_DAYS} days' + make_interval(secs => {moment})"
        call_id, no, yes = "md5(n::text)::uuid", "false", "true"
    else:
        now, opened = "datetime('now')", f"datetime('now', '-{_DAYS} days', ({moment}) || ' seconds')"
        call_id, no, yes = "printf('%032x', n)", "0", "1"
    user = f"CASE WHEN n % {CALLS // HEAVY_CALLS} = 0 THEN {FIRST_USER} ELSE {FIRST_USER} + n % {USERS} END"
    units = "CASE n % 3 WHEN 0 THEN 'requests' WHEN 1 THEN 'tokens' ELSE 'cost' END"
    windows = "CASE n % 3 WHEN 0 THEN 'hour' WHEN 1 THEN 'day' ELSE 'month' END"
    users = (
        "INSERT INTO accounts_user (id, password, is_superuser, username, first_name, last_name, email, is_staff,"
        f" is_active, date_joined, time_zone) SELECT {FIRST_USER} + n, '!', {no}, 'filled-' || n, '', '', '', {no},"
        f" {yes}, {now}, '' FROM {numbers(USERS)}"
    )
    quotas = (
        'INSERT INTO accounts_quota (user_id, provider, unit, "window", "limit", allow_unpriced)'
        f" SELECT {FIRST_USER} + n / 3, '', {units}, {windows}, 1000000, {yes} FROM {numbers(QUOTAS)}"
    )
    counters = (
        'INSERT INTO accounts_counter (scope, provider, unit, "window", starts_at, used, reserved)'
        f" SELECT 'user:' || ({FIRST_USER} + n / 3), '', {units}, {windows}, 0, 0, 0 FROM {numbers(QUOTAS)}"
    )
    calls = (
        f"INSERT INTO accounts_call ({_CALL_COLUMNS}) SELECT {call_id}, 'filled-' || n, {user}, NULL, 'chat',"
        f" 'vendor-' || n % 5, 'model-' || n % 20, {no}, 'done', 100 + n % 900, n % 500, 0, 0, 0, NULL, {no}, 0.0125,"
        f" NULL, 0, 0, NULL, '', {no}, {opened}, {opened} FROM {numbers(CALLS)}"
    )
    day = "opened_at::date" if postgresql else "date(opened_at)"
    recent = "now() - interval '3 days'" if postgresql else "'now', '-3 days'"
    summed = (
        f"INSERT INTO accounts_usageday ({_DAY_COLUMNS}) SELECT {day}, user_id, NULL, provider, model, count(*),"
        " sum(input_tokens), sum(output_tokens), 0, 0, 0, sum(cost), 0, 0 FROM accounts_call"
        f" WHERE {day} < date({recent}) GROUP BY 1, 2, 4, 5"
    )
    until = f"INSERT INTO accounts_usagerollup (until) SELECT date({recent})"
    return [users, quotas, counters, calls, summed, until]
