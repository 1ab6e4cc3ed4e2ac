"""A provider inside the process that says back what it was told: for first steps, demonstrations and tests.

It needs no key and costs nothing. `config` may hold `delay_ms`, the pause before each streamed word. Given tools and
told that it must use one, it asks for the first, or the one named, with what it was told as the argument `text`.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import orjson

from providers.adapters.contract import Opened, Sender
from providers.conversation import GenerateRequest, Picture
from providers.errors import RequestNotPossible
from providers.types import Chunk, Endpoint, NativeRequest, ToolCallPiece, Usage

_MODEL = "echo-1"


class EchoAdapter:
    """Counts a word as a token."""

    @asynccontextmanager
    async def answer(self, endpoint: Endpoint, request: GenerateRequest, send: Sender) -> AsyncIterator[Opened]:
        yield Opened(_use_tool(request) if _must_use_tool(request) else _speak(endpoint, request))

    def relay(self, endpoint: Endpoint, request: NativeRequest, send: Sender) -> AbstractAsyncContextManager[Opened]:
        raise RequestNotPossible(f"Provider '{endpoint.name}' has no API of its own. Use /api/generate or /v1.")

    def translates(self, request: NativeRequest) -> bool:
        return False

    def named_model(self, request: NativeRequest, *, surely: bool = False) -> str:
        return ""

    def generates(self, request: NativeRequest) -> bool:
        return False

    async def probe(self, endpoint: Endpoint, send: Sender) -> None:
        """It is always there."""


async def _speak(endpoint: Endpoint, request: GenerateRequest) -> AsyncGenerator[Chunk, None]:
    words = _told(request).split(" ")
    limit = request.max_tokens or endpoint.default_max_tokens
    said = words[:limit]
    finish_reason = "stop" if len(said) == len(words) else "length"
    usage = Usage(_tokens_in(request), len(said))
    model = request.model or _MODEL
    pause = float(endpoint.config.get("delay_ms", 0)) / 1000
    if request.stream:
        for position, word in enumerate(said):
            await asyncio.sleep(pause)
            yield Chunk(word if position == 0 else f" {word}", model=model)
        yield Chunk("", finish_reason, usage, model, end=True)
    else:
        yield Chunk(" ".join(said), finish_reason, usage, model, end=True)


async def _use_tool(request: GenerateRequest) -> AsyncGenerator[Chunk, None]:
    choice = request.tool_choice
    name = choice.name if choice is not None and choice.name else request.tools[0].name
    arguments = orjson.dumps({"text": _told(request)}).decode()
    call = ToolCallPiece(0, "call_echo_0", name, arguments)
    yield Chunk("", "tool_calls", Usage(_tokens_in(request), 1), request.model or _MODEL, end=True, tool_calls=(call,))


def _must_use_tool(request: GenerateRequest) -> bool:
    choice = request.tool_choice
    return bool(request.tools) and choice is not None and choice.mode in {"required", "tool"}


def _told(request: GenerateRequest) -> str:
    """The last message, with a picture in it told as what it is."""
    last = request.messages[-1]
    pictures = [part.media_type or part.url for part in last.parts if isinstance(part, Picture)]
    return " ".join([last.text, *(f"[picture: {picture}]" for picture in pictures)])


def _tokens_in(request: GenerateRequest) -> int:
    return sum(len(message.text.split()) for message in request.messages)
