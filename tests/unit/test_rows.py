"""Rows that are written and locked many at a time."""

from datetime import UTC, datetime
from typing import Self
from uuid import UUID

import pytest
from django.db import connection, transaction

from accounts.models import Lease
from storage.rows import RowInsert, RowLock

NOW = datetime(2026, 3, 1, 12, 30, 15, 250, tzinfo=UTC)
LEASES = [(UUID(int=number), f"host:{number}", NOW) for number in range(1, 1500)]

insert = RowInsert(Lease, ["id", "process", "seen_at"])
lock = RowLock(Lease, ["id", "process"], "process <> 'host:7'")

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 8, 300, 301, 1499])
def test_any_number_of_rows_is_inserted_as_the_model_has_them(count: int) -> None:
    with connection.cursor() as cursor:
        insert(cursor, LEASES[:count])
    assert list(Lease.objects.order_by("id").values_list("id", "process", "seen_at")) == LEASES[:count]


def test_any_number_of_rows_is_locked() -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        insert(cursor, LEASES)
        found = lock(cursor, [key for key, _, _ in LEASES])
    assert found == {key: (process,) for key, process, _ in LEASES if process != "host:7"}


def test_few_statements_serve_every_number_of_rows() -> None:
    with connection.cursor() as cursor, CountedStatements() as statements:
        for start in range(0, 500, 20):
            insert(cursor, LEASES[start : start + start % 19 + 1])
    assert len(statements.texts) <= 5


class CountedStatements:
    """The different statements that are run meanwhile."""

    def __init__(self) -> None:
        self.texts: set[str] = set()
        self._wrapper = connection.execute_wrapper(self._note)

    def _note(self, execute: object, sql: str, params: object, many: bool, context: object) -> object:
        self.texts.add(sql)
        assert callable(execute)
        return execute(sql, params, many, context)

    def __enter__(self) -> Self:
        self._wrapper.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._wrapper.__exit__(None, None, None)
