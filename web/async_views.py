"""DRF views for the gateway lane, async end to end.

Negotiation, parsing, permissions, exceptions and rendering are DRF's own. Authentication is awaited, which is what
DRF itself would need a thread for.
"""

from collections.abc import Awaitable, Callable
from typing import Any, NoReturn, cast

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.exceptions import NotAuthenticated, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.principal import Principal
from web.authentication import GatewayAuthentication, as_known


class SiteView(APIView):
    """A DRF view as it is, for the site lane, but that it sees bodies sent without a Content-Length.

    Those come in chunks, and DRF takes them for none at all.
    """

    @property
    def principal(self) -> Principal:
        """Who is calling. Raises DRF's NotAuthenticated on a view that lets anybody in."""
        user: object = self.request.user
        if not isinstance(user, Principal):
            raise NotAuthenticated
        return user

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        if "CONTENT_LENGTH" not in request.META:
            request.META["CONTENT_LENGTH"] = str(len(request.body))
        return super().initialize_request(request, *args, **kwargs)


class GatewayView(SiteView):
    """A DRF view whose handlers are coroutines, for the gateway lane."""

    # CORS preflights are answered before the view; any other OPTIONS would be DRF's synchronous one.
    http_method_names = ("get", "post", "put", "patch", "delete", "head")

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Returns a coroutine that makes the response, which is rendered: Django would render it in a thread."""
        return self._dispatch(request, *args, **kwargs)

    async def _dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        self.args, self.kwargs = args, kwargs
        self.request = self.initialize_request(request, *args, **kwargs)
        self.headers = self.default_response_headers
        response: Any  # DRF's types say Response throughout, and pass any other kind
        try:
            await self._begin(self.request)
            method = (request.method or "").lower()
            handler = getattr(self, method, None) if method in self.http_method_names else None
            response = await self._answer(handler or self._refuse_method)
        except Exception as error:
            response = self.handle_exception(error)
        response = self.finalize_response(self.request, response, *args, **kwargs)
        if isinstance(response, Response):
            response.render()
        finished: HttpResponseBase = response
        return finished

    async def _answer(self, handler: Callable[..., Awaitable[HttpResponseBase]]) -> HttpResponseBase:
        async def ask(_: Principal | None = None) -> HttpResponseBase:
            return await handler(self.request, *self.args, **self.kwargs)

        async def look_again() -> Principal:
            await self._identify(self.request, fresh=True)
            return self.principal

        user: object = self.request.user
        return await as_known(user, ask, look_again) if isinstance(user, Principal) else await ask()

    async def _refuse_method(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return self.http_method_not_allowed(request, *args, **kwargs)

    def permission_denied(self, request: Request, message: str | None = None, code: str | None = None) -> NoReturn:
        """Without a caller it is a matter of who calls; DRF's own would look for the authenticator that it ran."""
        if not isinstance(request.user, Principal):
            raise NotAuthenticated
        raise PermissionDenied(message, code)

    async def _begin(self, request: Request) -> None:
        """What DRF's `initial` does, with authentication awaited."""
        self.format_kwarg = None
        request.accepted_renderer, request.accepted_media_type = self.perform_content_negotiation(request)
        await self._identify(request)

    async def _identify(self, request: Request, *, fresh: bool = False) -> None:
        principal = None
        for authenticator in self.get_authenticators():
            if isinstance(authenticator, GatewayAuthentication) and principal is None:
                principal = await authenticator.aauthenticate(request, fresh=fresh)
        cast(Any, request).user = principal  # a Principal stands where DRF's types know Django's users only
        self.check_permissions(request)
