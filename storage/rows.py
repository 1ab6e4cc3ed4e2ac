"""Writes without the ORM's machinery, for the few tables that are written on every call.

The ORM builds a statement anew each time, which takes longer than the database needs to run it. These are built once,
from the model itself, so columns and adaptation stay the model's.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import cached_property, partial
from itertools import chain
from operator import attrgetter
from typing import Any, TypeVar

from django.db import DEFAULT_DB_ALIAS, connection, connections, models
from django.db.backends.utils import CursorWrapper

T = TypeVar("T")

_Adapter = Callable[[Any], Any]

_MOST_PARAMETERS = 900  # in one statement; SQLite's oldest limit is 999


class _Rows(ABC):
    """Some columns of a model, by attribute name (`user_id` for a foreign key)."""

    def __init__(self, model: type[models.Model], columns: Sequence[str]) -> None:
        self._meta = model._meta
        self._columns = columns
        self._written: dict[int, str] = {}

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

    @abstractmethod
    def _statement(self, rows: int) -> str:
        """The statement for so many rows."""

    def _statements(self, rows: int) -> str:
        """That statement, written once."""
        known = self._written.get(rows)
        if known is None:
            known = self._written[rows] = self._statement(rows)
        return known

    @cached_property
    def _adapters(self) -> list[tuple[int, _Adapter]]:
        """How the database takes the values of those columns that do not go as they are, by their places."""
        found = ((place, _adapter(_of_value(field))) for place, field in enumerate(self._fields))
        return [(place, adapter) for place, adapter in found if adapter is not None]

    def _adapted(self, rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
        """Rows of values as the database takes them."""
        adapted = [list(row) for row in rows]
        for place, adapter in self._adapters:
            for row in adapted:
                if row[place] is not None:
                    row[place] = adapter(row[place])
        return adapted


class RowInsert(_Rows):
    """INSERT of rows. Fields that are left out must be null or have a default in the database."""

    @cached_property
    def _most(self) -> int:
        return _MOST_PARAMETERS // len(self._columns)

    def _statement(self, rows: int) -> str:
        row = f"({', '.join(['%s'] * len(self._columns))})"
        return " ".join(["INSERT INTO", self._table, f"({', '.join(self._names)})", "VALUES", ", ".join([row] * rows)])

    def __call__(self, cursor: CursorWrapper, rows: Sequence[Sequence[Any]]) -> None:
        """Inserts rows, each with its values in the order of the columns."""
        # Many rows with one statement: with each that is run, the interpreter changes to another thread and back.
        for part in _parts(self._adapted(rows), self._most):
            cursor.execute(self._statements(len(part)), [*chain.from_iterable(part)])


class RowUpdate(_Rows):
    """UPDATE of single rows by their primary key, which is the last of the columns."""

    def _statement(self, rows: int) -> str:
        *settings, key = (f"{name} = %s" for name in self._names)
        return " ".join(["UPDATE", self._table, "SET", ", ".join(settings), "WHERE", key])

    def __call__(self, cursor: CursorWrapper, rows: Sequence[Sequence[Any]]) -> None:
        """Changes rows, each given by its values in the order of the columns."""
        if rows:
            cursor.executemany(self._statements(1), self._adapted(rows))


class RowLock(_Rows):
    """SELECT of rows by their primary key, locked until the transaction ends, in the order of that key.

    The key is the first of the columns; `condition` is a piece of SQL without parameters. Other columns must be of
    kinds that every database returns alike: text, whole numbers and booleans.
    """

    def __init__(self, model: type[models.Model], columns: Sequence[str], condition: str) -> None:
        super().__init__(model, columns)
        self._condition = condition

    def _statement(self, rows: int) -> str:
        # SQLite's transaction has the only right to write from its beginning, so it has nothing to lock.
        lock = " FOR UPDATE" if connection.features.has_select_for_update else ""
        key = self._names[0]
        where = f"WHERE {key} IN ({', '.join(['%s'] * rows)}) AND {self._condition} ORDER BY {key}"
        return " ".join(["SELECT", ", ".join(self._names), "FROM", self._table, where]) + lock

    def __call__(self, cursor: CursorWrapper, keys: Collection[Any]) -> dict[Any, tuple[Any, ...]]:
        """Those of the rows that are there and meet the condition: their other columns by the key as it was given."""
        found: dict[Any, tuple[Any, ...]] = {}
        adapter = dict(self._adapters).get(0)
        given = {key if adapter is None else adapter(key): key for key in keys}
        for part in _parts(sorted(given), _MOST_PARAMETERS):
            cursor.execute(self._statements(len(part)), part)
            found |= {given[row[0]]: row[1:] for row in cursor.fetchall()}
        return found


def _of_value(field: "models.Field[Any, Any]") -> "models.Field[Any, Any]":
    """The field that decides what a value looks like: for a foreign key the one that it refers to."""
    return field.target_field if isinstance(field, models.ForeignKey) else field


def _adapter(field: "models.Field[Any, Any]") -> _Adapter | None:
    """How the database takes such a field's values; None for kinds that go as they are. None itself always does."""
    # What each field's get_db_prep_save does, but for the conversion of what is no such value to begin with.
    ops = connections[DEFAULT_DB_ALIAS].ops
    if isinstance(field, models.UUIDField):
        return None if connection.features.has_native_uuid_field else attrgetter("hex")
    if isinstance(field, models.DateTimeField):
        return ops.adapt_datetimefield_value
    if isinstance(field, models.DecimalField):
        digits, places = field.max_digits, field.decimal_places
        return partial(ops.adapt_decimalfield_value, max_digits=digits, decimal_places=places)
    return None


def _parts(rows: Sequence[T], most: int) -> Iterator[Sequence[T]]:
    """Rows in parts of 1, 2, 4, 8 … of them, the largest first: so there are few statements, and those are known."""
    start = 0
    while start < len(rows):
        size = 1 << (min(most, len(rows) - start).bit_length() - 1)
        yield rows[start : start + size]
        start += size
