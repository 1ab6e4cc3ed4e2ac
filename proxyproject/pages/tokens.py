"""The page at /tokens: a person's API tokens, to make, rotate and revoke.

A secret stands in the answer to the form that made it, and nowhere else: no redirect, session or cookie carries it.
"""

import json
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods

from accounts import issuing
from accounts.models import ApiToken, User
from accounts.principal import CredentialKind, Principal
from accounts.token_forms import NewTokenForm, RotationForm, endpoint_choices, told

_form_page = require_http_methods(["GET", "HEAD", "POST"])


@_form_page
@login_required
@never_cache
def tokens(request: HttpRequest) -> HttpResponse:
    """The list, and the form to make another one."""
    form = NewTokenForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        values = {name: form.cleaned_data[name] for name in ("name", *form.LIMITS)}
        if form.cleaned_data["lasting"]:
            values["expires_at"] = timezone.now() + timedelta(days=int(form.cleaned_data["lasting"]))
        return _with_secret(request, *issuing.make(_caller(request), **values))
    rows = list(ApiToken.objects.filter(user=_user(request).pk))
    context = {
        "form": form,
        "current": [_shown(row) for row in rows if row.state == "active"],
        "ended": [_shown(row) for row in rows if row.state != "active"],
    }
    return render(request, "tokens/list.html", context, status=422 if form.errors else 200)


@_form_page
@login_required
@never_cache
def rotate(request: HttpRequest, id: int) -> HttpResponse:
    """Asks for how long the old secret is to work on, and shows the new one."""
    token = _own(request, id)
    form = RotationForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            row, clear = issuing.rotate(_caller(request), token, timedelta(seconds=form.cleaned_data["grace"]))
        except ValidationError as error:
            messages.error(request, told(error))
            return redirect("tokens")
        return _with_secret(request, row, clear)
    return render(request, "tokens/rotate.html", {"form": form, "token": token})


@_form_page
@login_required
@never_cache
def revoke(request: HttpRequest, id: int) -> HttpResponse:
    """Asks whether it is meant, and does it."""
    token = _own(request, id)
    if request.method != "POST":
        return render(request, "tokens/revoke.html", {"token": token})
    issuing.revoke(token)
    messages.success(request, gettext("“{name}” is revoked. Calls with it are refused.").format(name=token.name))
    return redirect("tokens")


@sensitive_variables("clear", "more")
def _with_secret(request: HttpRequest, token: ApiToken, clear: str) -> HttpResponse:
    more = {"clear": clear, "command": _command(request, token, clear)}
    return render(request, "tokens/secret.html", {**_shown(token), **more})


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # login_required has seen to it
    return request.user


def _caller(request: HttpRequest) -> Principal:
    user = _user(request)
    return Principal(user.pk, user.username, user.is_staff, kind=CredentialKind.SESSION)


def _own(request: HttpRequest, id: int) -> ApiToken:
    """Raises Http404 for somebody else's."""
    return get_object_or_404(ApiToken, pk=id, user=_user(request).pk)


def _shown(token: ApiToken) -> dict[str, Any]:
    """A token as the list has it: what it is limited to, in words, and whether its last secret works still."""
    said = dict(endpoint_choices())
    limits = [
        (gettext("Providers"), token.providers),
        (gettext("Models"), token.models),
        (gettext("May call"), [str(said.get(name, name)) for name in token.endpoints]),
        (gettext("From"), token.addresses),
    ]
    return {
        "token": token,
        "limits": [(name, ", ".join(values)) for name, values in limits if values],
        "is_rotating": token.previous_until is not None and token.previous_until > timezone.now(),
    }


_SAID = "Hello, gateway"
_MESSAGES = [{"role": "user", "content": _SAID}]
# What a first call looks like, by endpoint; the first that a token may call is shown.
_FIRST_CALLS: dict[str, tuple[str, dict[str, Any] | None]] = {
    "generate": ("/api/generate", {"prompt": _SAID}),
    "chat": ("/api/chat", {"message": _SAID}),
    "openai": ("/v1/chat/completions", {"messages": _MESSAGES}),
    "anthropic": ("/v1/messages", {"max_tokens": 100, "messages": _MESSAGES}),
    "proxy": ("/proxy/{provider}", None),
    "usage": ("/api/usage", None),
    "providers": ("/api/providers", None),
    "browser-token": ("/api/auth/browser-token", {}),
}


def _command(request: HttpRequest, token: ApiToken, clear: str) -> str:
    """A first call with a token, to be pasted into a shell."""
    may = token.endpoints or list(_FIRST_CALLS)
    endpoint = next((name for name in _FIRST_CALLS if name in may), "generate")
    path, body = _FIRST_CALLS[endpoint]
    provider = token.providers[0] if token.providers else ""
    if endpoint in {"generate", "chat"} and provider and body is not None:
        body = {"provider": provider, **body}
    if endpoint in {"openai", "anthropic"} and body is not None:
        body = {"model": provider or "demo", **body}
    address = request.build_absolute_uri(path.replace("{provider}", provider or "demo"))
    lines = [f"curl {address}", f'-H "Authorization: Bearer {clear}"']
    if body is not None:
        lines.append(f"-d '{json.dumps(body)}'")
    return " \\\n  ".join(lines)
