"""Signing in and out, and passwords."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login, views
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse_lazy
from django.utils.decorators import method_decorator
from django.utils.translation import gettext
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import FormView, View

from accounts import hashing, lockout, sign_ins
from accounts.errors import TooManyAtOnce, TooManyTries
from proxyproject.pages import forms, problems
from storage.errors import StorageUnavailable


class Guarded(View):
    """A page whose form may not be sent as often as one likes; `guarded` names the rate."""

    guarded: str

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            if request.method == "POST":
                lockout.guard(request, self.guarded, self.counted_by())
            return super().dispatch(request, *args, **kwargs)
        except TooManyTries as error:
            title = gettext("Too many at once") if isinstance(error, TooManyAtOnce) else gettext("Too many tries")
            return problems.answer(request, error, title, forms.told(error))
        except StorageUnavailable as error:
            advice = gettext("What this page needs cannot be reached. Try again in a few seconds; nothing was changed.")
            return problems.answer(request, error, gettext("This is not possible now"), advice, knows_reader=False)

    def counted_by(self) -> str:
        """Whose tries are counted together; empty: those of an address."""
        return ""


class SignIn(Guarded, views.LoginView):
    """Name and password. Django makes a new session of it, and looks at where `next` leads."""

    guarded = "login"
    form_class = forms.SignInForm
    template_name = "signing/sign_in.html"
    redirect_authenticated_user = True
    extra_context = {"is_sign_in": True, "sign_up": settings.SIGN_UP}

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        response = super().form_invalid(form)
        if isinstance(form, forms.SignInForm) and form.locked is not None:
            response.status_code = 429
            response.headers["Retry-After"] = str(form.locked.retry_after)
        return response


class AdminSignIn(SignIn):
    """The admin's own address for it: the same page, and a clear word for whoever is signed in and may not enter."""

    next_page = "admin:index"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated and not request.user.is_staff:
            raise PermissionDenied(gettext("The admin is for staff. You are signed in as somebody who is not."))
        return super().dispatch(request, *args, **kwargs)


class SignOut(views.LogoutView):
    """By POST only: a link on another site must not sign anybody out."""

    next_page = "start"


class PasswordChange(Guarded, views.PasswordChangeView):
    """The old password once, the new one twice. Ends all other sign-ins of this person."""

    guarded = "password-change"
    template_name = "signing/password_change.html"
    success_url = reverse_lazy("account")

    def get_form(self, form_class: Any = None) -> Any:
        return forms.with_plain_help(super().get_form(form_class))

    def counted_by(self) -> str:
        return f"user {self.request.user.pk}"

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        with hashing.turn(regular=True):
            return super().post(request, *args, **kwargs)

    def form_valid(self, form: Any) -> HttpResponse:
        response = super().form_valid(form)
        sign_ins.begin_session(form.user, self.request)  # the new password ended the one before
        messages.success(self.request, gettext("Your password is changed. You are signed out everywhere else."))
        return response


class PasswordReset(Guarded, views.PasswordResetView):
    """Sends a link to set a new password; says the same for an address that nobody here has."""

    guarded = "password-reset"
    form_class = forms.ResetForm
    template_name = "signing/password_reset.html"
    email_template_name = "signing/password_reset_mail.txt"
    subject_template_name = "signing/password_reset_subject.txt"
    success_url = reverse_lazy("password-reset-sent")
    can_mail = bool(settings.EMAIL_HOST) and not settings.ANSWERS_TO_ANY_HOST
    extra_context = {"can_mail": can_mail}

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return super().post(request, *args, **kwargs) if self.can_mail else self.get(request)

    def form_valid(self, form: Any) -> HttpResponse:
        # By the mailbox too, known or not: nobody's is to be flooded from many addresses.
        lockout.guard(self.request, "password-mail", f"mail {form.cleaned_data['email'].casefold()}")
        return super().form_valid(form)


class PasswordResetSent(views.PasswordResetDoneView):
    template_name = "signing/password_reset_sent.html"


class PasswordResetConfirm(Guarded, views.PasswordResetConfirmView):
    """The page behind the link in the mail."""

    guarded = "password-set"
    template_name = "signing/password_reset_confirm.html"
    success_url = reverse_lazy("login")

    def get_form(self, form_class: Any = None) -> Any:
        return forms.with_plain_help(super().get_form(form_class))

    def form_valid(self, form: Any) -> HttpResponse:
        with hashing.turn():
            response = super().form_valid(form)
        messages.success(self.request, gettext("Your password is set. Sign in with it."))
        return response


@method_decorator(sensitive_post_parameters(), name="dispatch")
class SignUp(Guarded, FormView[forms.SignUpForm]):
    """A new account, where SIGN_UP allows it."""

    guarded = "signup"
    form_class = forms.SignUpForm
    template_name = "signing/sign_up.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not settings.SIGN_UP:
            raise Http404
        if request.user.is_authenticated:
            return redirect("start")
        return super().dispatch(request, *args, **kwargs)

    def get_form(self, form_class: Any = None) -> Any:
        return forms.with_plain_help(super().get_form(form_class))

    def form_valid(self, form: forms.SignUpForm) -> HttpResponse:
        with hashing.turn():
            user = form.save()
        login(self.request, user)
        return redirect("start")
