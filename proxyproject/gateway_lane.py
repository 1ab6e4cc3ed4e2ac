"""The gateway lane: Django's ASGI handler without what needs a thread.

Django's own handler enters a thread-sensitive context, sends synchronous signals and closes the response in a thread
on every request; with the default middleware that is some fifteen hops. This one keeps Django's request, response,
URL resolver and CORS middleware, and runs async views only. Nothing here may touch the ORM.
"""

import asyncio
import io
from contextlib import aclosing
from functools import lru_cache
from typing import cast

from asgiref.sync import iscoroutinefunction
from corsheaders.middleware import CorsMiddleware
from django.conf import settings
from django.core.exceptions import DisallowedHost, RequestAborted
from django.core.handlers.asgi import ASGIHandler, ASGIRequest
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import Resolver404, get_resolver

from providers.gateway import CLIENT_LEFT
from proxyproject.request_log import Receive, Scope, Send
from web import problems
from web.streams import ReleasedStream

_WATCHED_AFTER = 0.1  # seconds
_MOST_HOSTS = 1000


class _Watch:
    """Cancels the task that serves a request when its client leaves.

    It looks only at what takes longer than _WATCHED_AFTER: most calls are over by then, and a task for each costs.
    """

    def __init__(self, receive: Receive) -> None:
        self.client_left = False
        self.serving = cast("asyncio.Task[None]", asyncio.current_task())
        self._receive = receive
        self._watching: asyncio.Task[None] | None = None
        self._due = asyncio.get_running_loop().call_later(_WATCHED_AFTER, self._start)

    def _start(self) -> None:
        self._watching = asyncio.ensure_future(self._wait())

    async def _wait(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.client_left = True
        self.serving.cancel(CLIENT_LEFT)

    def end(self) -> None:
        """The request was served."""
        self._due.cancel()
        if self._watching is not None:
            self._watching.cancel()


class _RefusedBody(io.BytesIO):
    """The body of a request that was too large. Whoever reads it learns that, so each path refuses in its own shape."""

    def __init__(self, error: problems.PayloadTooLarge) -> None:
        super().__init__()
        self._error = error

    def read(self, size: int | None = -1) -> bytes:
        raise self._error


class GatewayLane(ASGIHandler):
    """Serves the URLs of settings.GATEWAY_URLCONF, without a thread hop.

    When the client leaves, the view or the stream is cancelled, and only then is the response released; so what a
    response holds (an upstream connection, an open call) is closed here and nowhere else.
    """

    def load_middleware(self, is_async: bool = True) -> None:
        """Django calls this from the constructor; the lane's whole chain is CORS round the view, where it is wanted."""
        self._resolve = lru_cache(maxsize=1024)(get_resolver(settings.GATEWAY_URLCONF).resolve)
        self._known_hosts: set[str | None] = set()
        listed = settings.CORS_ALLOWED_ORIGINS
        self._get_response = CorsMiddleware(self._call_view).__acall__ if listed else self._call_view

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body: io.BytesIO
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        except problems.PayloadTooLarge as error:
            body = _RefusedBody(error)
        with body:
            request, refusal = self.create_request(dict(scope), body)
            if request is not None:
                await self._serve(request, receive, send)
            elif refusal is not None:
                await self.send_response(refusal, send)

    async def _serve(self, request: ASGIRequest, receive: Receive, send: Send) -> None:
        """Answers, and is cancelled when the client leaves first."""
        watch = _Watch(receive)
        response: HttpResponseBase | None = None
        try:
            response = await self._get_response(request)
            await self.send_response(response, send)
        except asyncio.CancelledError:
            if not watch.client_left or watch.serving.uncancel():
                raise  # it was not the client: the server itself ends this
        finally:
            watch.end()
            if isinstance(response, ReleasedStream):
                # Shielded: servers report the end of a response as a disconnect, which may be under way just now.
                await asyncio.shield(response.release())

    async def _call_view(self, request: HttpRequest) -> HttpResponseBase:
        try:
            self._check_host(request)
            match = self._resolve(request.path_info)
        except DisallowedHost:
            return problems.response_for(problems.HostNotAllowed())
        except Resolver404:
            return problems.response_for(problems.NoSuchPath())
        request.resolver_match = match
        if not iscoroutinefunction(match.func):
            raise TypeError(f"{match.view_name or match.func} is not async; the gateway lane runs async views only.")
        response: HttpResponseBase = await match.func(request, *match.args, **match.kwargs)
        if request.method == "HEAD" and isinstance(response, HttpResponse):
            response.headers.setdefault("Content-Length", str(len(response.content)))
            response.content = b""
        return response

    def _check_host(self, request: HttpRequest) -> None:
        """Raises DisallowedHost. Which names are allowed does not change, so a name is looked at once."""
        named = request.META.get("HTTP_HOST")
        if named not in self._known_hosts:
            request.get_host()
            if len(self._known_hosts) < _MOST_HOSTS:
                self._known_hosts.add(named)

    async def read_body(self, receive: Receive) -> io.BytesIO:
        """The whole body, in memory: its size was limited before it came here. Raises RequestAborted."""
        body = io.BytesIO()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise RequestAborted
            body.write(message.get("body", b""))
            if not message.get("more_body"):
                body.seek(0)
                return body

    async def send_response(self, response: HttpResponseBase, send: Send) -> None:
        """Sends head and body; a stream's iterator is closed before this returns, whatever happens."""
        if isinstance(response, HttpResponse):
            response.headers.setdefault("Content-Length", str(len(response.content)))
        headers: list[tuple[bytes, bytes]] = [
            (name.encode("ascii"), value.encode("latin-1")) for name, value in response.items()
        ]
        await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
        if isinstance(response, ReleasedStream):
            async with aclosing(response.parts) as parts:
                async for part in parts:
                    await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body"})
        elif isinstance(response, HttpResponse):
            await send({"type": "http.response.body", "body": response.content})
