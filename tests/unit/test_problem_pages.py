"""What the site lane says when something is wrong. None of these tests may touch a database; that is the point."""

import pytest
from django.http import Http404, HttpRequest
from django.test import RequestFactory

from proxyproject.pages import problems


@pytest.fixture
def request_of_a_person() -> HttpRequest:
    return RequestFactory(HTTP_ACCEPT="text/html,*/*").get("/usage", HTTP_COOKIE="sessionid=" + "a" * 32)


def test_what_broke_is_told_without_asking_who_reads_it(request_of_a_person: HttpRequest) -> None:
    page = problems.server_error(request_of_a_person)
    told = page.content.decode()
    assert page.status_code == 500
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "Something broke here" in told
    assert "gateway/pages.css" in told
    assert "Sign in" not in told


@pytest.mark.parametrize("accepts", ["application/json", "*/*", ""])
def test_programs_are_told_in_json(accepts: str) -> None:
    answer = problems.server_error(RequestFactory(HTTP_ACCEPT=accepts).get("/usage"))
    assert (answer.status_code, answer.headers["Content-Type"]) == (500, "application/json")


def test_below_the_api_everybody_is_a_program() -> None:
    request = RequestFactory(HTTP_ACCEPT="text/html").get("/api/nothing")
    answer = problems.not_found(request, Http404())
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/json")


def test_a_page_of_what_may_not_be_asked_for_says_so(request_of_a_person: HttpRequest) -> None:
    assert problems.bad_request(request_of_a_person, Exception()).status_code == 400
    forged = problems.csrf_failure(request_of_a_person, "no cookie")
    assert forged.status_code == 403
    assert "no cookie" not in forged.content.decode()
