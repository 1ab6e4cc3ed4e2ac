"""How a group writer ends: with all that was handed over written, and no thread left behind."""

import asyncio
import atexit
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from storage.writer import GroupWriter
from tests.gateway import ROOT
from tests.unit.words import CREATE, DROP, PATIENCE, Table, finish, rows, run, threads, wait_for, write, writing_to


@pytest.fixture
def table(transactional_db: None) -> Iterator[Table]:
    run(CREATE)
    yield Table()
    run(DROP)


@pytest.fixture
def writer(table: Table) -> Iterator[GroupWriter[str, int]]:
    with writing_to(table) as made:
        yield made


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


def hold_back(table: Table, writer: GroupWriter[str, int]) -> "asyncio.Future[int]":
    """Lets the thread take a first word and wait at the gate with it."""
    table.gate.clear()
    first = writer.write("first")
    wait_for(lambda: bool(table.groups))
    return first


def stopping(writer: GroupWriter[str, int]) -> threading.Thread:
    """Another thread that is under way in `stop`."""
    thread = threading.Thread(target=writer.stop)
    thread.start()
    time.sleep(0.1)
    assert thread.is_alive()
    return thread


def test_a_write_while_it_stops_goes_to_the_next_thread(table: Table, writer: GroupWriter[str, int]) -> None:
    async def late() -> list[int]:
        first = hold_back(table, writer)
        stop = stopping(writer)
        second = writer.write("second")
        await asyncio.sleep(0.1)
        assert len(table.groups) == 1, "the next thread waits for the one before it"
        table.gate.set()
        results = [await first, await second]
        stop.join(PATIENCE)
        assert not stop.is_alive()
        return results

    assert finish(late()) == [5, 6]
    assert rows() == ["first", "second"]
    assert len(threads()) == 1
    writer.stop()
    assert threads() == []


def test_a_post_while_it_stops_is_written_too(table: Table, writer: GroupWriter[str, int]) -> None:
    async def late() -> None:
        first = hold_back(table, writer)
        stop = stopping(writer)
        writer.post("posted")
        table.gate.set()
        await first
        stop.join(PATIENCE)
        assert not stop.is_alive()

    finish(late())
    writer.stop()
    assert rows() == ["first", "posted"]
    assert threads() == []


def test_what_the_last_group_gives_rise_to_is_written_by_the_thread_that_ends(table: Table) -> None:
    with writing_to(table, lambda word: made.post(f"closed {word}")) as made:

        async def leave() -> None:
            hold_back(table, made)

        finish(leave())
        stop = stopping(made)
        table.gate.set()
        stop.join(PATIENCE)
        assert rows() == ["first", "closed first"]
        assert threads() == []


def test_stops_among_writes_lose_nothing(table: Table, writer: GroupWriter[str, int]) -> None:
    async def keep_writing(name: str) -> None:
        for number in range(300):
            assert await writer.write(f"{name} {number}") > 0
            writer.post(f"after {name} {number}")

    async def stop_again_and_again(writing: "asyncio.Future[list[None]]") -> None:
        while not writing.done():
            await asyncio.to_thread(writer.stop)

    async def both() -> None:
        writing = asyncio.gather(*(keep_writing(name) for name in "abc"))
        await asyncio.gather(writing, stop_again_and_again(writing))

    finish(both())
    writer.stop()
    written = rows()
    assert len(written) == 1800
    for name in "abc":
        assert [word for word in written if word.startswith(name + " ")] == [f"{name} {n}" for n in range(300)]
    assert threads() == []


def test_first_writes_at_once_start_one_thread(table: Table, writer: GroupWriter[str, int]) -> None:
    everybody = threading.Barrier(20)

    def post(number: int) -> None:
        everybody.wait(PATIENCE)
        writer.post(f"word {number}")

    with ThreadPoolExecutor(20) as callers:
        list(callers.map(post, range(20)))
    assert len(threads()) == 1
    writer.stop()
    assert len(rows()) == 20


def test_the_end_of_the_process_is_watched_for_once(table: Table, writer: GroupWriter[str, int]) -> None:
    before = atexit._ncallbacks()
    for number in range(5):
        write(writer, f"word {number}")
        writer.stop()
    assert atexit._ncallbacks() == before + 1


# A program that ends without a word, as servers that are not ours do.
PROGRAM = """
import sys, time
import django
from django.conf import settings

settings.configure(DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": sys.argv[1]}})
django.setup()
from django.db import connection
from storage.writer import GroupWriter

def apply(words):
    with connection.cursor() as cursor:
        for word in words:
            cursor.execute("INSERT INTO written (word) VALUES (%s)", [word])
    return [None for _ in words]

writer = GroupWriter("writer-under-test", apply)
"""


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        pytest.param("", [], id="nothing-was-written"),
        pytest.param("writer.post('a'); writer.post('b')", ["a", "b"], id="posted"),
        pytest.param("writer.post('a'); time.sleep(0.2)", ["a"], id="written-already"),
        pytest.param("writer.post('a'); writer.stop()", ["a"], id="stopped"),
        pytest.param("writer.post('a'); writer.stop(); writer.stop(); writer.post('b')", ["a", "b"], id="again"),
        pytest.param("writer.post('a'); sys.exit(3)", ["a"], id="exit"),
        pytest.param("writer.post('a'); 1 / 0", ["a"], id="error"),
    ],
)
def test_a_program_that_ends_without_a_word(tmp_path: Path, rest: str, expected: list[str]) -> None:
    path = str(tmp_path / "words.sqlite3")
    database = sqlite3.connect(path)
    database.execute(CREATE)
    started = time.monotonic()
    command = [sys.executable, "-c", PROGRAM + rest, path]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert time.monotonic() - started < PATIENCE
    assert [word for (word,) in database.execute("SELECT word FROM written ORDER BY position")] == expected
    complaints = [line for line in ended.stderr.splitlines() if not line.startswith(" ")]
    assert complaints == (
        ["Traceback (most recent call last):", "ZeroDivisionError: division by zero"] if "1 / 0" in rest else []
    )
    database.close()
