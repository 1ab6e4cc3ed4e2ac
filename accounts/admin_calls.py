"""The ledger in the admin, quick with millions of calls."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from accounts.admin_parts import FirstPages, ProviderFilter, ReadOnly
from accounts.models import Attempt, Call, User


class AttemptInline(ReadOnly, admin.TabularInline[Attempt, Call]):
    model = Attempt
    extra = 0


@admin.register(Call)
class CallAdmin(ReadOnly, admin.ModelAdmin[Call]):
    list_display = (
        "opened_at",
        "user",
        "provider",
        "model",
        "state",
        "input_tokens",
        "output_tokens",
        "cost",
        "estimated",
        "exceeded",
    )
    list_filter = ("opened_at", "state", ProviderFilter, "streamed", "estimated", "exceeded")
    list_select_related = ("user",)
    sortable_by = ()  # by any column but the key it would take a look at every call
    search_fields = ("request_id", "user")
    search_help_text = "A request id or a user's name, in full."
    show_full_result_count = False
    paginator = FirstPages
    inlines = (AttemptInline,)

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """The latest first, by an index: keys are in the order of time, and a user's calls have an index of theirs."""
        return ("-opened_at",) if "user__id__exact" in request.GET else ("-pk",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Call], search_term: str
    ) -> tuple[QuerySet[Call], bool]:
        if not search_term:
            return queryset, False
        users: list[Any] = list(User.objects.filter(username=search_term).values_list("pk", flat=True))
        return queryset.filter(Q(request_id=search_term) | Q(user__in=users)), False
