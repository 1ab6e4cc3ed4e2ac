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

P = ParamSpec("P")
T = TypeVar("T")

_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="cold-reads")


async def read(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Runs a function that uses the ORM in the reading thread.

    Raises StorageUnavailable when the database is away, else what the function raises.
    """

    def with_a_sound_connection() -> T:
        close_old_connections()
        try:
            return function(*args, **kwargs)
        except (OperationalError, InterfaceError) as error:
            raise StorageUnavailable(str(error)) from error
        finally:
            close_old_connections()

    return await asyncio.wrap_future(_thread.submit(with_a_sound_connection))
