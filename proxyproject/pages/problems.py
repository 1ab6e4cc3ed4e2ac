"""The site lane's own answers to what is not there, not allowed or broken: JSON for programs, a page for people."""

from typing import Any

from django.core.exceptions import DisallowedHost, PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.translation import gettext

from accounts.errors import NotPermitted
from web import problems, request_id

_PROGRAM_PATHS = ("/api/", "/v1/", "/proxy/")


def answer(
    request: HttpRequest, error: Exception, title: str, advice: str, *, knows_reader: bool = True
) -> HttpResponse:
    """The answer to `error`, to people with `title` and `advice`; without `knows_reader` the database is not asked."""
    response = problems.response_for(error)
    if request.path.startswith(_PROGRAM_PATHS) or "text/html" not in request.headers.get("accept", ""):
        return response
    context = {"title": title, "advice": advice, "request_id": request_id.current.get()}
    page = render_to_string("problem.html", context, request if knows_reader else None)
    headers = {name: value for name, value in response.headers.items() if name != "Content-Type"}
    return HttpResponse(page, status=response.status_code, headers=headers)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler400: foreign host names, forged sessions and the like."""
    error = problems.HostNotAllowed() if isinstance(exception, DisallowedHost) else problems.Refused()
    return answer(request, error, gettext("This request was refused"), str(error), knows_reader=False)


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Django's handler403; also called where a view finds that a signed-in person may not go on."""
    said = str(exception) if isinstance(exception, PermissionDenied | NotPermitted) else ""
    error = NotPermitted(said or gettext("You are not allowed to do this."))
    advice = said or gettext("You are signed in, but this needs rights that your account does not have.")
    return answer(request, error, gettext("This is not open to you"), advice)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Django's CSRF_FAILURE_VIEW: a form from another site, from a page that is out of date, or without cookies."""
    error = NotPermitted(gettext("The form did not come from a page of this site, or that page is out of date."))
    advice = gettext(
        "Nothing was changed. Go back, reload the page and send the form again. If it stays so, allow cookies for this"
        " address."
    )
    return answer(request, error, gettext("This form could not be accepted"), advice)


def not_found(request: HttpRequest, exception: Exception, *_: Any) -> HttpResponse:
    """Django's handler404."""
    error = problems.NoSuchPath() if isinstance(exception, Http404) else exception
    title = gettext("There is nothing at this address")
    return answer(request, error, title, gettext("Check the address, or go back to the start page."))


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500; Django has logged the exception already, and what broke may have been the database."""
    title, advice = gettext("Something broke here"), gettext("Try again; if it stays so, tell whoever runs this.")
    return answer(request, problems.Unforeseen(), title, advice, knows_reader=False)
