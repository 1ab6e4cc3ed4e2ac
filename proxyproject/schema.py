"""The OpenAPI document."""

from typing import Any

from drf_spectacular.views import SpectacularAPIView

from web import problems


class SchemaView(SpectacularAPIView):
    """drf-spectacular's view, whose errors are in the envelope like everybody else's; its renderers write YAML."""

    def handle_exception(self, exc: Exception) -> Any:
        return problems.response_for(exc)
