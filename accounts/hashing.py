"""Passwords are hashed in turns: a hash takes a core for a good part of a second, and anybody may ask for one.

Without turns, a hundred strangers at once leave nothing of the machine for the calls.
"""

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from accounts.errors import TooManyAtOnce

_AT_ONCE = 2
_WAITING = 16
_WAITING_REGULARS = 2 * _WAITING
_SOON = 5  # seconds, in which as many as may wait have had their turn


class _Queue:
    """Who has a turn or waits for one, all threads together."""

    def __init__(self) -> None:
        self._turns = threading.Semaphore(_AT_ONCE)
        self._lock = threading.Lock()
        self._present = 0

    def enter(self, room: int) -> None:
        """Returns when it is one's turn. Raises TooManyAtOnce at once when more than `room` would be here."""
        with self._lock:
            if self._present >= room:
                raise TooManyAtOnce(1 + secrets.randbelow(_SOON))  # not all of them at the same moment
            self._present += 1
        self._turns.acquire()

    def leave(self) -> None:
        self._turns.release()
        with self._lock:
            self._present -= 1


_queue = _Queue()


@contextmanager
def turn(*, regular: bool = False) -> Iterator[None]:
    """One of this process's few turns at hashing, after those who came before.

    Raises TooManyAtOnce, without any wait, when too many wait already; a `regular` may wait where strangers may not.
    """
    _queue.enter(_AT_ONCE + (_WAITING_REGULARS if regular else _WAITING))
    try:
        yield
    finally:
        _queue.leave()
