"""Quotas in the admin: in a table on the page of a user or a group, and all of them in a list."""

from decimal import Decimal
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from accounts import provider_names, standing
from accounts.admin_parts import FirstPages, ProviderFilter
from accounts.models import ApiToken, Quota, Unit, User, Window

_EVERYTHING = "All together"


class QuotaForm(forms.ModelForm[Quota]):
    """A quota. Its provider is one of those that there are, or the one that it was set for."""

    provider = forms.ChoiceField(required=False)
    until = forms.DateTimeField(
        required=False,
        label=f"until ({settings.TIME_ZONE})",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text="A temporary limit: until then it stands in place of the one without an end.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["limit"] = Decimal(_digits(self.instance.limit))
        names = sorted({*provider_names.known(), self.instance.provider} - {""})
        field = self.fields["provider"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", _EVERYTHING), *((name, name) for name in names)]


class QuotaFormSet(forms.BaseInlineFormSet[Quota, Any, forms.ModelForm[Quota]]):
    """The quotas of one subject: no two rows for the same, but for those that have an end."""

    def clean(self) -> None:
        super().clean()
        seen = set()
        for form in self.forms:
            values = form.cleaned_data if form not in self.deleted_forms and form.is_valid() else {}
            if not values.get("unit") or values.get("until"):
                continue
            window = Window.TOTAL if values["unit"] == Unit.CONCURRENCY else values["window"]
            key = (values["provider"], values["unit"], window)
            if key in seen:
                raise ValidationError("Two rows are for the same. Give one of them an end, or leave it out.")
            seen.add(key)


class QuotaInline(admin.TabularInline[Quota, Any]):
    model = Quota
    form = QuotaForm
    formset = QuotaFormSet
    fields = ("unit", "limit", "window", "provider", "until", "allow_unpriced", "counted")
    readonly_fields = ("counted",)
    extra = 0

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """With its name for screen readers too: in a table, that stands over the column only."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None:
            field.widget.attrs.setdefault("aria-label", str(field.label))
        return field

    @admin.display(description="used")
    def counted(self, quota: Quota) -> str:
        return counted(quota)


class Subject(admin.SimpleListFilter):
    """By whom a quota is for."""

    title = "for"
    parameter_name = "for"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("everybody", "everybody (defaults)"), ("user", "a user"), ("group", "a group"), ("token", "a token")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Quota]) -> QuerySet[Quota]:
        if self.value() == "everybody":
            return queryset.filter(user=None, group=None, token=None)
        return queryset if self.value() is None else queryset.filter(**{f"{self.value()}__isnull": False})


@admin.register(Quota)
class QuotaAdmin(admin.ModelAdmin[Quota]):
    form = QuotaForm
    list_display = ("whose", "unit", "amount", "window", "where", "until", "counted")
    list_display_links = ("whose", "unit")
    list_filter = (Subject, "unit", "window", ProviderFilter)
    list_select_related = ("user", "group", "token__user")
    ordering = ("-pk",)
    sortable_by = ()  # there may be hundreds of thousands
    search_fields = ("user__username", "group__name", "token__name")
    search_help_text = "A part of the name of a user, a group or a token."
    show_full_result_count = False
    paginator = FirstPages
    autocomplete_fields = ("user", "group", "token")
    readonly_fields = ("counted",)
    fieldsets = (
        (
            "For whom",
            {
                "fields": ("user", "group", "token"),
                "description": "One of these. Without any it is the default: each user on their own is held to it, "
                "unless they have a quota of their own for the same.",
            },
        ),
        ("How much", {"fields": ("unit", "limit", "window", "provider", "until", "allow_unpriced", "counted")}),
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Quota], search_term: str
    ) -> tuple[QuerySet[Quota], bool]:
        """Looks the names up first: through joins, every quota would be looked at."""
        if not search_term:
            return queryset, False
        users = User.objects.filter(username__icontains=search_term).values("pk")
        groups = Group.objects.filter(name__icontains=search_term).values("pk")
        tokens = ApiToken.objects.filter(name__icontains=search_term).values("pk")
        return queryset.filter(Q(user__in=users) | Q(group__in=groups) | Q(token__in=tokens)), False

    @admin.display(description="for")
    def whose(self, quota: Quota) -> str:
        if quota.group is not None:
            return f"group {quota.group}"
        if quota.token is not None:
            return f"token {quota.token} of {quota.token.user}"
        return "everybody" if quota.user is None else str(quota.user)

    @admin.display(description="limit")
    def amount(self, quota: Quota) -> str:
        return _digits(quota.limit, ",")

    @admin.display(description="provider")
    def where(self, quota: Quota) -> str:
        return quota.provider or _EVERYTHING.lower()

    @admin.display(description="used")
    def counted(self, quota: Quota) -> str:
        return counted(quota)


def counted(quota: Quota) -> str:
    """What stands against a quota now, in words."""
    amounts = standing.counted(quota) if quota.pk else None
    if amounts is None:
        return "—"
    used, reserved = (_digits(amount, ",") for amount in amounts)
    if quota.unit == Unit.CONCURRENCY:
        return f"{reserved} running"
    return used if reserved == "0" else f"{used}, and {reserved} reserved"


def _digits(amount: Decimal, grouped: str = "") -> str:
    return f"{amount.normalize():{grouped}f}"
