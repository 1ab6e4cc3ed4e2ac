"""The story of a call: route, admit, attempt, relay, settle. The only module that sees both accounts and vendors.

Streamed or not is one path: `open_answer` returns once the first piece of the answer is there, so a refusal is still
an error with its status; then the caller takes the answer whole or piece by piece, and closes it.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import replace
from decimal import Decimal
from functools import reduce
from operator import add
from types import TracebackType
from typing import Self

from accounts import ledger, prices
from accounts.consumption import Consumption
from accounts.errors import NotAuthenticated, NotPermitted, QuotaSpent
from accounts.ledger import AttemptRecord, Hold
from accounts.models import CallState
from accounts.prices import PriceTable
from accounts.principal import Principal
from providers import caller
from providers.adapters.contract import Opened
from providers.adapters.registry import adapter_for
from providers.admission import admitted
from providers.caller import CLIENT_LEFT, Caller
from providers.completion import Completion, completion
from providers.errors import (
    AnswerTimeout,
    ConnectTimeout,
    ProviderError,
    ProviderWithdrawn,
    RequestNotPossible,
    Truncated,
    UpstreamError,
)
from providers.execution import Execution
from providers.leash import Leash
from providers.reservation import Reservation
from providers.routing import PlannedAttempt
from providers.types import Chunk, Head, Wanted
from providers.upstream.client import send

_LAST_READ_SECONDS = 0.25  # how long a finished answer's connection may take to become reusable


async def open_answer(principal: Principal, wanted: Wanted, *, request_id: str, surface: str) -> "Answer":
    """Admits a call and opens its answer, up to the first piece. The caller must close what this returns.

    Raises ProviderError, NotAuthenticated, CredentialChanged, NotPermitted, QuotaExceeded or StorageUnavailable; then
    nothing is left open.
    """
    waiting, table = caller.current.get() or Caller(), await prices.current()
    plan, hold = await admitted(principal, wanted, table, request_id, surface)
    waiting.admitted(hold)
    answer = Answer(hold, wanted, table, waiting)
    try:
        await answer.open(plan)
    except BaseException as error:
        await answer.aclose(error)
        raise
    return answer


class Answer:
    """An admitted call and its open upstream: iterate it, or collect it, and close it. Closing settles the call.

    `async with` closes it. How it ended is what decides the call's state: with its end reached it is done, with an
    error it is that error, and closed before either the client has gone. Where the answer is read on without the
    client, the call's state says that the client has gone, and the attempt's what came of it.
    """

    def __init__(
        self, hold: Hold, wanted: Wanted, table: PriceTable | None = None, waiting: Caller | None = None
    ) -> None:
        self.call_id = hold.call_id
        self.head: Head | None = None  # of a relayed answer, whose chunks carry the bytes
        self.finish_reason: str | None = None
        self._hold = hold
        self._wanted = wanted
        self._prices = table or PriceTable(())
        self._waiting = waiting or Caller()
        self._unheard: bool | None = None  # whether the client had left when the answer came to its end, good or bad
        self._attempts: list[AttemptRecord] = []
        self._execution: Execution | None = None
        self._upstream: AbstractAsyncContextManager[Opened] | None = None  # once it is entered
        self._chunks: AsyncIterator[Chunk] | None = None
        self._first: Chunk | None = None
        self._reservation = Reservation(hold, wanted)
        self._leash = Leash(hold.admission.principal)
        self._failure: BaseException | None = None
        self._closed = False

    @property
    def model(self) -> str:
        """What answers, as far as that is known."""
        return self._execution.model if self._execution is not None else ""

    @property
    def provider(self) -> str:
        """Who answers."""
        return self._execution.planned.endpoint.name if self._execution is not None else ""

    async def open(self, plan: tuple[PlannedAttempt, ...]) -> None:
        """Makes the planned attempts in order until one answers. Raises the error of the last one made.

        For a client who has left, what is under way is read on; nothing more is begun.
        """
        for position, planned in enumerate(plan):
            execution = self._begin(planned)
            self._leash.begin_to_wait(asyncio.current_task())
            try:
                await self._open_attempt(execution)
                return
            except asyncio.CancelledError as error:
                raise self._leash.reason(error) from None
            except UpstreamError as error:
                await self._close_upstream()
                if not error.retryable or position == len(plan) - 1 or self._waiting.left:
                    raise
                self._attempts.append(execution.record(_state_of(error), error))
            finally:
                self._leash.waiting = None

    def _begin(self, planned: PlannedAttempt) -> Execution:
        self._waiting.asks(planned.endpoint.on_disconnect)
        self._leash.provider, self._leash.model = planned.endpoint.name, planned.model
        self._execution = Execution(planned, self._wanted, self._prices, self._hold.opened_at, self._reservation.given)
        self.head = self.finish_reason = self._first = self._chunks = None
        return self._execution

    async def _open_attempt(self, execution: Execution) -> None:
        asked = self._asked(execution.planned)
        opened = await asked.__aenter__()
        self._upstream, self._chunks, self.head = asked, opened.chunks, opened.head
        execution.relays = self.head is not None
        try:
            self._first = await anext(self._chunks)
        except StopAsyncIteration:
            raise Truncated("an answer without a single chunk") from None
        execution.begun(self._first)
        if self._first.flaw is not None and self.head is None:
            self._note(execution, self._first)
            raise self._first.flaw

    def _asked(self, planned: PlannedAttempt) -> AbstractAsyncContextManager[Opened]:
        """The request in the form that the provider takes: as it came where the adapter knows what to do with that."""
        endpoint, native = planned.endpoint, self._wanted.native
        adapter, output = adapter_for(endpoint.type), self._reservation.limit
        if native is not None and (native.wire in {"", endpoint.wire} or adapter.translates(native)):
            if native.model is not None:
                native = replace(native, model=planned.model, output=output, limits=self._wanted.asks.limits)
            return adapter.relay(endpoint, native, send)
        if self._wanted.translate is None:
            raise RequestNotPossible(f"Provider '{endpoint.name}' has nothing that answers this path.", status=404)
        request = replace(self._wanted.translate(), model=planned.model)
        return adapter.answer(endpoint, request if output is None else replace(request, max_tokens=output), send)

    def take_whole(self) -> bytes | None:
        """A relayed answer's body, if all of it is there already. With that the answer has come to its end."""
        chunk, execution = self._first, self._execution
        if self.head is None or execution is None or chunk is None or not chunk.end:
            return None
        self._note(execution, chunk)
        return chunk.raw

    async def chunks(self) -> AsyncGenerator[Chunk, None]:
        """The answer piece by piece.

        Raises UpstreamError; QuotaSpent where it runs past what was reserved and can be; NotAuthenticated where its
        credential was revoked by then.
        """
        chunk, chunks, execution = self._first, self._chunks, self._execution
        if chunk is None or chunks is None or execution is None:
            raise RuntimeError("The answer is not open.")
        leash, task = self._leash, asyncio.current_task()
        try:
            while True:
                self._note(execution, chunk)
                if self._reservation.watched and not chunk.end:
                    await self._reservation.keep_up(execution)
                yield chunk
                if chunk.end:
                    return
                leash.begin_to_wait(task)
                try:
                    chunk = await anext(chunks)
                except StopAsyncIteration:
                    raise Truncated("the answer ended without its end mark") from None
                finally:
                    leash.waiting = None
        except BaseException as error:  # a cancel too: it says who has ended this
            self._failure = leash.reason(error)
            self._end_is_here()
            if self._failure is error:
                raise
            raise self._failure from None

    async def collect(self) -> Completion:
        """The rest of the answer as a whole. Raises UpstreamError."""
        chunks = [chunk async for chunk in self.chunks()]
        return completion(chunks, model=self.model, provider=self.provider, finish_reason=self.finish_reason)

    def _note(self, execution: Execution, chunk: Chunk) -> None:
        execution.note(chunk)
        self._failure = chunk.flaw or self._failure
        if chunk.end:
            self._end_is_here()
        self.finish_reason = chunk.finish_reason or self.finish_reason

    def _end_is_here(self) -> None:
        # Once: servers report the end of a response as a disconnect too.
        if self._unheard is None:
            self._unheard = self._waiting.left

    async def aclose(self, error: BaseException | None = None) -> None:
        """Closes the upstream and settles the call. Harmless the second time."""
        if self._closed:
            return
        self._closed = True
        self._failure = self._failure or error
        self._settle()  # first: who has the end of the answer may ask again at once
        try:
            if (done := self._execution) is not None and done.finished and self._chunks and not done.came_whole:
                with suppress(TimeoutError, ProviderError):
                    async with asyncio.timeout(_LAST_READ_SECONDS):
                        await anext(self._chunks, None)
        finally:
            await self._close_upstream()

    async def _close_upstream(self) -> None:
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            await upstream.__aexit__(None, None, None)

    def _settle(self) -> None:
        self._leash.let_go()
        execution, self._failure = self._execution, self._leash.error or self._failure
        state = CallState.DONE if execution is not None and execution.finished else _state_of(self._failure)
        if execution is not None:
            self._attempts.append(execution.record(state, self._failure))
        self._end_is_here()
        if self._unheard:
            state = CallState.CLIENT_GONE
        used = reduce(add, [one.consumption for one in self._attempts] or [Consumption()])
        costs = [one.cost for one in self._attempts]
        cost = None if None in costs else sum((one for one in costs if one is not None), Decimal(0))
        ledger.settle(self._hold, state, used, self._attempts, cost)

    @property
    def consumption(self) -> Consumption:
        """What the vendor reported; else an estimate, if the vendor was asked and did not refuse."""
        return self._execution.consumption(self._failure) if self._execution is not None else Consumption()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose(error)


# Along an error's ancestry, so the most specific row wins.
_STATES: Mapping[type[BaseException], CallState] = {
    asyncio.CancelledError: CallState.SHUTDOWN,
    GeneratorExit: CallState.CLIENT_GONE,
    AnswerTimeout: CallState.TIMEOUT,
    ConnectTimeout: CallState.TIMEOUT,
    Truncated: CallState.TRUNCATED,
    UpstreamError: CallState.UPSTREAM_ERROR,
    RequestNotPossible: CallState.REFUSED,
    QuotaSpent: CallState.QUOTA,
    NotAuthenticated: CallState.REVOKED,
    NotPermitted: CallState.REVOKED,
    ProviderWithdrawn: CallState.REVOKED,
}


def _state_of(error: BaseException | None) -> CallState:
    """How a call ended that did not reach its end."""
    if error is None or (isinstance(error, asyncio.CancelledError) and CLIENT_LEFT in error.args):
        return CallState.CLIENT_GONE
    found = (_STATES[ancestor] for ancestor in type(error).__mro__ if ancestor in _STATES)
    return next(found, CallState.INTERNAL_ERROR)
