"""Providers and their keys in the admin. A key goes in and never comes out: pages and history show its last four."""

import os
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.templatetags.admin_urls import add_preserved_filters
from django.contrib.admin.utils import quote, unquote
from django.contrib.admin.widgets import AdminTextareaWidget
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import JSONField, Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.debug import sensitive_post_parameters

from accounts.models import User
from accounts.principal import Principal
from providers import trial
from providers.adapters.registry import TYPES
from providers.models import Provider, ProviderKey, validate_key

_HELP = {
    "description": "Shown beside the name, so that people can choose.",
    "enabled": "Off: calls to it are refused; everything stays as it is.",
    "on_disconnect": "What becomes of the call to the provider when the caller leaves before the end.",
}


class ShownKey(forms.Widget):
    """Stands where the input for a key would: the key is there, and this is all that can be seen of it."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        return format_html('<span class="shown-key">{}</span>', value)


class ProviderKeyForm(forms.ModelForm[ProviderKey]):
    """A row of the keys' table. `active` is no field of this form: the formset sees to it that one key has it."""

    new_secret = forms.CharField(
        label="key",
        required=False,
        max_length=1000,
        widget=forms.PasswordInput(
            render_value=False, attrs={"autocomplete": "new-password", "placeholder": "Paste a key"}
        ),
        help_text="Paste it from the provider's own pages. It is stored encrypted and cannot be seen here again.",
    )
    # What the page showed comes back with it: a page that is out of date must not bring a former key back.
    in_use = forms.BooleanField(
        label="active",
        required=False,
        show_hidden_initial=True,
        help_text="The key that is used now. Ticking another one unticks this one; a provider's first is ticked for"
        " you.",
    )

    class Meta:
        model = ProviderKey
        fields = ("label",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["in_use"] = self.instance.active
        secret = self.fields["new_secret"]
        if self.instance.pk:
            self.initial["new_secret"] = str(self.instance)
            secret.disabled, secret.widget = True, ShownKey()
        elif self.is_bound and self.data.get(self.add_prefix("new_secret")):
            secret.widget.attrs["placeholder"] = "Not saved yet: paste the key again"

    @property
    def newly_ticked(self) -> bool:
        return self._changes_use and bool(self.cleaned_data.get("in_use")) and not self.instance.active

    @property
    def newly_unticked(self) -> bool:
        return self._changes_use and not self.cleaned_data.get("in_use") and self.instance.active

    @property
    def _changes_use(self) -> bool:
        # The admin says "not changed" of rows that this person may not change, whatever was sent.
        return self.has_changed() and "in_use" in self.changed_data

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        secret = cleaned.get("new_secret", "")
        if self.instance.pk or "new_secret" in self.errors:
            return cleaned
        if not secret:
            self.add_error("new_secret", "Paste the key here, or leave the whole row empty.")
        elif secret in cleaned.get("label", ""):
            self.add_error("label", "Everybody here can read the label: leave the key out of it.")
        else:
            try:
                validate_key(secret)
            except ValidationError as error:
                self.add_error("new_secret", error)
        return cleaned

    def save(self, commit: bool = True) -> ProviderKey:
        if not self.instance.pk:
            self.instance.set_secret(self.cleaned_data["new_secret"])
        return super().save(commit)


class ProviderKeyFormSet(forms.BaseInlineFormSet[ProviderKey, Provider, forms.ModelForm[ProviderKey]]):
    """All keys of a provider, at most one of them in use."""

    @property
    def _kept(self) -> list[ProviderKeyForm]:
        return [form for form in cast(list[ProviderKeyForm], self.forms) if form not in self.deleted_forms]

    def clean(self) -> None:
        super().clean()
        ticked = sum(form.newly_ticked for form in self._kept)
        if ticked > 1:
            raise ValidationError("Only one key is used at a time: tick “active” for one of them.")
        deleted = cast(list[ProviderKeyForm], self.deleted_forms)
        if not ticked and any(form.instance.active and not form.newly_unticked for form in deleted):
            raise ValidationError("The active key cannot be deleted. Make another one active, or untick it as well.")

    def save(self, commit: bool = True) -> list[ProviderKey]:
        saved = super().save(commit)
        if commit:
            self._put_in_use()
        return saved

    def _put_in_use(self) -> None:
        chosen = [form.instance for form in self._kept if form.newly_ticked]
        for form in self._kept:
            if form.newly_unticked:
                form.instance.active = False
                form.instance.save(update_fields=["active"])
        if not chosen and len(self.new_objects) == ProviderKey.objects.filter(provider=self.instance).count():
            chosen = self.new_objects
        for key in chosen[:1]:
            key.activate()


class ProviderKeyInline(admin.TabularInline[ProviderKey, Provider]):
    """The methods show a key to those who may see keys and not change them; everybody else gets the form's fields."""

    model = ProviderKey
    form = ProviderKeyForm
    formset = ProviderKeyFormSet
    fields = ("new_secret", "label", "in_use", "created_at")
    readonly_fields = ("created_at",)
    verbose_name = "key"
    verbose_name_plural = "keys"
    extra = 1

    def get_queryset(self, request: HttpRequest) -> QuerySet[ProviderKey]:
        return super().get_queryset(request).defer("secret")  # not even decrypted, so a lost cipher breaks no page

    @admin.display(description="key")
    def new_secret(self, key: ProviderKey) -> str:
        return str(key)

    @admin.display(description="active", boolean=True)
    def in_use(self, key: ProviderKey) -> bool:
        return key.active


@admin.register(Provider)
class ProviderAdmin(admin.ModelAdmin[Provider]):
    list_display = ("name", "type", "enabled", "is_default", "key", "default_model")
    list_filter = ("enabled", "type")
    search_fields = ("name", "description", "base_url")
    formfield_overrides = {JSONField: {"widget": AdminTextareaWidget(attrs={"rows": 3})}}
    fieldsets = (
        (None, {"fields": ("name", "type", "description", "enabled", "is_default")}),
        ("Where, and which models", {"fields": ("base_url", "api_key_env", "default_model", "models")}),
        ("Limits", {"classes": ("collapse",), "fields": ("default_max_tokens", "max_prompt_chars")}),
        (
            "Time limits",
            {
                "classes": ("collapse",),
                "fields": ("connect_timeout", "first_byte_timeout", "gap_timeout", "total_timeout"),
            },
        ),
        ("Network and behaviour", {"fields": ("allow_private_network", "on_disconnect", "config")}),
    )
    inlines = (ProviderKeyInline,)
    actions = ("test_connection",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Provider]:
        keys = ProviderKey.objects.defer("secret")
        return super().get_queryset(request).prefetch_related(Prefetch("keys", queryset=keys))

    def get_readonly_fields(self, request: HttpRequest, obj: Provider | None = None) -> tuple[str, ...]:
        return ("name",) if obj else ()  # the ledger refers to it

    def get_form(
        self, request: HttpRequest, obj: Provider | None = None, change: bool = False, **kwargs: Any
    ) -> type[forms.ModelForm[Provider]]:
        return super().get_form(request, obj, change, help_texts=_HELP, **kwargs)

    @method_decorator(sensitive_post_parameters())
    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        return super().changeform_view(request, object_id, form_url, extra_context)

    @admin.display(description="key")
    def key(self, row: Provider) -> str:
        """Which key is used, in as many words as may be shown."""
        active = next((key for key in row.keys.all() if key.active), None)
        if active is not None:
            return str(active)
        if row.api_key_env:
            return f"from {row.api_key_env}" + ("" if os.environ.get(row.api_key_env) else " (not set)")
        return "none" if TYPES[row.type].needs_key else "none needed"

    @admin.action(description="Test connection", permissions=["change"])
    def test_connection(self, request: HttpRequest, queryset: QuerySet[Provider]) -> None:
        for row in queryset:
            level, text = trial.report(_principal(request), row)
            self.message_user(request, text, level)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.test_view)
        return [path("<path:object_id>/test/", view, name="providers_provider_test"), *super().get_urls()]

    def test_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The button "Test connection". Back to the page that it was pressed on, with what was found on top of it."""
        row = self.get_object(request, unquote(object_id))
        if not self.has_change_permission(request, row):
            raise PermissionDenied
        if row is None:
            self.message_user(request, "This provider is no longer there. Perhaps it was deleted.", messages.WARNING)
            return HttpResponseRedirect(reverse("admin:providers_provider_changelist"))
        if request.method == "POST":  # signing in on the way makes it a GET, which must cost nothing
            level, text = trial.report(_principal(request), row)
            self.message_user(request, text, level)
        page = reverse("admin:providers_provider_change", args=(quote(row.pk),))
        filters: dict[str, Any] = {"preserved_filters": self.get_preserved_filters(request), "opts": self.opts}
        return HttpResponseRedirect(add_preserved_filters(filters, page))


def _principal(request: HttpRequest) -> Principal:
    user = cast(User, request.user)
    return Principal(user.pk, user.get_username(), user.is_staff)
