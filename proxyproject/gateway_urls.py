"""The gateway lane's URLs. proxyproject/urls.py includes them too, so that the schema and reverse() see every route."""

from django.urls import path

from providers.api.generate import GenerateView
from providers.api.system import HealthView, ReadyView, StatusView, VersionView

urlpatterns = [
    path("health", HealthView.as_view(), name="health"),
    path("status", StatusView.as_view(), name="status"),
    path("version", VersionView.as_view(), name="version"),
    path("ready", ReadyView.as_view(), name="ready"),
    path("api/generate", GenerateView.as_view(), name="generate"),
]

# The part of each route before its first parameter; so a route added above is in the lane without a second list.
_PREFIXES = tuple("/" + str(pattern.pattern).partition("<")[0] for pattern in urlpatterns)


def is_gateway_path(path: str) -> bool:
    """Whether a path is served by the gateway lane."""
    return path.startswith(_PREFIXES)
