"""Writes without the ORM's machinery, for the few tables that are written on every call.

The ORM builds a statement anew each time, which takes longer than the database needs to run it. These are built once,
from the model itself, so columns and adaptation stay the model's.
"""

from collections.abc import Collection, Iterable, Sequence
from functools import cached_property
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection, connections, models
from django.db.backends.utils import CursorWrapper

# Kinds of fields whose values look different in some database; strings, numbers, booleans and None go as they are.
_NOT_AS_THEY_ARE = (models.UUIDField, models.DateTimeField, models.DecimalField)
_MOST_PARAMETERS = 900  # in one statement; SQLite's oldest limit is 999


class _Rows:
    """Some columns of a model, by attribute name (`user_id` for a foreign key)."""

    def __init__(self, model: type[models.Model], columns: Sequence[str]) -> None:
        self._meta = model._meta
        self._columns = columns

    @cached_property
    def _fields(self) -> "list[models.Field[Any, Any]]":
        by_name = {field.attname: field for field in self._meta.concrete_fields}
        return [by_name[name] for name in self._columns]

    @cached_property
    def _names(self) -> list[str]:
        return [connection.ops.quote_name(field.column or "") for field in self._fields]

    @cached_property
    def _table(self) -> str:
        return connection.ops.quote_name(self._meta.db_table)

    @cached_property
    def _adapted_fields(self) -> "list[tuple[int, models.Field[Any, Any]]]":
        return [
            (place, field) for place, field in enumerate(self._fields) if isinstance(_of_value(field), _NOT_AS_THEY_ARE)
        ]

    def _adapted(self, rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
        """Rows of values as this thread's connection takes them."""
        # `connection` looks up the thread's anew at every touch, which takes longer than most values.
        own = connections[DEFAULT_DB_ALIAS]
        adapted = [list(row) for row in rows]
        for place, field in self._adapted_fields:
            for row in adapted:
                row[place] = field.get_db_prep_save(row[place], own)
        return adapted


class RowInsert(_Rows):
    """INSERT of rows. Fields that are left out must be null or have a default in the database."""

    @cached_property
    def _statement(self) -> str:
        values = ", ".join(["%s"] * len(self._columns))
        return " ".join(["INSERT INTO", self._table, f"({', '.join(self._names)})", f"VALUES ({values})"])

    def __call__(self, cursor: CursorWrapper, rows: Sequence[Sequence[Any]]) -> None:
        """Inserts rows, each with its values in the order of the columns."""
        if rows:
            cursor.executemany(self._statement, self._adapted(rows))


class RowUpdate(_Rows):
    """UPDATE of single rows by their primary key, which is the last of the columns."""

    @cached_property
    def _statement(self) -> str:
        *settings, key = (f"{name} = %s" for name in self._names)
        return " ".join(["UPDATE", self._table, "SET", ", ".join(settings), "WHERE", key])

    def __call__(self, cursor: CursorWrapper, rows: Sequence[Sequence[Any]]) -> None:
        """Changes rows, each given by its values in the order of the columns."""
        if rows:
            cursor.executemany(self._statement, self._adapted(rows))


class RowLock(_Rows):
    """SELECT of rows by their primary key, locked until the transaction ends, in the order of that key.

    The key is the first of the columns; `condition` is a piece of SQL without parameters. Other columns must be of
    kinds that every database returns alike: text, whole numbers and booleans.
    """

    def __init__(self, model: type[models.Model], columns: Sequence[str], condition: str) -> None:
        super().__init__(model, columns)
        self._condition = condition

    def __call__(self, cursor: CursorWrapper, keys: Collection[Any]) -> dict[Any, tuple[Any, ...]]:
        """Those of the rows that are there and meet the condition: their other columns by the key as it was given."""
        found: dict[Any, tuple[Any, ...]] = {}
        field = self._fields[0]
        given = {field.get_db_prep_save(key, connection): key for key in keys}
        adapted = sorted(given)
        # SQLite's transaction has the only right to write from its beginning, so it has nothing to lock.
        lock = " FOR UPDATE" if connection.features.has_select_for_update else ""
        key = self._names[0]
        for start in range(0, len(adapted), _MOST_PARAMETERS):
            part = adapted[start : start + _MOST_PARAMETERS]
            where = f"WHERE {key} IN ({', '.join(['%s'] * len(part))}) AND {self._condition} ORDER BY {key}"
            cursor.execute(" ".join(["SELECT", ", ".join(self._names), "FROM", self._table, where]) + lock, part)
            found |= {given[row[0]]: row[1:] for row in cursor.fetchall()}
        return found


def _of_value(field: "models.Field[Any, Any]") -> "models.Field[Any, Any]":
    """The field that decides what a value looks like: for a foreign key the one that it refers to."""
    return field.target_field if isinstance(field, models.ForeignKey) else field
