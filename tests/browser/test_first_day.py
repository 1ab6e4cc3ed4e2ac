"""Somebody's first day, from signing in to signing out: the chat, the quota, a token for a program, what that used."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect

from tests.browser.test_chat_page import Chat
from tests.gateway import Gateway
from tests.leaving import wait_until
from tests.upstream import Upstream
from tests.visitor import person

pytestmark = pytest.mark.browser

_NAME = "nightly report"


@pytest.fixture
def complaints() -> list[str]:
    """What the browser had to say against the pages; what their policy refused is among it."""
    return []


@pytest.fixture
def newcomer(browser: Browser, gateway: Gateway, complaints: list[str]) -> Iterator[Chat]:
    """Somebody who has just got an account."""

    def hear(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            complaints.append(message.text)

    with browser.new_context(reduced_motion="reduce") as context:
        context.set_default_timeout(15_000)
        page = context.new_page()
        page.on("console", hear)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield Chat(page, gateway, person(gateway))


@pytest.fixture
def model(gateway: Gateway, provider: str, staff_token: str) -> str:
    """What the chat calls a model that waits in the middle of its answer."""
    patient = {"models": ["hold-middle"], "gap_timeout": 20}
    changed = gateway.call(staff_token, patient, f"/api/providers/{provider}", method="PATCH")
    assert changed.status_code == 200, changed.text
    return f"{provider}/hold-middle"


def follow(page: Page, control: Locator) -> None:
    with page.expect_navigation():
        control.click()


def chat_and_stop(chat: Chat, model: str, upstream: Upstream) -> None:
    chat.ask("Count", model)
    expect(chat.answers.locator(".said")).to_have_text("One")
    expect(chat.button("Stop")).to_be_visible()
    upstream.go_on.set()
    expect(chat.answers.locator(".said")).to_have_text("One two three four")
    upstream.go_on.clear()
    chat.ask("Count again", model)
    expect(chat.answers.nth(1).locator(".said")).to_have_text("One")
    chat.button("Stop").click()
    expect(chat.answers.nth(1).locator(".below")).to_contain_text("Stopped")
    wait_until(lambda: upstream.hung_up == 1, 5, lambda: "it goes on upstream")


def reach_the_quota(chat: Chat, asked_upstream: int, upstream: Upstream) -> None:
    left = chat.page.locator("#left")
    expect(left).to_have_text(re.compile(r"^1 of 3 requests left this month, resets (on 1 \w+|at \d\d:\d\d)$"))
    chat.ask("Hello")
    expect(left).to_have_text(re.compile("^0 of 3 requests left this month"))
    chat.ask("Hello again")
    failure = chat.page.locator(".failure:visible")
    expect(failure).to_contain_text(re.compile(r"0 of 3 requests left this month, resets (on 1 \w+|at \d\d:\d\d)\."))
    assert len(upstream.calls) == asked_upstream
    follow(chat.page, failure.get_by_role("link", name="See your usage"))
    verdict = chat.page.locator(".verdict")
    expect(verdict).to_contain_text(re.compile(r"No requests left this month; it begins anew on 1 \w+, \d\d:\d\d"))


def make_a_token(page: Page) -> str:
    """The command with which the page says to try it."""
    follow(page, page.get_by_role("navigation", name="Pages").get_by_role("link", name="Tokens"))
    page.get_by_label("Name").fill(_NAME)
    follow(page, page.get_by_role("button", name="Make the token"))
    return page.locator("#command").inner_text()


def rotate_it(page: Page) -> str:
    """The command with the new secret."""
    follow(page, page.get_by_role("link", name="I have copied it"))
    follow(page, page.get_by_role("link", name=f"Rotate {_NAME}"))
    page.get_by_label("The old secret works on").select_option(label="for an hour")
    follow(page, page.get_by_role("button", name="Make a new secret"))
    expect(page.get_by_role("main")).to_contain_text("The old secret works until")
    return page.locator("#command").inner_text()


def said_by(command: str) -> str:
    """What a shell shows for a command: the answer's text."""
    assert command.startswith("curl http://127.0.0.1:")
    no_proxy = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
    done = subprocess.run(["sh", "-c", command], env=no_proxy, capture_output=True, check=True)
    answer = json.loads(done.stdout)
    return str(answer["data"]["content"] if answer["success"] else answer["error"])


def test_the_first_day(
    newcomer: Chat, model: str, gateway: Gateway, upstream: Upstream, staff_token: str, complaints: list[str]
) -> None:
    if shutil.which("curl") is None:
        pytest.skip("no curl in PATH")
    page, quota = newcomer.page, {"user": newcomer.name, "unit": "requests", "window": "month", "limit": 3}
    made = gateway.call(staff_token, quota, "/api/quotas")
    assert made.status_code == 201, made.text
    newcomer.sign_in()
    chat_and_stop(newcomer, model, upstream)
    reach_the_quota(newcomer, 2, upstream)

    first = make_a_token(page)
    assert "QUOTA_EXCEEDED" in said_by(first), "a person's quota holds for their programs too"
    path = f"/api/quotas/{made.json()['data']['id']}"
    assert gateway.call(staff_token, {"limit": 50}, path, method="PATCH").status_code == 200
    assert said_by(first) == "Hello, gateway"
    second = rotate_it(page)
    assert second != first
    assert [said_by(first), said_by(second)] == ["Hello, gateway"] * 2

    page.goto(f"{gateway.url}/usage?by=token&measure=calls")
    row = page.get_by_role("row", name=re.compile(_NAME))
    expect(row.get_by_role("cell").first).to_have_text("3")
    expect(page.locator(".limits")).to_contain_text("44 of 50 requests left this month")
    follow(page, page.get_by_role("button", name="Sign out"))
    page.goto(f"{gateway.url}/usage")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    assert complaints == []
