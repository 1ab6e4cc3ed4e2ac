"""Users, their tokens and the ledger in the admin. A token in clear is never here: only its first characters are."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.authentication import forget
from accounts.models import ApiToken, Attempt, Call, User

admin.site.register(User, UserAdmin)


class ReadOnly:
    """Rows that the admin shows and cannot change."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnly, admin.ModelAdmin[ApiToken]):
    list_display = ("name", "user", "shown", "created_at", "revoked_at")
    list_filter = ("revoked_at",)
    search_fields = ("name", "user__username", "shown")
    fields = ("name", "user", "shown", "created_at", "revoked_at")
    actions = ("revoke",)

    @admin.action(description="Revoke the selected tokens", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        for token in queryset:
            token.revoke()
            forget(token.digest)
            self.log_change(request, token, [{"changed": {"fields": ["revoked_at"]}}])
        messages.success(request, f"Revoked: {queryset.count()}. Calls with these tokens are refused from now on.")

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.change_apitoken")


class AttemptInline(ReadOnly, admin.TabularInline[Attempt, Call]):
    model = Attempt
    extra = 0


@admin.register(Call)
class CallAdmin(ReadOnly, admin.ModelAdmin[Call]):
    list_display = ("opened_at", "user", "provider", "model", "state", "input_tokens", "output_tokens", "estimated")
    list_filter = ("state", "provider", "surface", "streamed", "estimated")
    search_fields = ("request_id", "user__username")
    list_select_related = ("user",)
    show_full_result_count = False
    inlines = (AttemptInline,)
