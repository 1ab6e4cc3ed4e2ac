"""Users and groups in the admin, with their quotas."""

from functools import cache
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.forms import UserChangeForm
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.translation import ngettext

from accounts import sign_ins, usage
from accounts.admin_quotas import QuotaInline
from accounts.authentication import forget_all
from accounts.models import User


@cache
def _zones() -> list[tuple[str, str]]:
    return [("", "The server's"), *((zone, zone) for zone in sorted(available_timezones()))]


class GatewayUserForm(UserChangeForm[User]):
    time_zone = forms.ChoiceField(
        required=False,
        choices=_zones,
        help_text="Where this person's days and months begin and end, for quotas.",
    )


@admin.register(User)
class GatewayUserAdmin(UserAdmin[User]):
    form = GatewayUserForm
    fieldsets = (
        (None, {"fields": ("username", "password", "this_month")}),
        ("Personal info", {"fields": ("first_name", "last_name", "email", "time_zone")}),
        ("Permissions", {"fields": ("is_active", "is_staff", "is_superuser", "groups")}),
        ("Permissions one by one", {"classes": ("collapse",), "fields": ("user_permissions",)}),
        ("Important dates", {"classes": ("collapse",), "fields": ("last_login", "date_joined")}),
    )
    readonly_fields = ("this_month",)
    inlines = (QuotaInline,)
    show_full_result_count = False
    actions = ("sign_out",)

    @admin.action(description="Sign out everywhere", permissions=["change"])
    def sign_out(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """API tokens go on: they are programs', and revoked one by one."""
        ended = sum(sign_ins.end_all(user) for user in queryset)
        forget_all()
        told = ngettext(
            "%d sign-in is ended. API tokens still work.", "%d sign-ins are ended. API tokens still work.", ended
        )
        messages.success(request, told % ended)

    def get_inlines(self, request: HttpRequest, obj: User | None = None) -> Any:
        return self.inlines if obj else ()  # a new user is a name and a password; the rest is on the next page

    @admin.display(description="this month")
    def this_month(self, user: User) -> str:
        """What was used in the month (UTC) that is running, and the ways to the numbers and to the calls."""
        first = timezone.now().date().replace(day=1)
        sums = usage.report(user.pk, "provider", usage.midnight(first)).totals
        return format_html(
            '{} calls, {} tokens, {} {}. <a href="{}?{}">See the usage</a> · '
            '<a href="{}?user__id__exact={}">See the calls</a>',
            f"{sums.calls:,}",
            f"{sums.total_tokens:,}",
            f"{sums.cost:,.4f}",
            usage.currency(),
            reverse("usage-page"),
            urlencode({"user": user.username}),
            reverse("admin:accounts_call_changelist"),
            user.pk,
        )


admin.site.unregister(Group)


@admin.register(Group)
class GatewayGroupAdmin(GroupAdmin):
    inlines = (QuotaInline,)
