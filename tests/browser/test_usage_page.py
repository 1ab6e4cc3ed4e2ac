"""The usage page in a browser: the chart is drawn, switches keep the page, times are those of the reader's clock."""

import re
import secrets
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.gateway import Gateway

pytestmark = pytest.mark.browser

_READER = """
from accounts.models import Unit, User, Window
from tests.usage_seed import seed, set_quota
User.objects.create_user({name!r}, password={password!r})
set_quota(seed({name!r}, days=10), Unit.TOKENS, Window.MONTH, "1000", "1000")
"""


@pytest.fixture(scope="module")
def reader(browser: Browser, gateway: Gateway) -> Iterator[BrowserContext]:
    """Somebody in Kathmandu with a phone, signed in, who has used a lot."""
    name, password = f"reader-{secrets.token_hex(4)}", secrets.token_urlsafe(12)
    gateway.python(_READER.format(name=name, password=password))
    with browser.new_context(timezone_id="Asia/Kathmandu", viewport={"width": 390, "height": 800}) as context:
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.goto(f"{gateway.url}/login")
        page.locator("[name=username]").fill(name)
        page.locator("[name=password]").fill(password)
        with page.expect_navigation():
            page.locator("[name=password]").press("Enter")
        page.close()
        yield context


@pytest.fixture
def visited(reader: BrowserContext, gateway: Gateway) -> Iterator[Page]:
    """Their usage page."""
    with reader.new_page() as page:
        page.set_default_timeout(15_000)
        page.goto(f"{gateway.url}/usage")
        yield page


def inked(page: Page) -> int:
    """How many different colours the chart has."""
    script = """canvas => new Set(new Uint32Array(
        canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.buffer)).size"""
    found: int = page.locator("#chart canvas").evaluate(script)
    return found


def test_the_chart_and_its_switches(visited: Page) -> None:
    complaints: list[str] = []
    visited.on("console", lambda message: complaints.append(message.text))
    visited.reload()
    expect(visited.locator("#chart")).to_be_visible()
    assert inked(visited) > 5
    assert visited.evaluate("document.documentElement.scrollWidth") == 390, "nothing is wider than a phone"
    visited.evaluate("window.stays = true")
    switch = visited.get_by_role("link", name="Cost", exact=True)
    switch.click()
    expect(visited).to_have_url(re.compile("measure=cost"))
    expect(switch).to_have_attribute("aria-current", "true")
    expect(switch).to_be_focused()
    assert inked(visited) > 5
    visited.get_by_role("link", name="API token", exact=True).click()
    expect(visited.get_by_role("columnheader", name="API token")).to_be_visible()
    visited.go_back()
    expect(visited.get_by_role("columnheader", name="Provider")).to_be_visible()
    assert visited.evaluate("window.stays"), "the page was kept"
    before = visited.locator("#chart canvas").screenshot()
    visited.evaluate("document.querySelector('[data-theme-switch]').click()")
    assert visited.locator("#chart canvas").screenshot() != before, "drawn again in the other theme's colours"
    assert complaints == []


def test_times_are_in_the_readers_zone(visited: Page) -> None:
    expect(visited.locator(".verdict")).to_contain_text(re.compile(r"begins anew on 1 \w+, 05:45 (GMT|UTC)\+5:45\."))
    expect(visited.locator("[data-zone]")).to_have_text(re.compile("Asia/Ka"))
