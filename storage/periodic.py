"""Work that a process does again and again, beside what it is asked for."""

import logging
import os
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
        self._name = name
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._process = 0  # whose thread it is: threads do not come along when a process forks

    def start(self) -> None:
        """Begins, in this process. Harmless the second time."""
        if self._thread is None or self._process != os.getpid():
            self._process, self._ended = os.getpid(), threading.Event()
            self._thread = threading.Thread(target=self._run, args=(self._ended,), name=self._name, daemon=True)
            self._thread.start()

    def end(self, wait: float = 0.0) -> None:
        """Does it no more, until it is started again. Parameters: wait, seconds to wait for what is under way."""
        thread, self._thread = self._thread, None
        self._ended.set()
        if thread is not None and wait and self._process == os.getpid():
            thread.join(wait)

    def _run(self, ended: threading.Event) -> None:
        pause = self._first
        while not ended.wait(pause):
            pause = self._between
            try:
                close_old_connections()
                self._work()
            except Exception as error:  # the thread must live
                self._logger.warning("%s could not be done: %s", self._what, error)
                connection.close()
        connection.close()
