"""DRF views for the gateway lane, async end to end.

Negotiation, parsing, permissions, exceptions and rendering are DRF's own. Authentication is awaited, which is what
DRF itself would need a thread for.
"""

from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView


class WholeBodyMixin:
    """Lets DRF see a body that came without a Content-Length, in chunks; it takes that for none at all."""

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        if "CONTENT_LENGTH" not in request.META:
            request.META["CONTENT_LENGTH"] = str(len(request.body))
        drf_request: Request = super().initialize_request(request, *args, **kwargs)  # type: ignore[misc]
        return drf_request


class SiteView(WholeBodyMixin, APIView):
    """An ordinary DRF view, for the site lane."""


class GatewayView(WholeBodyMixin, APIView):
    """A DRF view whose handlers are coroutines, for the gateway lane."""

    async def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:  # type: ignore
        self.args, self.kwargs = args, kwargs
        self.request = self.initialize_request(request, *args, **kwargs)
        self.headers = self.default_response_headers
        try:
            await self._begin(self.request)
            handler = getattr(self, (request.method or "").lower(), None)
            if handler is None or request.method not in self.allowed_methods:
                self.http_method_not_allowed(self.request)
            response = await handler(self.request, *args, **kwargs)
        except Exception as error:
            response = self.handle_exception(error)
        response = self.finalize_response(self.request, response, *args, **kwargs)
        return response.render() if isinstance(response, Response) else response

    async def options(self, request: Request, *args: Any, **kwargs: Any) -> Response:  # type: ignore
        """Preflights are answered by the CORS middleware; to any other OPTIONS the Allow header is the answer."""
        return Response(None)

    async def _begin(self, request: Request) -> None:
        self.format_kwarg = None
        request.accepted_renderer, request.accepted_media_type = self.perform_content_negotiation(request)
        principal = None
        for authenticator in request.authenticators or ():
            principal = await authenticator.aauthenticate(request)
            if principal is not None:
                break
        request.user = principal
        self.check_permissions(request)
