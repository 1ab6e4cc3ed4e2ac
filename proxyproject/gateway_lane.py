"""The gateway lane: Django's ASGI handler without what needs a thread.

Django's own handler enters a thread-sensitive context, sends synchronous signals and closes the response in a thread
on every request; with the default middleware that is some fifteen hops. This one keeps Django's request, response,
URL resolver and CORS middleware, and runs async views only. Nothing here may touch the ORM.
"""

import asyncio
import io
from contextlib import aclosing
from functools import lru_cache

from asgiref.sync import iscoroutinefunction
from corsheaders.middleware import CorsMiddleware
from django.conf import settings
from django.core.exceptions import DisallowedHost, RequestAborted
from django.core.handlers.asgi import ASGIHandler, ASGIRequest
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import Resolver404, get_resolver

from providers import caller
from proxyproject.client import Client
from proxyproject.request_log import Receive, Scope, Send
from web import problems
from web.shutdown import ServerStopping, shutdown
from web.streams import ReleasedStream

_MOST_HOSTS = 1000


class _RefusedBody(io.BytesIO):
    """The body of a request that is refused. Whoever reads it learns why, so each path refuses in its own shape."""

    def __init__(self, error: problems.PayloadTooLarge | ServerStopping) -> None:
        super().__init__()
        self._error = error

    def read(self, size: int | None = -1) -> bytes:
        raise self._error


class GatewayLane(ASGIHandler):
    """Serves the URLs of settings.GATEWAY_URLCONF, without a thread hop.

    When the client leaves, the view or the stream is cancelled or goes on without it (proxyproject/client.py), and only
    then is the response released; so what a response holds (an upstream connection, an open call) is closed here and
    nowhere else.
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
        if shutdown.begun:
            body = _RefusedBody(ServerStopping())
        with body:
            request, refusal = self.create_request(dict(scope), body)
            if request is not None:
                await self._serve(request, receive, send)
            elif refusal is not None:
                await self.send_response(refusal, send)

    async def _serve(self, request: ASGIRequest, receive: Receive, send: Send) -> None:
        """Answers. When the client leaves first, that is cancelled, or goes on as the provider asks."""
        client = Client(receive, send)
        token = caller.current.set(client)
        response: HttpResponseBase | None = None
        try:
            response = await self._get_response(request)
            await self.send_response(response, client.send if client.read_on else send)
        except asyncio.CancelledError:
            if not client.take_cancel_back():  # it was not the client: the server itself ends this
                if response is not None or not shutdown.begun:
                    raise
                await self._tell_stopping(dict(request.scope), send)
        except Exception as error:
            if not (client.left and client.read_on):
                raise
            problems.problem_for(error)  # nobody is there to be told; this logs it
        finally:
            client.end()
            caller.current.reset(token)
            if isinstance(response, ReleasedStream):
                # Shielded: servers report the end of a response as a disconnect, which may be under way just now.
                await asyncio.shield(response.release())
            if client.left:
                await client.keep()

    async def _tell_stopping(self, scope: Scope, send: Send) -> None:
        """Answers for a view that was cut before it had an answer: asked again, with no body to be had, it refuses."""
        request, _ = self.create_request(scope, _RefusedBody(ServerStopping()))
        if request is not None:
            await self.send_response(await self._get_response(request), send)

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
        try:
            response: HttpResponseBase = await match.func(request, *match.args, **match.kwargs)
        except (problems.PayloadTooLarge, ServerStopping) as error:  # read where the view has no shape for errors yet
            return problems.response_for(error)
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
