"""A sent request and its opened answer are closed together, in order, however it ends."""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager

import httpx
import pytest

from providers.adapters.contract import Opened
from providers.adapters.exchange import Exchange, OnlyChunk
from providers.errors import BrokenAnswer
from providers.types import Chunk

happened: list[str] = []


class Sent(AbstractAsyncContextManager[httpx.Response]):
    async def __aenter__(self) -> httpx.Response:
        return httpx.Response(200)

    async def __aexit__(self, kind: object, error: object, trace: object) -> None:
        happened.append(f"response closed with {type(error).__name__}")


async def chunks() -> AsyncGenerator[Chunk, None]:
    try:
        yield Chunk("one")
        yield Chunk("two")
    finally:
        happened.append("reader closed")


async def a_stream(response: httpx.Response) -> Opened:
    return Opened(chunks())


async def a_broken_answer(response: httpx.Response) -> Opened:
    raise BrokenAnswer("no JSON")


@pytest.fixture(autouse=True)
def nothing_happened() -> None:
    happened.clear()


async def test_a_stream_that_is_left_half_read_is_closed_before_its_response() -> None:
    async with Exchange(Sent(), a_stream) as opened:
        assert (await anext(opened.chunks)).text == "one"
        assert not happened
    assert happened == ["reader closed", "response closed with NoneType"]


async def test_the_response_is_closed_when_its_answer_cannot_be_opened() -> None:
    with pytest.raises(BrokenAnswer):
        async with Exchange(Sent(), a_broken_answer):
            pytest.fail("it was opened")
    assert happened == ["response closed with BrokenAnswer"]


async def test_an_error_of_the_caller_closes_both_and_goes_on() -> None:
    with pytest.raises(ZeroDivisionError):
        async with Exchange(Sent(), a_stream) as opened:
            await anext(opened.chunks)
            raise ZeroDivisionError
    assert happened == ["reader closed", "response closed with ZeroDivisionError"]


async def test_an_answer_of_one_chunk_has_one() -> None:
    assert [chunk.text async for chunk in OnlyChunk(Chunk("all"))] == ["all"]
