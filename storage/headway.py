"""Notices when the database does not answer: by a thread that works for it and makes no headway.

A long queue is no reason to give up, so it is not the waiting that is measured but what is under way.
"""

import time

PATIENCE = 1.8  # seconds that somebody waits for a database which does not answer; so that they are told within two


class Headway:
    """What a thread is doing at the database. Written by that thread, read by any."""

    def __init__(self) -> None:
        self._since: float | None = None

    def begin(self) -> None:
        """Something is handed to the database, for the first time or again."""
        if self._since is None:
            self._since = time.monotonic()

    def end(self) -> None:
        """The database has answered, whatever it said."""
        self._since = None

    def patience_left(self) -> float:
        """Seconds until who waits may give up; 0 when the database has not answered for so long."""
        since = self._since
        return PATIENCE if since is None else max(0.0, since + PATIENCE - time.monotonic())
