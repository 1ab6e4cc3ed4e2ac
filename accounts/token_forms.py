"""What an API token is good for, as a form: on its owner's page and in the admin."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy

from accounts import issuing, provider_names
from accounts.models import ApiToken
from accounts.scopes import ENDPOINTS

_SAID = {
    "generate": gettext_lazy("Generating text: /api/generate"),
    "chat": gettext_lazy("Chat: /api/chat, /api/upload and the chat's socket"),
    "openai": gettext_lazy("OpenAI's clients: /v1"),
    "anthropic": gettext_lazy("Anthropic's clients: /v1/messages"),
    "proxy": gettext_lazy("Vendors' own APIs: /proxy"),
    "answers": gettext_lazy("Fetching answers that were kept"),
    "usage": gettext_lazy("Reading usage and quotas"),
    "providers": gettext_lazy("Reading the list of providers"),
    "browser-token": gettext_lazy("Handing out passes for browsers"),
}


def endpoint_choices() -> list[tuple[str, Any]]:
    """The endpoints, each with what it is for."""
    return [(name, _SAID.get(name, name)) for name in ENDPOINTS]


class LinesField(forms.CharField):
    """A list of texts, one a line or with commas between them."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}), required=False, **kwargs)

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        return [*dict.fromkeys(part for part in re.split(r"[\s,]+", value or "") if part)]

    def clean(self, value: Any) -> Any:
        return self.to_python(value)

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool([*(initial or [])] != self.to_python(data))


class _Choices(forms.MultipleChoiceField):
    """Some of what there is, none standing for all."""

    def __init__(self, choices: Callable[[], list[tuple[str, Any]]], **kwargs: Any) -> None:
        super().__init__(choices=choices, widget=forms.CheckboxSelectMultiple, required=False, **kwargs)


def _provider_choices() -> list[tuple[str, Any]]:
    return [(name, name) for name in provider_names.known()]


class TokenForm(forms.ModelForm[ApiToken]):
    """A token's name and limits."""

    providers = _Choices(
        _provider_choices, label=gettext_lazy("Providers"), help_text=gettext_lazy("None ticked: all.")
    )
    endpoints = _Choices(
        endpoint_choices, label=gettext_lazy("What may be called"), help_text=gettext_lazy("None ticked: all.")
    )
    models = LinesField(
        label=gettext_lazy("Models"),
        help_text=gettext_lazy("One a line; gpt-4o* stands for all that begin so. Empty: all."),
    )
    addresses = LinesField(
        label=gettext_lazy("Addresses that it may come from"),
        help_text=gettext_lazy("One a line, such as 203.0.113.7 or 10.0.0.0/8. Empty: all."),
    )

    class Meta:
        model = ApiToken
        fields: tuple[str, ...] = ("name", "expires_at", "providers", "endpoints", "models", "addresses")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        providers = self.fields.get("providers")
        if isinstance(providers, _Choices):  # those that were deleted stay where they are
            known = _provider_choices()
            gone = [(name, name) for name in self.instance.providers if (name, name) not in known]
            providers.choices = [*known, *gone]

    def clean_expires_at(self) -> datetime | None:
        end: datetime | None = self.cleaned_data["expires_at"]
        if "expires_at" in self.changed_data:
            issuing.check_end(end)
        return end

    def changes(self) -> dict[str, Any]:
        """The fields that were changed, as `issuing.change` takes them."""
        return {name: self.cleaned_data[name] for name in self.changed_data}


class NewTokenForm(TokenForm):
    """A token to be made. `lasting`: in days, empty for ever."""

    lasting = forms.ChoiceField(
        label=gettext_lazy("Ends"),
        required=False,
        initial="90",
        choices=[
            ("7", gettext_lazy("in 7 days")),
            ("30", gettext_lazy("in 30 days")),
            ("90", gettext_lazy("in 90 days")),
            ("365", gettext_lazy("in a year")),
            ("", gettext_lazy("never")),
        ],
    )
    field_order = ("name", "lasting")

    class Meta(TokenForm.Meta):
        fields = ("name", "providers", "endpoints", "models", "addresses")
        labels = {"name": gettext_lazy("Name")}
        help_texts = {"name": gettext_lazy("What it is used for, such as “nightly evaluation”.")}

    LIMITS = ("providers", "endpoints", "models", "addresses")

    def limit_fields(self) -> list[forms.BoundField]:
        """Those that limit what it is good for; most tokens leave them alone."""
        return [self[name] for name in self.LIMITS]

    def has_limits(self) -> bool:
        """Whether one of them was filled in, or is wrong."""
        return any(name in self.changed_data or name in self.errors for name in self.LIMITS)


class RotationForm(forms.Form):
    """For how long the last secret works on, in seconds."""

    grace = forms.TypedChoiceField(
        label=gettext_lazy("The old secret works on"),
        coerce=int,
        initial=int(issuing.GRACE.total_seconds()),
        choices=[
            (0, gettext_lazy("not at all")),
            (3600, gettext_lazy("for an hour")),
            (86_400, gettext_lazy("for a day")),
            (604_800, gettext_lazy("for a week")),
        ],
    )


def told(error: ValidationError) -> str:
    """What is wrong, in one sentence after the other."""
    return " ".join(error.messages)
