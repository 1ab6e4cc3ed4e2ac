"""One request and its answer, from the sending until both are closed."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Self

import httpx

from providers.adapters.contract import Opened
from providers.types import Chunk


class Exchange(AbstractAsyncContextManager[Opened]):
    """Sends on entering, and opens the answer; on leaving, closes what reads it and then the response.

    A class, since each generator that is made a context, and each that the event loop has to keep for its end, takes
    as long as the reading of a small answer. Parameters: sent, what a Sender returned; opened, what an open response is
    as an answer.
    """

    def __init__(
        self, sent: AbstractAsyncContextManager[httpx.Response], opened: Callable[[httpx.Response], Awaitable[Opened]]
    ) -> None:
        self._sent = sent
        self._opened = opened
        self._chunks: AsyncIterator[Chunk] | None = None

    async def __aenter__(self) -> Opened:
        response = await self._sent.__aenter__()
        try:
            opened = await self._opened(response)
        except BaseException as error:
            await self._sent.__aexit__(type(error), error, error.__traceback__)
            raise
        self._chunks = opened.chunks
        return opened

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if isinstance(self._chunks, AsyncGenerator):
                await self._chunks.aclose()
        finally:
            await self._sent.__aexit__(kind, error, trace)


class OnlyChunk:
    """An answer of one chunk."""

    def __init__(self, chunk: Chunk) -> None:
        self._chunk: Chunk | None = chunk

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Chunk:
        if (chunk := self._chunk) is None:
            raise StopAsyncIteration
        self._chunk = None
        return chunk
