"""What an adapter is: the wire format of one vendor, and nothing else.

An adapter knows neither Django nor our callers. It receives values and a way to send, yields chunks, and raises the
errors of providers/errors.py. Streamed or not is one path: a whole answer is a stream of one chunk. Translated or
relayed is one path too: a relayed answer is a stream of chunks that carry the bytes as they came.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

import httpx

from providers.conversation import GenerateRequest
from providers.types import Chunk, Endpoint, Head, NativeRequest


class Sender(Protocol):
    """The way to a vendor. The response is open; leaving the context closes it.

    Raises NotSent or NoAnswer, and StatusError for an error status; with `relayed` only for a redirect and for a
    refusal of the key.
    """

    def __call__(
        self, endpoint: Endpoint, request: httpx.Request, *, relayed: bool = False
    ) -> AbstractAsyncContextManager[httpx.Response]: ...


@dataclass(frozen=True, slots=True)
class Opened:
    """An answer that has begun. `head` is there for a relayed one."""

    chunks: AsyncIterator[Chunk]
    head: Head | None = None


class Adapter(Protocol):
    """The contract of every adapter."""

    def answer(self, endpoint: Endpoint, request: GenerateRequest, send: Sender) -> AbstractAsyncContextManager[Opened]:
        """Opens an answer. `request.model` is final. Leaving the context closes the upstream.

        The last chunk has `end` set; an answer that stops before it raises Truncated. Raises UpstreamError, and
        RequestNotPossible for what the vendor has no word for.
        """
        ...

    def relay(self, endpoint: Endpoint, request: NativeRequest, send: Sender) -> AbstractAsyncContextManager[Opened]:
        """Opens the answer to a request in the vendor's own wire format, to be passed on as it is.

        The last chunk has `end` set, and `flaw` where the answer was an error or not whole. Raises UpstreamError, and
        RequestNotPossible for what the vendor must not be asked. A request in another format, if `translates` says so,
        is answered in that; there an error answer is raised.
        """
        ...

    def translates(self, request: NativeRequest) -> bool:
        """Whether a native request in another vendor's wire format can be relayed in this one's words."""
        ...

    def named_model(self, request: NativeRequest, *, surely: bool = False) -> str:
        """The model that a native request names, for the ledger; empty where it names none.

        surely: to be judged by. Then it is what every reader takes for it, and else empty; raises RequestNotPossible
        where something names another beside it.
        """
        ...

    def generates(self, request: NativeRequest) -> bool:
        """Whether a native request may have a model make something."""
        ...

    async def probe(self, endpoint: Endpoint, send: Sender) -> None:
        """Asks the vendor something that costs nothing, with the key. Raises UpstreamError when that fails."""
        ...
