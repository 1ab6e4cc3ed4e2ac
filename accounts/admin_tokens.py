"""API tokens in the admin. A token in clear is never here: only its first characters are."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.admin_parts import ReadOnly
from accounts.authentication import forget
from accounts.models import ApiToken


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnly, admin.ModelAdmin[ApiToken]):
    list_display = ("name", "id", "user", "shown", "created_at", "revoked_at")
    list_filter = ("revoked_at",)
    list_select_related = ("user",)
    search_fields = ("name", "user__username", "shown")
    fields = ("name", "id", "user", "shown", "created_at", "revoked_at")
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
