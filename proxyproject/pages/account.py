"""A person's own page: who it is, and where it is signed in."""

import re
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse_lazy
from django.utils.decorators import method_decorator
from django.utils.translation import gettext, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST
from django.views.generic import UpdateView

from accounts import sign_ins
from accounts.models import SignIn, User
from accounts.sessions import SIGN_IN
from proxyproject.pages import forms
from proxyproject.pages.signing import Guarded

_BROWSERS = (("Edg", "Edge"), ("OPR", "Opera"), ("Firefox", ""), ("Chrome", ""), ("Safari", ""))  # the first that fits
_SYSTEMS = ("Android", "iPhone", "iPad", "Windows", "Mac OS X", "Linux")


@method_decorator(never_cache, name="dispatch")
class AccountPage(LoginRequiredMixin, Guarded, UpdateView[User, forms.AccountForm]):
    """The person's details, to change, and its open sign-ins, to end."""

    guarded = "account"
    form_class = forms.AccountForm
    template_name = "account.html"
    success_url = reverse_lazy("account")

    def counted_by(self) -> str:
        return f"user {self.request.user.pk}"

    def get_object(self, queryset: Any = None) -> User:
        """A copy: a name that is refused must not stand in the bar above the form."""
        return User.objects.get(pk=_user(self.request).pk)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        mine = self.request.session.get(SIGN_IN)
        listed = [
            {"sign_in": one, "device": device(one.user_agent), "is_this": one.pk == mine}
            for one in SignIn.objects.open().filter(user=self.object)
        ]
        listed.sort(key=lambda one: not one["is_this"])
        return super().get_context_data(sign_ins=listed, has_others=len(listed) > 1, **kwargs)

    def form_valid(self, form: forms.AccountForm) -> HttpResponse:
        messages.success(self.request, gettext("Your details are saved."))
        return super().form_valid(form)


@require_POST
@login_required
def end_one(request: HttpRequest, id: int) -> HttpResponse:
    """Ends one of the person's sign-ins; 404 for somebody else's."""
    get_object_or_404(_user(request).sign_ins, pk=id).end()
    messages.success(request, gettext("That sign-in is ended."))
    return redirect("account")


@require_POST
@login_required
def end_others(request: HttpRequest) -> HttpResponse:
    """Ends all of the person's sign-ins but this one."""
    ended = sign_ins.end_all(_user(request), but=request.session.get(SIGN_IN, 0))
    told = ngettext("%d other sign-in is ended.", "%d other sign-ins are ended.", ended) % ended
    messages.success(request, told)
    return redirect("account")


def device(user_agent: str) -> str:
    """What a person would call it: `Firefox, Linux`; of a program, the first word it says of itself; or nothing."""
    if not user_agent.startswith("Mozilla/"):
        return re.split(r"[\s(]", user_agent, maxsplit=1)[0]
    browser = next((name or mark for mark, name in _BROWSERS if f"{mark}/" in user_agent), "")
    system = next((name for name in _SYSTEMS if name in user_agent), "").replace(" OS X", "")
    return ", ".join(part for part in (browser, system) if part)


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # login_required has seen to it
    return request.user
