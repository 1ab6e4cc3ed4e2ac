"""Whether this process is about to stop: the server says so, and whoever would begin something asks."""

import asyncio

RETRY_AFTER = 1  # seconds; another process is there already, or will be in a moment


class ServerStopping(Exception):
    """The server is stopping: it begins nothing any more, and what has not ended in time is cut."""

    def __init__(self) -> None:
        super().__init__("The server is stopping. Send the request again: another will take it.")


class Shutdown:
    """The stop of this process. It begins once and is never taken back."""

    begun = False

    def __init__(self) -> None:
        self._has_begun = asyncio.Event()

    def begin(self) -> None:
        """From now on calls are refused, and /ready says that there is no more to be had here."""
        self.begun = True
        self._has_begun.set()

    async def wait(self) -> None:
        """Returns when it has begun: for a socket that would close then, once nothing is going on in it."""
        await self._has_begun.wait()


shutdown = Shutdown()
