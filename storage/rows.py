"""Writes without the ORM's machinery, for the few tables that are written on every call.

The ORM builds a statement anew each time, which takes longer than the database needs to run it. These are built once,
from the model itself, so columns and adaptation stay the model's.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

from django.db import connection, models
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

    def _adapted(self, values: Sequence[Any]) -> list[Any]:
        """Values as this connection's database takes them."""
        adapted = list(values)
        for place, field in self._adapted_fields:
            adapted[place] = field.get_db_prep_save(adapted[place], connection)
        return adapted


class RowInsert(_Rows):
    """INSERT of many rows at once. Fields that are left out must be null or have a default in the database."""

    @cached_property
    def _head(self) -> str:
        return " ".join(["INSERT INTO", self._table, f"({', '.join(self._names)})", "VALUES "])

    @cached_property
    def _row(self) -> str:
        return f"({', '.join(['%s'] * len(self._columns))})"

    def __call__(self, cursor: CursorWrapper, rows: Sequence[Sequence[Any]]) -> None:
        """Inserts rows, each with its values in the order of the columns."""
        size = _MOST_PARAMETERS // len(self._columns)
        for start in range(0, len(rows), size):
            part = rows[start : start + size]
            values = [value for row in part for value in self._adapted(row)]
            cursor.execute(self._head + ", ".join([self._row] * len(part)), values)


class RowUpdate(_Rows):
    """UPDATE of single rows, where a condition still holds.

    The last of the columns is the primary key; `condition` is a piece of SQL without parameters.
    """

    def __init__(self, model: type[models.Model], columns: Sequence[str], condition: str) -> None:
        super().__init__(model, columns)
        self._condition = condition

    @cached_property
    def _statement(self) -> str:
        *settings, key = (f"{name} = %s" for name in self._names)
        return " ".join(["UPDATE", self._table, "SET", ", ".join(settings), "WHERE", key, "AND", self._condition])

    def __call__(self, cursor: CursorWrapper, rows: Sequence[Sequence[Any]]) -> Iterator[bool]:
        """For each row of values: whether the condition held, and so the row was changed."""
        for row in rows:
            cursor.execute(self._statement, self._adapted(row))
            yield cursor.rowcount == 1


def _of_value(field: "models.Field[Any, Any]") -> "models.Field[Any, Any]":
    """The field that decides what a value looks like: for a foreign key the one that it refers to."""
    return field.target_field if isinstance(field, models.ForeignKey) else field
