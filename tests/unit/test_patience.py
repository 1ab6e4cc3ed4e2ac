"""A database that says nothing: who waits for it is told so soon, and a long queue alone is no reason to give up."""

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest

from storage import headway, reads
from storage.errors import StorageUnavailable
from storage.writer import GroupWriter
from tests.unit.words import CREATE, DROP, NAME, Table, finish, rows, run, wait_for

SHORT = 0.4  # seconds


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("headway", "writer", "reads"):
        monkeypatch.setattr(f"storage.{module}.PATIENCE", SHORT)


@pytest.fixture
def table(transactional_db: None) -> Iterator[Table]:
    run(CREATE)
    yield Table()
    run(DROP)


def test_a_write_is_given_up_and_told_of_when_it_comes_to_pass(table: Table) -> None:
    unclaimed: list[str] = []
    writer = GroupWriter[str, int](NAME, table, unclaimed.append)

    async def nobody_answers() -> float:
        table.gate.clear()
        began = time.monotonic()
        for word in ("first", "behind it"):
            with pytest.raises(StorageUnavailable):
                await writer.write(word)
        took = time.monotonic() - began
        table.gate.set()
        await writer.write("last")
        return took

    assert 2 * SHORT <= finish(nobody_answers()) < 4 * SHORT, "each waits no longer than the first"
    wait_for(lambda: unclaimed == ["first", "behind it"])
    writer.stop()
    assert rows() == ["first", "behind it", "last"]


def test_a_queue_that_moves_is_waited_for(table: Table) -> None:
    slow = Table()

    def one_by_one(words: list[str]) -> list[int | Exception]:
        time.sleep(0.6 * SHORT)
        return list(slow(words))

    writer = GroupWriter[str, int](NAME, lambda words: one_by_one(list(words)))

    async def behind_others() -> list[int]:
        waiting = []
        for number in range(5):
            waiting.append(writer.write(f"word {number}"))
            await asyncio.sleep(0.5 * SHORT)
        return await asyncio.gather(*waiting)

    assert finish(behind_others()) == [6] * 5
    writer.stop()


def test_a_read_is_given_up_and_the_next_one_passes(transactional_db: None) -> None:
    gate = threading.Event()

    async def nobody_answers() -> str:
        for _ in range(2):
            with pytest.raises(StorageUnavailable):
                await reads.read(gate.wait, 10)
        gate.set()
        return await reads.read(str, "read")

    assert finish(nobody_answers()) == "read"


def test_failing_again_and_again_is_no_headway() -> None:
    watched = headway.Headway()
    assert watched.patience_left() == SHORT
    for _ in range(5):
        watched.begin()
        time.sleep(SHORT / 4)
    assert watched.patience_left() == 0
    watched.end()
    assert watched.patience_left() == SHORT
