"""The pages in the states that they can be in, empty, full, just done, wrong: sound in each, and all within reach."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from tests.browser.conftest import Person
from tests.browser.test_pages import PHONE, assert_shown_soundly, assert_sound, prepared, sign_in
from tests.gateway import Gateway
from tests.visitor import person

pytestmark = [pytest.mark.browser, pytest.mark.node, pytest.mark.long]

_USED_MUCH = """
from accounts.models import ApiToken, Unit, User, Window
from tests.usage_seed import seed, set_quota
user = seed({name!r}, days=10)
set_quota(user, Unit.COST, Window.DAY, "25", "21.4", "0.6")
set_quota(user, Unit.REQUESTS, Window.MONTH, "50", "50")
revoked, _ = ApiToken.objects.issue(user, "old laptop")
revoked.revoke()
print(ApiToken.objects.filter(user=user).exclude(pk=revoked.pk).first().pk)
"""
_SIGN_UP = """
from django.contrib.auth.models import AnonymousUser
from django.test import RequestFactory, override_settings
from django.urls import resolve
request = RequestFactory().get("/signup", HTTP_HOST="127.0.0.1")
request.user = AnonymousUser()
with override_settings(SIGN_UP=True):
    print(resolve("/signup").func(request).render().content.decode())
"""
_BROKEN = """
from django.test import RequestFactory
from proxyproject.pages.problems import server_error
print(server_error(RequestFactory().get("/", HTTP_ACCEPT="text/html")).content.decode())
"""
_UNREACHED = """() => [...document.querySelectorAll("a[href], button, input, select, textarea, summary")].filter(
  (one) => one.checkVisibility() && !one.disabled && one.type !== "hidden" && !reached.has(one))
  .map((one) => one.outerHTML)"""
_REACHED = """() => {
  window.reached ??= new Set();
  const one = document.activeElement;
  if (one === document.body) return "seen"; // between the last and the first
  if (reached.has(one)) return "";
  reached.add(one);
  const isSeen = (part) => part && getComputedStyle(part).outlineStyle !== "none";
  return isSeen(one) || isSeen(one.parentElement) ? "seen" : one.outerHTML;
}"""


@pytest.fixture
def visitor(browser: Browser, gateway: Gateway) -> Iterator[Person]:
    """Somebody with a telephone, who is not signed in."""
    with browser.new_context(reduced_motion="reduce", viewport=PHONE, timezone_id="Asia/Kathmandu") as context:
        yield Person(prepared(context).new_page(), gateway.url)


def serve(context: BrowserContext, path: str, page: str, status: int) -> None:
    """Has a page there that the shared gateway cannot be brought to show; what it loads comes from the gateway."""

    def fulfil(route: Route) -> None:
        route.fulfill(status=status, body=page, content_type="text/html; charset=utf-8")

    context.route(f"**{path}", fulfil)


def test_when_nothing_was_done_yet(visitor: Person, gateway: Gateway) -> None:
    sign_in(visitor, person(gateway), "/login")
    for path in ("/", "/usage", "/tokens"):
        assert_sound(visitor, path)


def test_when_much_was_done(visitor: Person, gateway: Gateway) -> None:
    name = person(gateway, first_name="Hanna")
    token = gateway.python(_USED_MUCH.format(name=name)).strip()
    sign_in(visitor, name, "/login")
    page = visitor.page
    for path in ("/usage", "/usage?by=model&measure=cost", f"/tokens/{token}/rotate", f"/tokens/{token}/revoke"):
        assert_sound(visitor, path)
    visitor.go("/tokens")
    for summary in page.locator("summary").all():
        summary.click()
    assert_shown_soundly(page, "the tokens, all unfolded")
    expect(page.locator("time").first).to_have_text(re.compile(r"(GMT|UTC)\+5:45$"))
    page.get_by_label("Name").fill("nightly report")
    page.get_by_label("Addresses").fill("somewhere")
    visitor.press("Make the token")
    assert_shown_soundly(page, "a token that cannot be made")
    page.get_by_label("Addresses").fill("")
    visitor.press("Make the token")
    assert_shown_soundly(page, "a secret")


def test_when_the_quota_is_reached(visitor: Person, gateway: Gateway, staff_token: str) -> None:
    name = person(gateway)
    quota = {"user": name, "unit": "requests", "window": "month", "limit": 0}
    assert gateway.call(staff_token, quota, "/api/quotas").status_code == 201
    sign_in(visitor, name, "/login")
    page = visitor.page
    page.get_by_label("Your question").fill("Hello")
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".failure:visible")).to_contain_text("0 of 0 requests left this month, resets")
    assert_shown_soundly(page, "the chat without a quota")


def test_when_something_is_wrong(visitor: Person, gateway: Gateway) -> None:
    page = visitor.page
    visitor.go("/login")
    page.get_by_label("Username").fill("nobody-here")
    page.get_by_label("Password").fill("a wrong one")
    visitor.press("Sign in")
    assert_shown_soundly(page, "a wrong password")
    serve(page.context, "/signup", gateway.python(_SIGN_UP), 200)
    serve(page.context, "/broken", gateway.python(_BROKEN), 500)
    assert_sound(visitor, "/signup")
    expect(page.get_by_role("heading", level=1)).to_have_text("Make an account")
    assert_sound(visitor, "/broken")
    expect(page.get_by_role("heading", level=1)).to_have_text("Something broke here")


def test_the_first_page_of_the_admin(visitor: Person, gateway: Gateway) -> None:
    sign_in(visitor, person(gateway, is_staff=True, is_superuser=True), "/admin/")
    assert_shown_soundly(visitor.page, "the admin")


def test_everything_is_reached_with_the_keyboard_and_seen_to_be(visitor: Person, gateway: Gateway) -> None:
    name = person(gateway)
    gateway.python(f"from tests.usage_seed import seed; seed({name!r}, days=3)")
    sign_in(visitor, name, "/login")
    for path in ("/", "/usage", "/tokens", "/account"):
        visitor.go(path)
        walk(visitor.page, path)


def walk(page: Page, path: str) -> None:
    """Steps from one thing to the next until it begins anew."""
    for _ in range(80):
        page.keyboard.press("Tab")
        if not (where := page.evaluate(_REACHED)):
            break
        assert where == "seen", (path, where)
    assert page.evaluate(_UNREACHED) == [], path
