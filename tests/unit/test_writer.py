"""The group writer against a real table: few transactions, order, and nobody pays for another's failure."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest
from django.db import IntegrityError, connection, transaction

from storage.errors import StorageUnavailable
from storage.writer import GroupWriter

T = TypeVar("T")

PATIENCE = 5.0  # seconds
CREATE = "CREATE TABLE written (position INTEGER PRIMARY KEY AUTOINCREMENT, word VARCHAR(100) UNIQUE)"


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


@pytest.fixture
def table(transactional_db: None) -> Iterator[Table]:
    run(CREATE)
    yield Table()
    run("DROP TABLE IF EXISTS written")


@pytest.fixture
def writer(table: Table) -> Iterator[GroupWriter[str, int]]:
    made = GroupWriter[str, int]("writer-under-test", table)
    yield made
    table.gate.set()
    made.stop()


def run(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def finish(waiting: Coroutine[Any, Any, T]) -> T:
    """Runs it in an event loop of its own; one who is never answered fails the test."""
    return asyncio.run(asyncio.wait_for(waiting, PATIENCE))


def rows() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT word FROM written ORDER BY position")
        return [row[0] for row in cursor.fetchall()]


def write(writer: GroupWriter[str, int], *words: str) -> list[int | BaseException]:
    """Writes words side by side; what became of each."""

    async def all_at_once() -> list[int | BaseException]:
        return await asyncio.gather(*(writer.write(word) for word in words), return_exceptions=True)

    return finish(all_at_once())


def write_together(table: Table, writer: GroupWriter[str, int], *words: str) -> list[int | BaseException]:
    """As `write`, while the thread is held back with a first word: the others are all there when it goes on."""

    async def behind_a_first() -> list[int | BaseException]:
        table.gate.clear()
        first = writer.write("first")
        while not table.groups:
            await asyncio.sleep(0.001)
        others = [writer.write(word) for word in words]
        table.gate.set()
        await first
        return await asyncio.gather(*others, return_exceptions=True)

    return finish(behind_a_first())


def wait_for(condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "writer-under-test"]


def test_a_written_item_is_committed_when_its_future_is_done(table: Table, writer: GroupWriter[str, int]) -> None:
    assert write(writer, "word") == [4]
    assert rows() == ["word"]


def test_many_writes_go_into_few_transactions_in_order(table: Table, writer: GroupWriter[str, int]) -> None:
    words = [f"word {number:04}" for number in range(1200)]
    assert write_together(table, writer, *words) == [9] * 1200
    assert rows() == ["first", *words]
    assert table.commits == len(table.groups) <= 5


def test_posted_items_are_written_without_anybody_waiting(table: Table, writer: GroupWriter[str, int]) -> None:
    words = [f"word {number}" for number in range(100)]
    for word in words:
        writer.post(word)
    wait_for(lambda: len(rows()) == 100, 1.0)
    assert rows() == words
    assert table.commits <= 10


def test_those_who_wait_do_not_keep_what_is_posted_from_being_written(
    table: Table, writer: GroupWriter[str, int]
) -> None:
    async def busy() -> None:
        writer.post("posted")
        deadline = time.monotonic() + PATIENCE
        while not any("posted" in group for group in table.groups):
            assert time.monotonic() < deadline
            await writer.write(f"word {writer.taken}")

    finish(busy())
    writer.stop()
    assert rows().count("posted") == 1


def test_one_bad_item_fails_alone(table: Table, writer: GroupWriter[str, int]) -> None:
    results = write_together(table, writer, "one", "two", "first", "three")
    assert [results[0], results[1], results[3]] == [3, 3, 5]
    assert isinstance(results[2], IntegrityError)
    assert rows() == ["first", "one", "two", "three"]


def test_a_refusal_is_raised_to_its_waiter_only(table: Table, writer: GroupWriter[str, int]) -> None:
    results = write_together(table, writer, "one", "refuse a", "two", "refuse b")
    assert (results[0], results[2]) == (3, 3)
    assert [str(result) for result in results if isinstance(result, Refused)] == ["refuse a", "refuse b"]
    assert rows() == ["first", "one", "two"]
    assert len(table.groups) == 2, "a refusal is no failure of the group"


def test_an_impossible_posted_item_is_dropped_and_logged(
    table: Table, writer: GroupWriter[str, int], caplog: pytest.LogCaptureFixture
) -> None:
    write(writer, "word")
    for word in ("a", "word", "b"):
        writer.post(word)
    writer.stop()
    assert rows() == ["word", "a", "b"]
    assert "A write is impossible and was dropped: 'word'" in caplog.text


def test_while_the_database_is_away_waiters_hear_of_it_and_posts_are_kept(
    table: Table, writer: GroupWriter[str, int], caplog: pytest.LogCaptureFixture
) -> None:
    run("DROP TABLE written")
    for word in ("a", "b"):
        writer.post(word)
    results = write(writer, "x", "y")
    assert [type(result) for result in results] == [StorageUnavailable, StorageUnavailable]
    assert "The database is away" in caplog.text
    writer.post("c")
    wait_for(lambda: any("c" in group for group in table.groups))
    run(CREATE)
    wait_for(lambda: len(rows()) >= 3)
    assert rows() == ["a", "b", "c"], "each once, and in order"
    assert write(writer, "z") == [1]
    assert rows() == ["a", "b", "c", "z"]


def test_a_database_that_is_away_to_the_end_costs_what_was_posted_and_the_log_says_so(
    table: Table, writer: GroupWriter[str, int], caplog: pytest.LogCaptureFixture
) -> None:
    run("DROP TABLE written")
    for word in ("a", "b"):
        writer.post(word)
    writer.stop()
    assert "2 writes are lost" in caplog.text
    assert threads() == []


def test_one_who_is_cancelled_harms_nobody_and_is_told_of(table: Table) -> None:
    unclaimed: list[str] = []
    writer = GroupWriter[str, int]("writer-under-test", table, unclaimed.append)
    complaints: list[object] = []

    async def cancelled() -> list[int]:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        table.gate.clear()
        futures = {word: writer.write(word) for word in ("one", "two", "three", "refuse")}
        futures["two"].cancel()
        futures["refuse"].cancel()
        table.gate.set()
        return [await futures["one"], await futures["three"], await writer.write("last")]

    assert finish(cancelled()) == [3, 5, 4]
    writer.stop()
    assert rows() == ["one", "two", "three", "last"], "it was handed over, so it is written"
    assert unclaimed == ["two"], "applied, and nobody took it; what was refused was not applied"
    assert complaints == []


def test_an_event_loop_that_has_gone_harms_nobody_and_is_told_of(table: Table) -> None:
    unclaimed: list[str] = []
    writer = GroupWriter[str, int]("writer-under-test", table, unclaimed.append)

    async def leave() -> None:
        table.gate.clear()
        writer.write("left behind")

    finish(leave())
    table.gate.set()
    assert write(writer, "word") == [4]
    writer.stop()
    assert rows() == ["left behind", "word"]
    assert unclaimed == ["left behind"]


def test_two_event_loops_at_once(table: Table, writer: GroupWriter[str, int]) -> None:
    words = [[f"{loop} {number}" for number in range(50)] for loop in ("one", "other")]
    with ThreadPoolExecutor(2) as loops:
        results = list(loops.map(lambda part: write(writer, *part), words))
    assert results == [[len(word) for word in part] for part in words]
    assert [word for word in rows() if word.startswith("one")] == words[0]
    assert [word for word in rows() if word.startswith("other")] == words[1]


def test_stop_writes_what_is_queued_and_ends_the_thread(table: Table, writer: GroupWriter[str, int]) -> None:
    async def leave_much() -> None:
        for number in range(600):
            writer.write(f"written {number}")
        for number in range(600):
            writer.post(f"posted {number}")

    finish(leave_much())
    writer.stop()
    assert len(rows()) == 1200
    assert threads() == []


def test_a_stopped_writer_starts_again(table: Table, writer: GroupWriter[str, int]) -> None:
    for word in ("one", "two", "three"):
        assert write(writer, word) == [len(word)]
        writer.stop()
        assert threads() == []
    writer.post("posted")
    writer.stop()
    assert rows() == ["one", "two", "three", "posted"]
    assert writer.taken == 4


def test_nothing_runs_before_the_first_write(table: Table, writer: GroupWriter[str, int]) -> None:
    assert threads() == []
    writer.stop()
    writer.stop()
    assert table.groups == []


def test_the_log_has_nothing_to_say_when_all_is_well(
    table: Table, writer: GroupWriter[str, int], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, logger="gateway.ledger"):
        write(writer, "one", "refuse", "two")
        writer.stop()
    assert caplog.records == []
