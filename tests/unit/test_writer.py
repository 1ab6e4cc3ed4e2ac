"""The group writer against a real table: few transactions, order, and nobody pays for another's failure."""

import asyncio
import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import IntegrityError

from storage.errors import StorageUnavailable
from storage.writer import GroupWriter
from tests.unit.words import (
    CREATE,
    DROP,
    NAME,
    PATIENCE,
    Refused,
    Table,
    finish,
    rows,
    run,
    threads,
    wait_for,
    write,
    writing_to,
)


@pytest.fixture
def table(transactional_db: None) -> Iterator[Table]:
    run(CREATE)
    yield Table()
    run(DROP)


@pytest.fixture
def writer(table: Table) -> Iterator[GroupWriter[str, int]]:
    with writing_to(table) as made:
        yield made


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


def test_a_written_item_is_committed_when_its_future_is_done(table: Table, writer: GroupWriter[str, int]) -> None:
    assert write(writer, "word") == [4]
    assert rows() == ["word"]


def test_many_writes_go_into_few_transactions_in_order(table: Table, writer: GroupWriter[str, int]) -> None:
    words = [f"word {number:04}" for number in range(1200)]
    assert write_together(table, writer, *words) == [9] * 1200
    assert rows() == ["first", *words]
    assert table.commits == len(table.groups) <= 5
    assert max(map(len, table.groups)) == 512


def test_what_waits_after_a_pause_of_the_database_is_written_in_groups_and_before_who_comes_then(
    table: Table, writer: GroupWriter[str, int]
) -> None:
    """One statement takes so many parameters only; a group that is too large would be tried for ever."""
    posted = [f"posted {number:04}" for number in range(1200)]
    run("DROP TABLE written")
    for word in posted:
        writer.post(word)
    wait_for(lambda: len(table.groups) >= 2)
    run(CREATE)
    assert write(writer, "last") == [4]
    assert rows() == [*posted, "last"]
    assert max(map(len, table.groups)) <= 513


def test_what_is_posted_after_an_answer_comes_after_what_was_answered(
    table: Table, writer: GroupWriter[str, int]
) -> None:
    """So a call is never settled before it was admitted, though posts overtake those who still wait."""

    async def write_and_post(number: int) -> None:
        await writer.write(f"word {number}")
        writer.post(f"posted {number}")

    async def many() -> None:
        await asyncio.gather(*(write_and_post(number) for number in range(1200)))

    finish(many())
    writer.stop()
    places = {word: place for place, word in enumerate(rows())}
    assert len(places) == 2400
    assert all(places[f"word {number}"] < places[f"posted {number}"] for number in range(1200))


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
    writer = GroupWriter[str, int](NAME, table, unclaimed.append)
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
    writer = GroupWriter[str, int](NAME, table, unclaimed.append)

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


def test_the_log_has_nothing_to_say_when_all_is_well(
    table: Table, writer: GroupWriter[str, int], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, logger="gateway.ledger"):
        write(writer, "one", "refuse", "two")
        writer.stop()
    assert caplog.records == []
