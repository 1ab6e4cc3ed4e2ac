"""The OpenAPI document."""

from typing import Any

from csp.constants import SELF, UNSAFE_INLINE
from csp.decorators import csp_update
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest
from django.utils.decorators import method_decorator
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from web import problems
from web.public_paths import OpenWhereSet


class SchemaView(OpenWhereSet, SpectacularAPIView):
    """drf-spectacular's view, whose errors are in the envelope like everybody else's; its renderers write YAML."""

    open_path = "/api/schema"

    def handle_exception(self, exc: Exception) -> Any:
        return problems.response_for(exc)


@method_decorator(csp_update({"style-src": [SELF, UNSAFE_INLINE]}), name="dispatch")
class DocsView(OpenWhereSet, SpectacularSwaggerSplitView):
    """Swagger's page. It writes styles into itself, which no other page of this site may."""

    open_path = "/api/docs"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not request.user.is_authenticated and not self.is_open:
            return redirect_to_login(request.get_full_path())
        return super().dispatch(request, *args, **kwargs)
