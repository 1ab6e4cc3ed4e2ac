"""One question at a socket and its answer: the same call as over HTTP, told in events."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any

from accounts.errors import NotAuthenticated
from accounts.principal import Principal
from chat import messages
from chat.listener import Listener
from chat.messages import Ask
from chat.outbox import Outbox
from providers import caller, gateway
from providers.caller import CLIENT_LEFT
from providers.fronts.openai_answers import usage
from providers.types import Chunk
from web import request_id
from web.authentication import as_known
from web.problems import Unforeseen
from web.shutdown import ServerStopping, shutdown


class Turn:
    """Begins at once, in a task of its own, and ends with a last event, unless nobody is there any more.

    Parameters: ask; outbox, where the events go; identify, which finds out who asks, from the database if it is told
    so, and raises NotAuthenticated or NotPermitted; on_end, called when it is over.
    """

    def __init__(
        self,
        ask: Ask,
        outbox: Outbox,
        identify: Callable[[bool], Awaitable[Principal]],
        on_end: Callable[["Turn"], None],
    ) -> None:
        self.is_over = False  # the last event was told
        self.is_refused = False  # because of who asks
        self._ask = ask
        self._outbox = outbox
        self._identify = identify
        self._request_id = request_id.choose(None)
        self._is_stopped = self._is_cancelled = self._has_ended = False
        self._answer: gateway.Answer | None = None
        self._listener = Listener(self._cancel)
        self._task = asyncio.create_task(self._run())
        self._task.add_done_callback(lambda _: on_end(self))

    def stop(self) -> None:
        """Ends the answer, as if the client had left."""
        self._is_stopped = True
        self._cancel()

    async def leave(self) -> None:
        """The client has left: returns when the answer has ended, be it that it is read on."""
        self._listener.leave()
        await self._listener.announce()
        await asyncio.wait({self._task})

    async def cut(self) -> None:
        """Ends it because the server ends; returns when it is settled."""
        self._task.cancel()
        await asyncio.wait({self._task})

    def _cancel(self) -> None:
        if not self._has_ended and not self._is_cancelled:
            self._is_cancelled = True
            self._task.cancel(CLIENT_LEFT)

    async def _run(self) -> None:
        request_id.current.set(self._request_id)
        caller.current.set(self._listener)
        try:
            await self._relay()
            self._tell_last(self._done(self._answer.finish_reason if self._answer is not None else None))
        except asyncio.CancelledError:
            if self._is_stopped:
                self._tell_last(self._done("stopped"))
            elif not self._listener.left:
                self._fail(ServerStopping() if shutdown.begun else Unforeseen())
        except Exception as error:
            self.is_refused = isinstance(error, NotAuthenticated)
            self._fail(error)
        self._has_ended = self.is_over = True
        self._listener.end()
        await self._listener.keep()

    async def _relay(self) -> None:
        """The answer from its beginning to its end; settled when this returns."""
        if shutdown.begun:
            raise ServerStopping
        async with await self._open() as answer, aclosing(answer.chunks()) as chunks:
            self._answer = answer
            self._tell({"type": "started", **self._id, **_source(answer)})
            try:
                async for chunk in chunks:
                    await self._say(chunk)
            except BaseException as error:
                await answer.aclose(error)  # before its chunks are: those would not know why
                raise
            self._has_ended = True

    async def _open(self) -> gateway.Answer:
        return await as_known(await self._identify(False), self._ask_as, lambda: self._identify(True))

    async def _ask_as(self, principal: Principal) -> gateway.Answer:
        wanted = self._ask.wanted
        return await gateway.open_answer(principal, wanted, request_id=self._request_id, surface="socket")

    async def _say(self, chunk: Chunk) -> None:
        for kind, text in (("reasoning", chunk.reasoning), ("delta", chunk.text)):
            if text:
                self._listener.hear({"type": kind, **self._id, "content": text})
                await self._outbox.add(kind, self._ask.id, text)

    @property
    def _id(self) -> dict[str, str]:
        return {"id": self._ask.id}

    def _done(self, finish_reason: str | None) -> dict[str, Any]:
        used = usage(self._answer.consumption) if self._answer is not None else None
        return {"type": "done", **self._id, "finish_reason": finish_reason, "usage": used}

    def _fail(self, error: Exception) -> None:
        self._tell_last(messages.failure(error, self._request_id, self._ask.id))

    def _tell(self, event: Mapping[str, Any]) -> None:
        self._listener.hear(event)
        self._outbox.put(event)

    def _tell_last(self, event: Mapping[str, Any]) -> None:
        self._listener.hear(event, is_last=True)
        self._outbox.put(event)


def _source(answer: gateway.Answer) -> dict[str, str]:
    return {"call_id": str(answer.call_id), "provider": answer.provider, "model": answer.model}
