"""The story of a call: route, admit, attempt, relay, settle. The only module that sees both accounts and vendors.

Streamed or not is one path: `open_answer` returns once the first piece of the answer is there, so a refusal is still
an error with its status; then the caller takes the answer whole or piece by piece, and closes it.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from dataclasses import replace
from types import TracebackType
from typing import Self

from accounts import ledger
from accounts.consumption import Consumption
from accounts.ledger import Admission, AttemptRecord, Hold
from accounts.models import CallState
from accounts.principal import Principal
from providers import directory, routing
from providers.adapters.contract import Opened
from providers.adapters.registry import adapter_for
from providers.completion import Completion, completion
from providers.errors import (
    AnswerTimeout,
    ConnectTimeout,
    NotSent,
    ProviderError,
    RequestNotPossible,
    StatusError,
    Truncated,
    UpstreamError,
)
from providers.routing import PlannedAttempt
from providers.types import Chunk, Head, NativeRequest, Usage, Wanted
from providers.upstream.client import send

CLIENT_LEFT = "the client left"  # with this message the lane cancels what it serves; the server cancels without
_BYTES_PER_TOKEN = 4  # for estimates only: what was relayed when the vendor's own count is missing
_MOST_UNREAD = 512 * 1024  # bytes that are taken for words where nothing could be read; no model writes more at a time
_LAST_READ_SECONDS = 0.25  # how long a finished answer's connection may take to become reusable


async def open_answer(principal: Principal, wanted: Wanted, *, request_id: str, surface: str) -> "Answer":
    """Admits a call and opens its answer, up to the first piece. The caller must close what this returns.

    Raises ProviderError, NotAuthenticated or StorageUnavailable; then nothing is left open.
    """
    plan = routing.route(wanted, await directory.current())
    if wanted.native is not None and wanted.native.model is None:
        plan = tuple(_as_asked(planned, wanted.native) for planned in plan)
    first = plan[0]
    hold = await ledger.admit(
        Admission(principal, request_id, surface, first.endpoint.name, first.model, streamed=wanted.stream)
    )
    answer = Answer(hold, wanted)
    try:
        await answer.open(plan)
    except BaseException as error:
        await answer.aclose(error)
        raise
    return answer


def _as_asked(planned: PlannedAttempt, native: NativeRequest) -> PlannedAttempt:
    """An attempt at a request that is relayed untouched: the model is what the request says. Raises ModelNotFound."""
    named = adapter_for(planned.endpoint.type).named_model(native)
    routing.check_named_model(planned.endpoint, native, named)
    return replace(planned, model=named)


class Answer:
    """An admitted call and its open upstream: iterate it, or collect it, and close it. Closing settles the call.

    `async with` closes it. How it ended is what decides the call's state: with its end reached it is done, with an
    error it is that error, and closed before either the client has gone.
    """

    def __init__(self, hold: Hold, wanted: Wanted) -> None:
        self.call_id = hold.call_id
        self.head: Head | None = None  # of a relayed answer, whose chunks carry the bytes
        self.finish_reason: str | None = None
        self.model = ""
        self.provider = ""
        self._hold = hold
        self._wanted = wanted
        self._attempts: list[AttemptRecord] = []
        self._attempt: PlannedAttempt | None = None
        self._upstream = AsyncExitStack()
        self._chunks: AsyncIterator[Chunk] | None = None
        self._first: Chunk | None = None
        self._usage: Usage | None = None
        self._relayed_bytes = self._unread_bytes = 0
        self._finished = False
        self._failure: BaseException | None = None
        self._closed = False
        self._started = time.monotonic()
        self._first_byte_ms: int | None = None

    async def open(self, plan: tuple[PlannedAttempt, ...]) -> None:
        """Makes the planned attempts in order until one answers. Raises the error of the last one made."""
        for position, planned in enumerate(plan):
            self._begin(planned)
            try:
                await self._open_attempt(planned)
                return
            except UpstreamError as error:
                await self._upstream.aclose()
                if not error.retryable or position == len(plan) - 1:
                    raise
                self._attempts.append(self._record(_state_of(error), error))

    def _begin(self, planned: PlannedAttempt) -> None:
        self._attempt = planned
        self._started = time.monotonic()
        self._first_byte_ms = None
        self.head = self.finish_reason = self._usage = self._first = self._chunks = None
        self._relayed_bytes = self._unread_bytes = 0
        self.provider, self.model = planned.endpoint.name, planned.model

    async def _open_attempt(self, planned: PlannedAttempt) -> None:
        opened = await self._upstream.enter_async_context(self._asked(planned))
        self._chunks, self.head = opened.chunks, opened.head
        try:
            self._first = await anext(self._chunks)
        except StopAsyncIteration:
            raise Truncated("an answer without a single chunk") from None
        self._first_byte_ms = round((time.monotonic() - self._started) * 1000)
        self.model = self.model or self._first.model
        if self._first.flaw is not None and self.head is None:
            self._note(self._first)
            raise self._first.flaw

    def _asked(self, planned: PlannedAttempt) -> AbstractAsyncContextManager[Opened]:
        """The request in the form that the provider takes: as it came where the adapter knows what to do with that."""
        endpoint, native = planned.endpoint, self._wanted.native
        adapter = adapter_for(endpoint.type)
        if native is not None and (native.wire in {"", endpoint.wire} or adapter.translates(native)):
            return adapter.relay(
                endpoint, native if native.model is None else replace(native, model=planned.model), send
            )
        if self._wanted.translate is None:
            raise RequestNotPossible(f"Provider '{endpoint.name}' has nothing that answers this path.", status=404)
        return adapter.answer(endpoint, replace(self._wanted.translate(), model=planned.model), send)

    @property
    def _came_whole(self) -> bool:
        return self._first is not None and self._first.end

    @property
    def whole_body(self) -> bytes | None:
        """A relayed answer's body, if all of it is there already."""
        return self._first.raw if self.head is not None and self._first is not None and self._first.end else None

    async def chunks(self) -> AsyncGenerator[Chunk, None]:
        """The answer piece by piece. Raises UpstreamError."""
        chunk, chunks = self._first, self._chunks
        if chunk is None or chunks is None:
            raise RuntimeError("The answer is not open.")
        try:
            while True:
                self._note(chunk)
                yield chunk
                if chunk.end:
                    return
                try:
                    chunk = await anext(chunks)
                except StopAsyncIteration:
                    raise Truncated("the answer ended without its end mark") from None
        except BaseException as error:  # a cancel too: it says who has ended this
            self._failure = error
            raise

    async def collect(self) -> Completion:
        """The rest of the answer as a whole. Raises UpstreamError."""
        chunks = [chunk async for chunk in self.chunks()]
        return completion(chunks, model=self.model, provider=self.provider, finish_reason=self.finish_reason)

    def _note(self, chunk: Chunk) -> None:
        self._relayed_bytes += len(chunk.text.encode()) + len(chunk.reasoning.encode())
        self._relayed_bytes += sum(len(piece.arguments.encode()) for piece in chunk.tool_calls)
        self._unread_bytes = chunk.unread
        self._finished = chunk.end and chunk.flaw is None
        self._failure = chunk.flaw or self._failure
        self.finish_reason = chunk.finish_reason or self.finish_reason
        self._usage = chunk.usage or self._usage
        self.model = chunk.model or self.model

    async def aclose(self, error: BaseException | None = None) -> None:
        """Closes the upstream and settles the call. Harmless the second time."""
        if self._closed:
            return
        self._closed = True
        self._failure = self._failure or error
        try:
            await self._close_upstream()
        finally:
            state = CallState.DONE if self._finished else _state_of(self._failure)
            if self._attempt is not None:
                self._attempts.append(self._record(state, self._failure))
            ledger.settle(self._hold, state, self.consumption, self._attempts)

    async def _close_upstream(self) -> None:
        try:
            if self._finished and self._chunks is not None and not self._came_whole:
                with suppress(TimeoutError, ProviderError):
                    async with asyncio.timeout(_LAST_READ_SECONDS):
                        await anext(self._chunks, None)
        finally:
            await self._upstream.aclose()

    def _record(self, state: CallState, error: BaseException | None) -> AttemptRecord:
        assert self._attempt is not None
        return AttemptRecord(
            provider=self._attempt.endpoint.name,
            model=self.model,
            key_hint=self._attempt.endpoint.key_hint,
            state=state,
            status=error.status if isinstance(error, StatusError) else None,
            consumption=self._consumption(error),
            first_byte_ms=self._first_byte_ms,
            duration_ms=round((time.monotonic() - self._started) * 1000),
        )

    @property
    def consumption(self) -> Consumption:
        """What the vendor reported; else an estimate, if the vendor was asked and did not refuse."""
        return self._consumption(self._failure)

    def _consumption(self, failure: BaseException | None) -> Consumption:
        """What the present attempt used. A report out of the middle of an answer leaves out what came after it."""
        relayed = self._relayed_bytes or min(self._unread_bytes, _MOST_UNREAD)
        output = -(-relayed // _BYTES_PER_TOKEN)
        if (used := self._usage) is not None:
            whole = self._finished or (self.head is None and self._came_whole)
            said = used.output if whole else max(used.output, output)
            tokens = (used.input, said, used.cached, used.cache_write, used.reasoning)
            return Consumption(*tokens, used.measures or None, estimated=used.estimated or not whole)
        if self._attempt is None or isinstance(failure, NotSent | StatusError | RequestNotPossible):
            return Consumption()
        return Consumption(-(-self._wanted.prompt_bytes // _BYTES_PER_TOKEN), output, estimated=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose(error)


def _state_of(error: BaseException | None) -> CallState:
    """How a call ended that did not reach its end."""
    match error:
        case asyncio.CancelledError() if CLIENT_LEFT not in error.args:
            return CallState.SHUTDOWN
        case None | asyncio.CancelledError() | GeneratorExit():
            return CallState.CLIENT_GONE
        case AnswerTimeout() | ConnectTimeout():
            return CallState.TIMEOUT
        case Truncated():
            return CallState.TRUNCATED
        case UpstreamError():
            return CallState.UPSTREAM_ERROR
        case RequestNotPossible():
            return CallState.REFUSED
        case _:
            return CallState.INTERNAL_ERROR
