"""From an answer's chunks to a stream of bytes in some front's words: one loop for all of them."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Protocol

from accounts.consumption import Consumption
from providers.caller import CLIENT_LEFT
from providers.gateway import Answer
from providers.types import Chunk
from web.problems import Problem, problem_for
from web.shutdown import ServerStopping


class Stream(Protocol):
    """How a front says a stream. Each function returns what is to be sent, or nothing."""

    def begin(self) -> bytes:
        """What comes before the first chunk."""
        ...

    def chunk(self, chunk: Chunk) -> bytes:
        """A piece of the answer."""
        ...

    def end(self, finish_reason: str | None, used: Consumption) -> bytes:
        """The end of a whole answer, end mark included."""
        ...

    def error(self, problem: Problem) -> bytes:
        """What went wrong past the first byte. Nothing follows it, no end mark either."""
        ...


async def rendered(answer: Answer, stream: Stream) -> AsyncGenerator[bytes, None]:
    """The answer as that front says it.

    No exception leaves this but the cancel for a client that has left: past the first byte what goes wrong is told
    inside, and so is that the server stops.
    """
    try:
        if begun := stream.begin():
            yield begun
        async with aclosing(answer.chunks()) as chunks:
            async for chunk in chunks:
                if said := stream.chunk(chunk):
                    yield said
        yield stream.end(answer.finish_reason, answer.consumption)
    except Exception as error:
        yield stream.error(problem_for(error))
    except asyncio.CancelledError as cancelled:
        if CLIENT_LEFT in cancelled.args:
            raise
        yield stream.error(problem_for(ServerStopping()))
    finally:
        await answer.aclose()
