"""One writer per process: everything that waits is written in one transaction.

Exact accounts need a durable write before a call and another after it. One transaction each would halve the
throughput; so whatever arrives while a transaction runs goes into the next one together.
"""

import asyncio
import atexit
import logging
import queue
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db import InterfaceError, OperationalError, close_old_connections, connection, transaction

from storage.errors import StorageUnavailable
from storage.headway import PATIENCE, Headway

logger = logging.getLogger("gateway.ledger")

Item = TypeVar("Item")
Result = TypeVar("Result")

_LARGEST_GROUP = 512  # items of each kind: a statement takes some ten thousand parameters
_LINGER = 0.05  # seconds that a write which nobody waits for may wait for company
_RETRY_PAUSE = 0.5  # seconds between tries for writes that nobody waits for
_LONG_IDLE = 5.0  # seconds after which a connection may have been closed from the other side
_STOP_TIMEOUT = 4.0  # seconds that stop() waits for the last group; a server that ends must not hang on a database
_DATABASE_AWAY = (OperationalError, InterfaceError)


@dataclass(slots=True)
class _Entry(Generic[Item, Result]):
    item: Item
    waiter: "asyncio.Future[Result] | None" = None


class _Patience:
    """Ends somebody's waiting when the database has not answered for too long."""

    __slots__ = ("_headway", "_timer", "_waiter")

    def __init__(self, waiter: "asyncio.Future[Any]", headway: Headway) -> None:
        self._waiter, self._headway = waiter, headway
        self._timer = waiter.get_loop().call_later(PATIENCE, self._look)
        waiter.add_done_callback(self._end)

    def _look(self) -> None:
        if left := self._headway.patience_left():
            self._timer = self._waiter.get_loop().call_later(left, self._look)
        elif not self._waiter.done():
            self._waiter.set_exception(StorageUnavailable(f"no answer from the database within {PATIENCE} s"))

    def _end(self, _: "asyncio.Future[Any]") -> None:
        self._timer.cancel()


