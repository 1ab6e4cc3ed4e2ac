"""The gateway lane: Django's ASGI handler without what needs a thread.

Django's own handler enters a thread-sensitive context, sends synchronous signals and closes the response in a thread
on every request; with the default middleware that is some fifteen hops. This one keeps Django's request, response,
URL resolver and CORS middleware, and runs async views only. Nothing here may touch the ORM.
"""

import asyncio
import logging
from contextlib import aclosing, suppress

from asgiref.sync import iscoroutinefunction
from corsheaders.middleware import CorsMiddleware
from django.conf import settings
from django.core.exceptions import DisallowedHost, RequestAborted
from django.core.handlers.asgi import ASGIHandler, ASGIRequest
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import Resolver404, get_resolver

from proxyproject.request_log import Receive, Scope, Send
from web import problems
from web.streams import ReleasedStream

logger = logging.getLogger("gateway.lane")


class GatewayLane(ASGIHandler):
    """Serves the URLs of settings.GATEWAY_URLCONF, without a thread hop.

    When the client leaves, the view or the stream is cancelled, and only then is the response released; so what a
    response holds (an upstream connection, an open call) is closed here and nowhere else.
    """

    def load_middleware(self, is_async: bool = True) -> None:
        """Django calls this from the constructor; the lane's whole chain is CORS round the view."""
        self._resolver = get_resolver(settings.GATEWAY_URLCONF)
        self._get_response = CorsMiddleware(self._call_view).__acall__

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        with body:
            request, refusal = self.create_request(dict(scope), body)
            if request is not None:
                await self._serve(request, receive, send)
            elif refusal is not None:
                await self.send_response(refusal, send)

    async def _serve(self, request: ASGIRequest, receive: Receive, send: Send) -> None:
        serving = asyncio.ensure_future(self._respond(request, send))
        leaving = asyncio.ensure_future(self._wait_for_disconnect(receive))
        try:
            await asyncio.wait((serving, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            # Also when this task itself is cancelled: asyncio.wait leaves its children running, and the one that
            # serves owns the upstream.
            leaving.cancel()
            if not serving.done():
                serving.cancel()
            with suppress(asyncio.CancelledError):
                await serving

    async def _respond(self, request: ASGIRequest, send: Send) -> None:
        response = await self._get_response(request)
        if isinstance(response, HttpResponse):
            response.headers.setdefault("Content-Length", str(len(response.content)))
            if request.method == "HEAD":
                response.content = b""
        try:
            await self.send_response(response, send)
        finally:
            if isinstance(response, ReleasedStream):
                await response.release()

    async def _call_view(self, request: HttpRequest) -> HttpResponseBase:
        try:
            request.get_host()
            match = self._resolver.resolve(request.path_info)
        except DisallowedHost:
            return problems.response_for(problems.HostNotAllowed())
        except Resolver404:
            return problems.response_for(problems.NoSuchPath())
        request.resolver_match = match
        if not iscoroutinefunction(match.func):
            raise TypeError(f"{match.view_name or match.func} is not async; the gateway lane runs async views only.")
        response: HttpResponseBase = await match.func(request, *match.args, **match.kwargs)
        if hasattr(response, "render"):
            response = response.render()
        return response

    @staticmethod
    async def _wait_for_disconnect(receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    async def send_response(self, response: HttpResponseBase, send: Send) -> None:
        """Sends head and body; a stream's iterator is closed before this returns, whatever happens."""
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
