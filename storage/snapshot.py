"""What the gateway lane reads without a query: a value that is read whole and kept for a while.

A change made in this process shows at once; one made in another, when the value has grown too old.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db import models, transaction
from django.db.models.signals import post_delete, post_save

from storage import reads

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Reading(Generic[T]):
    value: T
    changes: int
    read_at: float

    def age(self) -> float:
        return time.monotonic() - self.read_at


class Snapshot(Generic[T]):
    """A value out of the database, and who is reading a newer one.

    load: reads it, in a thread. oldest: the age in seconds from which it is read again.
    """

    def __init__(self, load: Callable[[], T], oldest: float) -> None:
        self._load = load
        self._oldest = oldest
        self._changes = 0  # made in this process
        self._last: _Reading[T] | None = None
        self._reading: dict[asyncio.AbstractEventLoop, tuple[int, asyncio.Task[_Reading[T]]]] = {}

    async def current(self) -> T:
        """The value. Reads the database when it is old or out of date.

        Raises StorageUnavailable when that is away.
        """
        last = self._last
        if last is None or last.changes != self._changes or last.age() > self._oldest:
            last = await self._refresh()
        return last.value

    async def _refresh(self) -> _Reading[T]:
        # All that wait share one read, and none of them can cancel it for the others. But who comes after a change does
        # not share what was begun before it.
        loop, changes = asyncio.get_running_loop(), self._changes
        begun_at, task = self._reading.get(loop, (None, None))
        if task is None or begun_at != changes:
            task = loop.create_task(self._read(changes))
            self._reading[loop] = (changes, task)
            task.add_done_callback(lambda done: self._forget(loop, done))
        return await asyncio.shield(task)

    def _forget(self, loop: asyncio.AbstractEventLoop, done: "asyncio.Task[_Reading[T]]") -> None:
        _, task = self._reading.get(loop, (None, None))
        if task is done:  # else a newer one has taken its place
            del self._reading[loop]

    async def _read(self, changes: int) -> _Reading[T]:
        read_at = time.monotonic()
        self._last = _Reading(await reads.read(self._load), changes, read_at)
        return self._last

    def note_change(self, **_: Any) -> None:
        """Has the value read again once the transaction is committed. For changes that send no signals."""
        transaction.on_commit(self._count_change)

    def forget(self) -> None:
        """Has the value read again: it is out of date."""
        self._count_change()

    def _count_change(self) -> None:
        self._changes += 1

    def watch(self, *changing: type[models.Model]) -> None:
        """Notices changes of rows of these models that are made in this process."""
        for model in changing:
            for signal in (post_save, post_delete):
                signal.connect(self.note_change, sender=model)
