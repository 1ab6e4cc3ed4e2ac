"""The counters of one transaction: locked in one order, read once, changed in memory, written together."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.backends.utils import CursorWrapper

from accounts.models import Window
from accounts.rules import CounterKey, Rule
from accounts.windows import Span, window_at

_COLUMNS = 'id, scope, provider, unit, "window", starts_at, used, reserved'


@dataclass(slots=True)
class CounterRow:
    """A Counter's row. starts_at is in seconds since 1970; amounts are as Counter has them."""

    id: int
    key: CounterKey
    starts_at: int
    used: int
    reserved: int
    changed: bool = False
    span: Span | None = None  # the window that it was last turned to

    def turn_to(self, rule: Rule, moment: datetime) -> None:
        """Begins the rule's window at that moment, if it is a new one. What was reserved in an older one ends with it.

        A window that began later than this one stays: another process's clock, or another time zone, was ahead.
        """
        if self.span is not None and self.span.holds(moment):
            return
        self.span = window_of(rule, moment)
        starts_at = int(self.span.starts_at.timestamp())
        if starts_at > self.starts_at:
            self.starts_at, self.used, self.reserved, self.changed = starts_at, 0, 0, True

    def reserve(self, amount: int) -> None:
        self.reserved += amount
        self.changed = True

    def release(self, reserved: int, used: int) -> None:
        """Replaces a reservation by what was used of it."""
        self.reserved -= reserved
        self.used += used
        self.changed = True


class Counters:
    """The counters that a transaction needs, locked until its end.

    All are locked by one statement in the order of their ids, so that no two processes wait for each other in a circle.
    Rows that are missing are made before that: who waits for another that makes the same must not hold any lock.
    """

    def __init__(self, cursor: CursorWrapper, keys: Collection[CounterKey], ids: Collection[int]) -> None:
        self._cursor = cursor
        self._by_key: dict[CounterKey, CounterRow] = {}
        self._by_id: dict[int, CounterRow] = {}
        if keys:
            _lock_table(cursor, "ROW EXCLUSIVE")  # so that none is deleted from now on
            self._find(keys, ids)
            missing = [key for key in keys if key not in self._by_key]
            if not missing and not connection.features.has_select_for_update:
                return  # there is nothing to lock: what was read holds
            self._make(missing)
        self._find(keys, ids, lock=True)

    def row(self, rule: Rule, moment: datetime) -> CounterRow:
        """The counter of a rule in the window that holds at that moment."""
        row = self._by_key[rule.key]
        row.turn_to(rule, moment)
        return row

    def held(self, holds: Iterable[tuple[int, str, int]]) -> Iterator[tuple[CounterRow, str]]:
        """Those counters of a call, with their units, whose window has not ended since."""
        for number, unit, starts_at in holds:
            row = self._by_id.get(number)
            if row is not None and row.starts_at == starts_at:
                yield row, unit

    def save(self) -> None:
        """Writes what was changed."""
        changed = [(row.starts_at, row.used, row.reserved, row.id) for row in self._by_id.values() if row.changed]
        if changed:
            statement = "UPDATE accounts_counter SET starts_at = %s, used = %s, reserved = %s WHERE id = %s"
            self._cursor.executemany(statement, changed)

    def _find(self, keys: Collection[CounterKey], ids: Collection[int] = (), lock: bool = False) -> None:
        scopes = sorted({key.scope for key in keys})
        conditions = [
            f"{column} IN ({', '.join(['%s'] * len(values))})"
            for column, values in (("scope", scopes), ("id", ids))
            if values
        ]
        self._by_key, self._by_id = {}, {}
        if not conditions:
            return
        # SQLite's transaction has the only right to write from its beginning, so it has nothing to lock.
        ending = " FOR UPDATE" if lock and connection.features.has_select_for_update else ""
        statement = " ".join(
            ["SELECT", _COLUMNS, "FROM accounts_counter WHERE", " OR ".join(conditions), "ORDER BY id"]
        )
        self._cursor.execute(statement + ending, [*scopes, *ids])
        for number, scope, provider, unit, window, starts_at, used, reserved in self._cursor.fetchall():
            key = CounterKey(scope, provider, unit, window)
            self._by_key[key] = self._by_id[number] = CounterRow(number, key, starts_at, used, reserved)

    def _make(self, keys: Iterable[CounterKey]) -> None:
        """Adds rows; another process may do the same at this moment, and one of the two does nothing."""
        statement = (
            'INSERT INTO accounts_counter (scope, provider, unit, "window", starts_at, used, reserved)'
            ' VALUES (%s, %s, %s, %s, 0, 0, 0) ON CONFLICT (scope, provider, unit, "window") DO NOTHING'
        )
        if missing := sorted(keys):
            self._cursor.executemany(statement, missing)


def keep_counters_still() -> None:
    """Lets nobody change counters until the transaction ends. To be called before any are deleted.

    Writers lock them in the order of their ids; who deletes them meets them in another.
    """
    with connection.cursor() as cursor:
        _lock_table(cursor, "EXCLUSIVE")


def _lock_table(cursor: CursorWrapper, mode: str) -> None:
    """In a mode as PostgreSQL has them. In SQLite a transaction has the only right to write from its beginning."""
    if connection.features.has_select_for_update:
        cursor.execute(f"LOCK TABLE accounts_counter IN {mode} MODE")


def window_start(rule: Rule, moment: datetime) -> int:
    """When the rule's window at that moment began, in seconds since 1970."""
    return int(window_of(rule, moment).starts_at.timestamp())


def window_end(rule: Rule, moment: datetime) -> datetime | None:
    """When the rule's window at that moment ends; None if it never does."""
    return window_of(rule, moment).ends_at


def window_of(rule: Rule, moment: datetime) -> Span:
    """The rule's window at that moment."""
    return window_at(Window(rule.key.window), moment, rule.zone)
