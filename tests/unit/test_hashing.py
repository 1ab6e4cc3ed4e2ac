"""Turns at hashing: how many have one, how many wait, and that the others are told at once."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from accounts import hashing
from accounts.errors import TooManyAtOnce

_MANY = 40


class Rush:
    """Many who want a turn at the same moment. Nobody who got one is done before all others were refused."""

    def __init__(self, *, regular: bool, served: int) -> None:
        self.served = self.refused = self.inside = self.most_inside = 0
        self._regular = regular
        self._refusals = _MANY - served
        self._start = threading.Barrier(_MANY)
        self._lock = threading.Lock()
        self._all_refused = threading.Event()

    def run(self) -> None:
        with ThreadPoolExecutor(_MANY) as together:
            for one in [together.submit(self._try) for _ in range(_MANY)]:
                one.result()

    def _try(self) -> None:
        self._start.wait(10)
        try:
            with hashing.turn(regular=self._regular):
                self._enter(1)
                if not self._all_refused.wait(5):
                    self._all_refused.set()  # never: the rest need not wait
                self._enter(-1)
            with self._lock:
                self.served += 1
        except TooManyAtOnce:
            with self._lock:
                self.refused += 1
                if self.refused == self._refusals:
                    self._all_refused.set()

    def _enter(self, step: int) -> None:
        with self._lock:
            self.inside += step
            self.most_inside = max(self.most_inside, self.inside)


@pytest.mark.parametrize(("regular", "served"), [(False, 18), (True, 34)])
def test_two_at_once_and_a_short_queue(regular: bool, served: int) -> None:
    rush = Rush(regular=regular, served=served)
    rush.run()
    assert (rush.served, rush.refused, rush.most_inside) == (served, _MANY - served, 2)


def test_a_turn_ends_with_an_error_too() -> None:
    for _ in range(_MANY):
        with pytest.raises(ZeroDivisionError), hashing.turn():
            raise ZeroDivisionError
    with hashing.turn():
        pass
