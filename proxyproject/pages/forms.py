"""The forms of the pages on which people sign in and out."""

import threading
from datetime import timedelta
from typing import Any, TypeVar

from django import forms
from django.contrib.auth.forms import AuthenticationForm, PasswordResetForm, UserCreationForm
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy, ngettext

from accounts import hashing, lockout
from accounts.errors import TooManyAtOnce, TooManyTries
from accounts.models import User

AnyForm = TypeVar("AnyForm", bound=forms.BaseForm)


def told(error: TooManyTries) -> str:
    """Until when one must wait, in a sentence."""
    if isinstance(error, TooManyAtOnce):
        return gettext("Too many people are signing in at this moment. Try again in a few seconds.")
    minutes = -(-error.retry_after // 60)
    until = timezone.localtime(timezone.now() + timedelta(seconds=error.retry_after))
    return ngettext(
        "There were too many tries. Try again in a minute, at %(time)s.",
        "There were too many tries. Try again in %(minutes)d minutes, at %(time)s.",
        minutes,
    ) % {"minutes": minutes, "time": until.strftime("%H:%M %Z")}


class SignInForm(AuthenticationForm):
    """Name and password. `locked` is set when the answer is that one must wait."""

    error_messages = {
        "invalid_login": gettext_lazy("This name and this password do not go together. Both are case-sensitive."),
        "inactive": gettext_lazy("This account is disabled."),
    }
    locked: TooManyTries | None = None

    def clean(self) -> dict[str, Any]:
        try:
            return super().clean()
        except ValidationError:
            self._say_if_locked(self.cleaned_data.get("username") or "")
            raise

    def _say_if_locked(self, username: str) -> None:
        """Raises ValidationError if it is not the password but the tries before; the same if it was the last one."""
        try:
            lockout.check(self.request, username)
        except TooManyTries as error:
            self.locked = error
            raise ValidationError(told(error), code="locked") from error


def with_plain_help(form: AnyForm) -> AnyForm:
    """The form, whose fields for a new password say in one sentence what Django's say in six."""
    for name, field in form.fields.items():
        if name in {"password1", "new_password1"}:
            field.help_text = gettext("At least 8 characters: no common word, no bare number, not like your name.")
        elif name in {"password2", "new_password2"}:
            field.label, field.help_text = gettext("The same once more"), ""
    return form


class SignUpForm(UserCreationForm[User]):
    """A new account."""

    email = forms.EmailField(
        label=gettext_lazy("E-mail"), help_text=gettext_lazy("A new password can be sent there."), max_length=254
    )

    class Meta:
        model = User
        fields = ("username", "email")


class ResetForm(PasswordResetForm):
    """Asks for a mail with a link to set a new password."""

    email = forms.EmailField(
        label=gettext_lazy("E-mail"), max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "email"})
    )

    def send_mail(self, *args: Any, **kwargs: Any) -> None:
        """Sends in a thread: how long the answer takes must not tell that an address is known."""
        threading.Thread(target=super().send_mail, args=args, kwargs=kwargs, name="password-reset").start()


class AccountForm(forms.ModelForm[User]):
    """What a person may change about itself. Another e-mail address asks for the password: it can set a new one."""

    password = forms.CharField(
        label=gettext_lazy("Your password"),
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        help_text=gettext_lazy("Needed for another e-mail address only."),
    )

    class Meta:
        model = User
        fields = ("first_name", "last_name", "email")
        labels = {"email": gettext_lazy("E-mail")}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if "email" in self.changed_data and not self._has_password(cleaned.get("password", "")):
            self.add_error("password", gettext("Give your password to change the e-mail address."))
        return cleaned

    def _has_password(self, password: str) -> bool:
        with hashing.turn(regular=True):
            return self.instance.check_password(password)
