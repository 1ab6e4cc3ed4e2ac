"""The frame of all pages: nothing that the policy forbids, nothing that a screen reader trips over, light and dark."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, StorageState, ViewportSize, expect

from tests.browser.conftest import Person
from tests.gateway import ROOT, Gateway
from tests.leaving import wait_until
from tests.visitor import PASSWORD, person

pytestmark = [pytest.mark.browser, pytest.mark.node]

_AXE = ROOT / "tests/node/node_modules/axe-core/axe.min.js"
_REPORTS = """
window.refused = [];
addEventListener("securitypolicyviolation", (event) => refused.push(`${event.violatedDirective}: ${event.sample}`));
"""
_FAULTS = """async () => (await axe.run({ preload: false })).violations.map(
  ({ id, nodes }) => `${id}: ${nodes.map((node) => node.html.slice(0, 120)).join(" | ")}`)"""
_WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
PHONE: ViewportSize = {"width": 390, "height": 844}
_NARROWEST: ViewportSize = {"width": 320, "height": 568}
_DESK: ViewportSize = {"width": 1440, "height": 900}

FOR_ALL = ("/", "/login", "/password/reset", "/password/reset/sent", "/password/reset/MQ/old-link", "/nothing")
FOR_SIGNED_IN = ("/account", "/password", "/nothing")
NOT_FOR_ORDINARY = "/admin/"
ADMINS = ("/admin/", "/admin/providers/provider/", "/admin/providers/provider/1/change/", "/admin/accounts/user/")


@pytest.fixture
def watched(browser: Browser) -> Iterator[BrowserContext]:
    """A browser that writes down what a page's policy refused."""
    with browser.new_context(reduced_motion="reduce", viewport=PHONE) as context:
        yield prepared(context)


@pytest.fixture(scope="module")
def cookies(browser: Browser, gateway: Gateway) -> StorageState:
    """Those of somebody who signed in and is no staff."""
    with browser.new_context() as context:
        visitor = Person(context.new_page(), gateway.url)
        sign_in(visitor, person(gateway), "/login")
        return context.storage_state()


@pytest.fixture
def ordinary(browser: Browser, gateway: Gateway, cookies: StorageState) -> Iterator[Person]:
    """That person, in a browser that writes down the same."""
    with browser.new_context(reduced_motion="reduce", viewport=PHONE, storage_state=cookies) as context:
        yield Person(prepared(context).new_page(), gateway.url)


def prepared(context: BrowserContext) -> BrowserContext:
    context.set_default_timeout(15_000)
    context.add_init_script(_REPORTS)
    return context


def sign_in(visitor: Person, name: str, path: str) -> None:
    visitor.go(path)
    visitor.page.get_by_label("Username").fill(name)
    visitor.page.get_by_label("Password").fill(PASSWORD)
    visitor.press("Sign in")


def refused(page: Page) -> list[str]:
    found: list[str] = page.evaluate("refused")
    return found


def faults(page: Page) -> list[str]:
    """What axe-core finds wrong, and whether the page is wider than its window."""
    if not _AXE.exists():
        pytest.skip("axe-core is not installed; run `npm ci` in tests/node")
    page.evaluate(_AXE.read_text(encoding="utf-8"))
    found: list[str] = page.evaluate(_FAULTS)
    return found + (["wider than the window"] if page.evaluate(_WIDER) > 0 else [])


def assert_sound(visitor: Person, path: str) -> None:
    visitor.go(path)
    assert_shown_soundly(visitor.page, path)


def assert_shown_soundly(page: Page, name: str) -> None:
    """On a telephone in the light, on a desk in the dark; on the narrowest telephone nothing scrolls sideways."""
    assert refused(page) == [], name
    page.emulate_media(color_scheme="light")
    assert faults(page) == [], (name, "telephone")
    page.set_viewport_size(_DESK)
    page.emulate_media(color_scheme="dark")
    assert faults(page) == [], (name, "desk")
    page.set_viewport_size(_NARROWEST)
    wait_until(lambda: page.evaluate(_WIDER) <= 0, 2, lambda: f"{name} is too wide")  # a chart takes a frame to follow
    page.set_viewport_size(PHONE)


def test_pages_for_everybody(watched: BrowserContext, gateway: Gateway) -> None:
    visitor = Person(watched.new_page(), gateway.url)
    for path in FOR_ALL:
        assert_sound(visitor, path)


def test_pages_for_whoever_is_signed_in(ordinary: Person) -> None:
    for path in (*FOR_SIGNED_IN, NOT_FOR_ORDINARY):
        assert_sound(ordinary, path)
    expect(ordinary.page.get_by_role("heading", level=1)).to_have_text("This is not open to you")


def test_the_admin_and_the_documentation_keep_to_the_policy(watched: BrowserContext, gateway: Gateway) -> None:
    name = person(gateway, is_staff=True, is_superuser=True)
    visitor = Person(watched.new_page(), gateway.url)
    sign_in(visitor, name, "/admin/")
    for path in ADMINS:
        visitor.go(path)
        visitor.page.wait_for_load_state("load")
        assert refused(visitor.page) == [], path
    visitor.go("/api/docs")
    expect(visitor.page.get_by_role("heading", name="AI gateway")).to_be_visible()
    assert refused(visitor.page) == []


def test_the_policy_is_there(watched: BrowserContext, gateway: Gateway) -> None:
    page = watched.new_page()
    page.goto(gateway.url + "/login")
    page.evaluate("document.body.appendChild(document.createElement('script')).textContent = 'window.ran = true'")
    wait_until(lambda: bool(refused(page)), 5, lambda: "the script was not refused")
    assert page.evaluate("window.ran") is None
    page.evaluate("document.querySelector('form').action = 'https://evil.example.com/'")
    page.evaluate("document.querySelector('form').submit()")
    wait_until(lambda: any(one.startswith("form-action") for one in refused(page)), 5, lambda: str(refused(page)))


def test_the_theme_is_kept_for_all_pages_and_the_admin(ordinary: Person) -> None:
    ordinary.go("/password")
    page = ordinary.page
    page.emulate_media(color_scheme="light")
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_role("button", name="Theme: as the system").click()
    dark = page.evaluate(ground)
    assert dark != light
    page.get_by_role("button", name="Theme: dark").focus()
    ordinary.go("/account")
    assert page.evaluate(ground) == dark
    assert page.evaluate("localStorage.theme") == "dark", "the Django admin's switch keeps it there too"
    page.get_by_role("button", name="Theme: dark").press("Enter")
    assert page.evaluate(ground) == light
    expect(page.get_by_role("button", name="Theme: light")).to_be_focused()
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(ground) == light, "the switch has the last word"


def test_the_first_step_with_the_keyboard_leads_past_the_bar(ordinary: Person) -> None:
    ordinary.go("/account")
    page = ordinary.page
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Change your password")).to_be_focused()


def test_signing_out_by_the_bar(watched: BrowserContext, gateway: Gateway) -> None:
    visitor = Person(watched.new_page(), gateway.url)
    sign_in(visitor, person(gateway), "/login")
    visitor.press("Sign out")
    expect(visitor.page.get_by_role("main").get_by_role("link", name="Sign in", exact=True)).to_be_visible()
    visitor.go("/account")
    expect(visitor.page.get_by_role("heading", level=1)).to_have_text("Sign in")