class GroupWriter(Generic[Item, Result]):
    """Applies items in groups in a thread of its own.

    A group is what waits when the last one is committed: the posted items first, then those that are waited for, each
    kind in the order of its arrival. So whoever writes finds applied what was posted before.

    `apply` runs inside a transaction and returns one result per item; a result that is an exception is raised to the
    one who waits for it. When a group fails as a whole, its items are tried one by one, so that one bad item does
    not take the others with it. `unclaimed` is told of an item that was applied when the one who waited for it had
    been cancelled, and of one of which nobody can say whether it was: the database went away meanwhile. `instead` says
    what to write in place of a posted item that is impossible, if anything. The thread is started by the first write,
    so after any fork.
    """

    def __init__(
        self,
        name: str,
        apply: Callable[[Sequence[Item]], Sequence[Result | Exception]],
        unclaimed: Callable[[Item], None] = lambda _: None,
        instead: Callable[[Item], Item | None] = lambda _: None,
    ) -> None:
        self._name = name
        self._apply = apply
        self._unclaimed = unclaimed
        self._instead = instead
        self._awaited: queue.SimpleQueue[_Entry[Item, Result] | None] = queue.SimpleQueue()
        self._posted: deque[_Entry[Item, Result]] = deque()
        self._thread: threading.Thread | None = None
        self._ended: threading.Thread | None = None  # or about to: it was told to, and not to take more
        self._changing = threading.Lock()
        self._headway = Headway()
        self._last_commit = 0.0
        self.taken = 0  # items handed over so far

    def write(self, item: Item) -> "asyncio.Future[Result]":
        """Queues an item. The future holds its result once it is committed.

        The future raises StorageUnavailable when the database is away or does not answer, else what `apply` made of
        the item. One that is applied when nobody waits any more is unclaimed.
        """
        waiter: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        _Patience(waiter, self._headway)
        self._awaited.put(_Entry(item, waiter))
        self._note_one_more()
        return waiter

    def post(self, item: Item) -> None:
        """Queues an item that nobody waits for. While the database is away, it is kept and tried again.

        It wakes nobody: the thread takes it along with the next item that is waited for, or after a short pause.
        """
        self._posted.append(_Entry(item))
        self._note_one_more()

    def stop(self) -> None:
        """Writes what is queued and ends the thread. A later write starts another."""
        with self._changing:
            thread, self._thread = self._thread, None
            if thread is None:
                return
            self._ended = thread
            self._awaited.put(None)
        thread.join(_STOP_TIMEOUT)

    def _note_one_more(self) -> None:
        self.taken += 1
        if self._thread is None:
            self._start()

    def _start(self) -> None:
        with self._changing:
            # A thread that is about to end takes with it what it gives rise to itself.
            if self._thread is None and threading.current_thread() is not self._ended:
                self._thread = threading.Thread(target=self._run, args=(self._ended,), name=self._name, daemon=True)
                self._thread.start()
                if self._ended is None:
                    atexit.register(self.stop)  # servers that are not ours end without a word

    def _run(self, before: threading.Thread | None) -> None:
        if before is not None:
            before.join()  # one at a time, so each finds the end that is meant for it
        stopping = False
        while not stopping:
            awaited, stopping = self._collect()
            is_away = False
            try:
                is_away = not self._write_all(awaited)
            except Exception:  # the thread must live: everybody after this one waits for it
                logger.exception("A group could not be written.")
            if is_away and not stopping:
                time.sleep(_RETRY_PAUSE)
        while self._posted and self._write_all([]):  # what the last group itself gave rise to
            pass
        if self._posted:
            logger.error("%d writes are lost: the database was away until the end.", len(self._posted))
        connection.close()

    def _write_all(self, awaited: list[_Entry[Item, Result]]) -> bool:
        """Writes what was posted by now, and then what is waited for; together, unless that is too much at once.

        Returns False where the database is away: what was posted is then still there, in its order.
        """
        while len(self._posted) > _LARGEST_GROUP:  # after a pause of the database
            if not self._write_part([]):
                break
        return self._write_part(awaited)

    def _write_part(self, awaited: list[_Entry[Item, Result]]) -> bool:
        posted = [self._posted.popleft() for _ in range(min(len(self._posted), _LARGEST_GROUP))]
        kept = self._write_group([*posted, *awaited])
        self._posted.extendleft(reversed(kept))
        return not kept

    def _collect(self) -> tuple[list[_Entry[Item, Result]], bool]:
        """What somebody waits for, after a pause of _LINGER at most. True: these are the last."""
        group: list[_Entry[Item, Result]] = []
        try:
            entry = self._awaited.get(timeout=_LINGER)
            while entry is not None:
                group.append(entry)
                if len(group) == _LARGEST_GROUP:
                    return group, False
                entry = self._awaited.get_nowait()
        except queue.Empty:
            return group, False
        return group, True

    def _write_group(self, group: list[_Entry[Item, Result]]) -> list[_Entry[Item, Result]]:
        """Writes a group and answers its waiters. Returns what must be tried again."""
        if not group:
            return []
        self._headway.begin()
        try:
            results: list[Result | Exception] = self._commit(group)
        except _DATABASE_AWAY as error:
            connection.close()
            logger.error("The database is away: %s", error)
            waiting = [entry for entry in group if entry.waiter is not None]
            self._answer(waiting, [StorageUnavailable(str(error))] * len(waiting))
            for entry in waiting:
                self._unclaimed(entry.item)
            return [entry for entry in group if entry.waiter is None]
        except Exception as error:
            self._headway.end()
            if len(group) > 1:
                return [entry for single in group for entry in self._write_group([single])]
            if group[0].waiter is None:
                logger.exception("A write is impossible and was dropped: %r", group[0].item)
                if (other := self._instead(group[0].item)) is not None:
                    return self._write_group([_Entry(other)])
            results = [error]
        self._headway.end()
        self._answer(group, results)
        return []

    def _commit(self, group: list[_Entry[Item, Result]]) -> list[Result | Exception]:
        if time.monotonic() - self._last_commit > _LONG_IDLE:
            close_old_connections()  # else a restart of the database would cost the first one who comes after it
        self._last_commit = time.monotonic()
        with transaction.atomic():
            return list(self._apply([entry.item for entry in group]))

    def _answer(self, group: Sequence[_Entry[Item, Result]], results: Sequence[Result | Exception]) -> None:
        """Wakes each event loop once, whatever the number of its waiters."""
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Entry[Item, Result], Result | Exception]]]
        by_loop = defaultdict(list)
        for entry, result in zip(group, results, strict=True):
            if entry.waiter is not None:
                by_loop[entry.waiter.get_loop()].append((entry, result))
        for loop, answers in by_loop.items():
            try:
                if loop.is_running():
                    loop.call_soon_threadsafe(self._deliver, answers)
                    continue
            except RuntimeError:  # it was closed just now
                pass
            self._report_unclaimed(answers)

    def _report_unclaimed(self, answers: Sequence[tuple[_Entry[Item, Result], Result | Exception]]) -> None:
        for entry, result in answers:
            if not isinstance(result, Exception):
                self._unclaimed(entry.item)

    def _deliver(self, answers: Sequence[tuple[_Entry[Item, Result], Result | Exception]]) -> None:
        for entry, result in answers:
            if entry.waiter is None:
                continue
            if not entry.waiter.done():
                if isinstance(result, Exception):
                    entry.waiter.set_exception(result)
                else:
                    entry.waiter.set_result(result)
            elif not isinstance(result, Exception):
                self._unclaimed(entry.item)
