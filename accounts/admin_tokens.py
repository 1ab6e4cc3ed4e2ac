"""API tokens and sign-ins in the admin. A token in clear is never here: only its first characters are."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext, ngettext

from accounts import issuing
from accounts.admin_parts import ReadOnly
from accounts.authentication import forget_all
from accounts.models import ApiToken, SignIn
from accounts.principal import CredentialKind, Principal
from accounts.token_forms import TokenForm


@admin.register(ApiToken)
class ApiTokenAdmin(admin.ModelAdmin[ApiToken]):
    """Limits can be changed, and a token revoked; a secret is made and seen by its owner only."""

    form = TokenForm
    list_display = ("name", "id", "user", "shown", "state", "limits", "last_used_at", "expires_at")
    list_filter = ("revoked_at", "expires_at")
    list_select_related = ("user",)
    search_fields = ("name", "user__username", "shown")
    fieldsets = (
        (None, {"fields": ("name", "user", "shown", "state", "expires_at")}),
        ("Limits", {"fields": ("providers", "endpoints", "models", "addresses")}),
        ("Use", {"fields": ("created_at", "last_used_at", "last_used_from", "revoked_at", "previous_until")}),
    )
    readonly_fields = (
        *("user", "shown", "state", "created_at", "last_used_at", "last_used_from", "revoked_at"),
        "previous_until",
    )
    actions = ("revoke",)

    @admin.display(description="limited to")
    def limits(self, token: ApiToken) -> str:
        lists = (token.providers, token.models, token.endpoints, token.addresses)
        return "; ".join(", ".join(one) for one in lists if one) or "–"

    @admin.action(description="Revoke the selected tokens", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        for token in queryset:
            issuing.revoke(token)
            self.log_change(request, token, [{"changed": {"fields": ["revoked_at"]}}])
        count = queryset.count()
        messages.success(request, gettext("Revoked: %d. Calls with these tokens are refused from now on.") % count)

    def save_model(self, request: HttpRequest, obj: ApiToken, form: Any, change: bool) -> None:
        staff = Principal(request.user.pk or 0, request.user.get_username(), True, kind=CredentialKind.SESSION)
        if form.changed_data:
            issuing.change(staff, obj, **form.changes())

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.change_apitoken")

    def has_change_permission(self, request: HttpRequest, obj: ApiToken | None = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or obj.revoked_at is None)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(SignIn)
class SignInAdmin(ReadOnly, admin.ModelAdmin[SignIn]):
    """Who is signed in, from where; to be ended, and not to be changed."""

    list_display = ("user", "kind", "created_at", "last_used_at", "expires_at", "address", "is_open")
    list_filter = ("kind", "ended_at")
    list_select_related = ("user",)
    search_fields = ("user__username", "address")
    date_hierarchy = "created_at"
    fields = ("user", "kind", "created_at", "last_used_at", "expires_at", "ended_at", "address", "user_agent")
    actions = ("end",)

    @admin.display(description="open", boolean=True)
    def is_open(self, sign_in: SignIn) -> bool:
        return sign_in.is_open

    @admin.action(description="End these sign-ins", permissions=["end"])
    def end(self, request: HttpRequest, queryset: QuerySet[SignIn]) -> None:
        ended = SignIn.objects.filter(pk__in=queryset.values("pk")).end()
        forget_all()
        messages.success(request, ngettext("%d sign-in is ended.", "%d sign-ins are ended.", ended) % ended)

    def has_end_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.change_signin")
