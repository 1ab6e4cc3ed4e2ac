"""What several of the admin's pages share, among them what keeps pages of large tables quick."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

from accounts import provider_names

COUNTED_MOST = 10_000  # rows: counting millions takes seconds


class ReadOnly:
    """Rows that the admin shows and cannot change."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class FirstPages(Paginator[Any]):
    """Pages of the first COUNTED_MOST rows. What lies behind them is found by a filter or by searching."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        counted: int = rows[:COUNTED_MOST].count()
        return counted


class ProviderFilter(admin.SimpleListFilter):
    """By the providers that there are: to look for all names in a table of millions takes seconds."""

    title = "provider"
    parameter_name = "provider"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, str]]:
        return [(name, name) for name in provider_names.known()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset if self.value() is None else queryset.filter(provider=self.value())
