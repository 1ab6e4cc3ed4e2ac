"""Work that a process does again and again, beside what it is asked for."""

import logging
import threading
from collections.abc import Callable

from django.db import close_old_connections, connection


class Periodic:
    """A thread that does something at intervals, with a connection to the database of its own.

    What goes wrong is logged, and tried again the next time: a database that is away comes back.

    Parameters: name, of the thread; work; what, for the log, is done; first, between: seconds before the first time and
    between two of them.
    """

    def __init__(
        self, name: str, work: Callable[[], None], what: str, logger: logging.Logger, *, first: float, between: float
    ) -> None:
        self._work = work
        self._what = what
        self._logger = logger
        self._first = first
        self._between = between
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def end(self, wait: float = 0.0) -> None:
        """Does it no more. Parameters: wait, how many seconds to wait for what is under way."""
        self._ended.set()
        if wait:
            self._thread.join(wait)

    def _run(self) -> None:
        pause = self._first
        while not self._ended.wait(pause):
            pause = self._between
            try:
                close_old_connections()
                self._work()
            except Exception as error:  # the thread must live
                self._logger.warning("%s could not be done: %s", self._what, error)
                connection.close()
        connection.close()
