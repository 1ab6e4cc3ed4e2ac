"""Cold reads from the async lane.

The lane never waits for the ORM on its hot path: what it needs often lies in short caches. What is not in a cache is
read here, in one thread that owns its own connection. Django closes broken connections at the end of a request by a
signal that the lane does not send; so this closes them itself, or a database restart would poison the thread's
connection for good.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from django.db import InterfaceError, OperationalError, close_old_connections

from storage.errors import StorageUnavailable
from storage.headway import PATIENCE, Headway

P = ParamSpec("P")
T = TypeVar("T")

_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="cold-reads")
_headway = Headway()


async def read(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Runs a function that uses the ORM in the reading thread.

    Raises StorageUnavailable when the database is away or does not answer, else what the function raises.
    """

    def with_a_sound_connection() -> T:
        _headway.begin()
        away = False
        try:
            close_old_connections()
            return function(*args, **kwargs)
        except (OperationalError, InterfaceError) as error:
            away = True
            raise StorageUnavailable(str(error)) from error
        finally:
            if not away:
                _headway.end()
            close_old_connections()

    reading = asyncio.wrap_future(_thread.submit(with_a_sound_connection))
    patience = PATIENCE
    try:
        while not (await asyncio.wait([reading], timeout=patience))[0]:
            patience = _headway.patience_left()
            if not patience:
                raise StorageUnavailable(f"no answer from the database within {PATIENCE} s")
        return reading.result()
    finally:
        reading.cancel()  # where nobody waits any more
