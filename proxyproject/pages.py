"""The site lane's own answers to what is not there and what broke: JSON for programs, a page for people."""

from typing import Any

from django.core.exceptions import DisallowedHost
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext

from web import problems, request_id

_PROGRAM_PATHS = ("/api/", "/v1/", "/proxy/")


def _answer(request: HttpRequest, error: Exception, title: str, advice: str) -> HttpResponse:
    response = problems.response_for(error)
    if request.path.startswith(_PROGRAM_PATHS) or "text/html" not in request.headers.get("accept", ""):
        return response
    context = {"title": title, "advice": advice, "request_id": request_id.current.get()}
    return render(request, "problem.html", context, status=response.status_code)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler400: foreign host names, forged sessions and the like."""
    error = problems.HostNotAllowed() if isinstance(exception, DisallowedHost) else problems.Refused()
    return _answer(request, error, gettext("This request was refused"), str(error))


def not_found(request: HttpRequest, exception: Exception, *_: Any) -> HttpResponse:
    """Django's handler404."""
    error = problems.NoSuchPath() if isinstance(exception, Http404) else exception
    title = gettext("There is nothing at this address")
    return _answer(request, error, title, gettext("Check the address, or go back to the start page."))


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500; Django has logged the exception already."""
    title = gettext("Something broke here")
    return _answer(request, problems.Unforeseen(), title, gettext("Try again; if it stays so, tell whoever runs this."))
