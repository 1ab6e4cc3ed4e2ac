"""A provider inside the process that says back what it was told: for first steps, demonstrations and tests.

It needs no key and costs nothing. `config` may hold `delay_ms`, the pause before each streamed word.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from providers.adapters.base import Sender
from providers.types import Chunk, Endpoint, GenerateRequest, Usage

_MODEL = "echo-1"


class EchoAdapter:
    """Counts a word as a token."""

    @asynccontextmanager
    async def answer(
        self, endpoint: Endpoint, request: GenerateRequest, send: Sender
    ) -> AsyncIterator[AsyncIterator[Chunk]]:
        yield self._speak(endpoint, request)

    async def probe(self, endpoint: Endpoint, send: Sender) -> None:
        """It is always there."""

    async def _speak(self, endpoint: Endpoint, request: GenerateRequest) -> AsyncGenerator[Chunk, None]:
        words = request.messages[-1].content.split(" ")
        limit = request.max_tokens or endpoint.default_max_tokens
        said = words[:limit]
        finish_reason = "stop" if len(said) == len(words) else "length"
        usage = Usage(sum(len(message.content.split()) for message in request.messages), len(said))
        model = request.model or _MODEL
        pause = float(endpoint.config.get("delay_ms", 0)) / 1000
        if request.stream:
            for position, word in enumerate(said):
                await asyncio.sleep(pause)
                yield Chunk(word if position == 0 else f" {word}", model=model)
            yield Chunk("", finish_reason, usage, model, end=True)
        else:
            yield Chunk(" ".join(said), finish_reason, usage, model, end=True)
