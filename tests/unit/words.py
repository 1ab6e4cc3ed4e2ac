"""A table of words, and what a group writer's tests do with it."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from django.db import connection, transaction

from storage.writer import GroupWriter

T = TypeVar("T")

NAME = "writer-under-test"
PATIENCE = 5.0  # seconds
CREATE = "CREATE TABLE written (position INTEGER PRIMARY KEY AUTOINCREMENT, word VARCHAR(100) UNIQUE)"
DROP = "DROP TABLE IF EXISTS written"


class Refused(Exception):
    """What `Table` makes of a word that begins with "refuse"."""


class Table:
    """Applies words: each becomes a row, and its result is its length. `gate` holds the writer back."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.commits = 0
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, words: Sequence[str]) -> Sequence[int | Exception]:
        self.groups.append(list(words))
        self.gate.wait(PATIENCE)
        transaction.on_commit(self._count)
        taken = [word for word in words if not word.startswith("refuse")]
        with connection.cursor() as cursor:
            for word in taken:
                cursor.execute("INSERT INTO written (word) VALUES (%s)", [word])
        return [len(word) if word in taken else Refused(word) for word in words]

    def _count(self) -> None:
        self.commits += 1


@contextmanager
def writing_to(table: Table, unclaimed: Callable[[str], None] = lambda _: None) -> Iterator[GroupWriter[str, int]]:
    """A writer for the length of a block."""
    writer = GroupWriter[str, int](NAME, table, unclaimed)
    try:
        yield writer
    finally:
        table.gate.set()
        writer.stop()


def run(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def rows() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT word FROM written ORDER BY position")
        return [row[0] for row in cursor.fetchall()]


def finish(waiting: Coroutine[Any, Any, T]) -> T:
    """Runs it in an event loop of its own; one who is never answered fails the test."""
    return asyncio.run(asyncio.wait_for(waiting, PATIENCE))


def write(writer: GroupWriter[str, int], *words: str) -> list[int | BaseException]:
    """Writes words side by side; what became of each."""

    async def all_at_once() -> list[int | BaseException]:
        return await asyncio.gather(*(writer.write(word) for word in words), return_exceptions=True)

    return finish(all_at_once())


def wait_for(condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == NAME]
