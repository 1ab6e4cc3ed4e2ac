"""Prices and their currency in the admin."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.models import Currency, Price
from accounts.prices import sound_amount


class ByHand(admin.SimpleListFilter):
    """Who wrote a price: somebody here, or sync_prices."""

    title = "written"
    parameter_name = "written"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("hand", "by hand"), ("list", "by sync_prices")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Price]) -> QuerySet[Price]:
        if self.value() is None:
            return queryset
        return queryset.filter(source="") if self.value() == "hand" else queryset.exclude(source="")


class PriceForm(forms.ModelForm[Price]):
    def clean_units(self) -> Any:
        """Raises ValidationError unless each unit has a price."""
        units = self.cleaned_data["units"] or {}
        if not isinstance(units, dict) or any(sound_amount(price) is None for price in units.values()):
            raise ValidationError('Give a price for each unit: {"images": "0.04"}.')
        return units


@admin.register(Price)
class PriceAdmin(admin.ModelAdmin[Price]):
    """A price that is changed here is one written by hand from then on, which sync_prices leaves alone."""

    form = PriceForm
    list_display = ("model", "provider_type", "provider", "valid_from", "input", "output", "cached", "by_hand")
    list_filter = ("provider_type", ByHand)
    search_fields = ("model", "provider")
    readonly_fields = ("source",)

    @admin.display(boolean=True, description="by hand", ordering="source")
    def by_hand(self, price: Price) -> bool:
        return not price.source

    def save_model(self, request: HttpRequest, obj: Price, form: Any, change: bool) -> None:
        obj.source = ""
        super().save_model(request, obj, form, change)


@admin.register(Currency)
class CurrencyAdmin(admin.ModelAdmin[Currency]):
    list_display = ("code", "per_usd")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and not Currency.objects.exists()

    def has_delete_permission(self, request: HttpRequest, obj: Currency | None = None) -> bool:
        return False
