"""A person at a browser, who remembers every page that was shown."""

import re
import secrets
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.gateway import Gateway

_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Person:
    """Somebody in front of a page. `seen` is the source of all pages, one after the other."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.seen: list[str] = []
        self._address = address

    def go(self, path: str) -> None:
        self.page.goto(self._address + path)
        self.look()

    def press(self, name: str) -> None:
        """Presses a button or follows a link that leads to another page."""
        label = re.compile(f"^{re.escape(name)}$")
        control = self.page.get_by_role("button", name=label).or_(self.page.get_by_role("link", name=label))
        with self.page.expect_navigation():
            control.click()
        self.look()

    def look(self) -> None:
        self.seen.append(self.page.content())

    def is_told(self, text: str) -> None:
        """There is exactly one message on the page, and it contains the text."""
        expect(self.page.locator(".messagelist li")).to_contain_text([text])

    def sign_in(self, username: str, password: str) -> None:
        self.go("/admin/")
        self.page.get_by_label("Username").fill(username)
        self.page.get_by_label("Password").fill(password)
        self.press("Sign in")


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One for all the tests here, and no longer: while it runs, no test in this thread can have a loop of its own."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium in PATH")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=_ARGUMENTS)
        yield running
        running.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of somebody's who was never here before: cookies and storage are each test's own."""
    with browser.new_context() as context:
        page = context.new_page()
        page.set_default_timeout(15_000)
        yield page


@pytest.fixture
def admin(page: Page, gateway: Gateway) -> Person:
    """A superuser, signed in to the admin."""
    username, password = f"admin-{secrets.token_hex(4)}", secrets.token_urlsafe(12)
    script = "from accounts.models import User; User.objects.create_superuser({!r}, password={!r})"
    gateway.python(script.format(username, password))
    person = Person(page, gateway.url)
    person.sign_in(username, password)
    return person
