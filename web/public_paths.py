"""Paths that an installation may open to everybody: PUBLIC_PATHS names those that it has opened."""

from typing import Any

from django.conf import settings
from rest_framework.authentication import BaseAuthentication
from rest_framework.views import APIView


class OpenWhereSet(APIView):
    """A view that asks nobody who he is where its path is open. `open_path`: that path, with its slash."""

    open_path = ""

    @property
    def is_open(self) -> bool:
        return self.open_path in settings.PUBLIC_PATHS

    def get_authenticators(self) -> list[BaseAuthentication]:
        return [] if self.is_open else super().get_authenticators()

    def get_permissions(self) -> list[Any]:
        return [] if self.is_open else [*super().get_permissions()]
