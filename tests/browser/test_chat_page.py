"""The chat page in a browser: asking, stopping, what goes wrong, and what a reload and a sign-out leave."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Locator, Page, StorageState, WebSocketRoute, expect

from tests.browser.test_pages import faults
from tests.gateway import Gateway
from tests.leaving import Stage, wait_until
from tests.upstream import Upstream
from tests.visitor import PASSWORD, person

pytestmark = pytest.mark.browser
MODELS = ["m", "hold-middle", "status-500"]


@dataclass
class Chat:
    """Somebody at the chat page."""

    page: Page
    gateway: Gateway
    name: str

    def open(self) -> None:
        self.page.goto(self.gateway.url)
        expect(self.model).to_be_enabled()

    def sign_in(self) -> None:
        self.page.goto(f"{self.gateway.url}/login")
        self.page.locator("[name=username]").fill(self.name)
        self.page.locator("[name=password]").fill(PASSWORD)
        with self.page.expect_navigation():
            self.page.locator("[name=password]").press("Enter")
        expect(self.model).to_be_enabled()

    @property
    def model(self) -> Locator:
        return self.page.get_by_label("Model")

    @property
    def question(self) -> Locator:
        return self.page.get_by_label("Your question")

    @property
    def answers(self) -> Locator:
        return self.page.locator(".by-model")

    def ask(self, text: str, model: str = "demo") -> None:
        self.model.select_option(model)
        self.question.fill(text)
        self.question.press("Enter")

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)


@pytest.fixture(scope="module")
def anybody(browser: Browser, gateway: Gateway) -> tuple[str, StorageState]:
    """Somebody's name, and the cookies with which they are signed in."""
    with browser.new_context() as context:
        chat = Chat(context.new_page(), gateway, person(gateway))
        chat.sign_in()
        return chat.name, context.storage_state()


@pytest.fixture
def chat(browser: Browser, gateway: Gateway, anybody: tuple[str, StorageState]) -> Iterator[Chat]:
    """That person at a page that was just opened."""
    name, cookies = anybody
    with browser.new_context(storage_state=cookies) as context:
        chat = Chat(context.new_page(), gateway, name)
        chat.open()
        yield chat


@pytest.fixture
def newcomer(page: Page, gateway: Gateway) -> Chat:
    """Somebody with an account of their own."""
    chat = Chat(page, gateway, person(gateway))
    chat.sign_in()
    return chat


@pytest.fixture
def stage(gateway: Gateway, upstream: Upstream, user_token: str, staff_token: str) -> Iterator[Stage]:
    """To be there before the page, which looks once for what models there are."""
    stage = Stage(gateway, upstream, user_token, staff_token)
    paths = [f"/api/providers/{policy}{stage.suffix}" for policy in ("cancel", "drain", "keep")]
    for path in paths[:2]:
        listed = gateway.call(staff_token, {"models": MODELS}, path, method="PATCH")
        assert listed.status_code == 200, listed.text
    yield stage
    for path in paths:
        gateway.call(staff_token, None, path, method="DELETE")


def test_a_conversation(chat: Chat) -> None:
    page, complaints = chat.page, list[str]()
    page.on("console", lambda message: complaints.append(message.text))
    page.reload()
    expect(chat.question).to_be_focused()
    expect(chat.button("Send")).to_be_disabled()
    chat.model.select_option("demo")
    page.locator(".suggestion").first.click()
    expect(chat.answers).to_have_text(
        [re.compile("Explain in three sentences how a vaccine works.*demo · echo-1", re.DOTALL)]
    )
    chat.question.fill("The first line.")
    chat.question.press("Shift+Enter")
    chat.question.press_sequentially("ሁለተኛው መስመር። <b>no markup</b>")
    chat.question.press("Enter")
    said = chat.answers.nth(1).locator(".said")
    expect(said).to_have_text("The first line.\nሁለተኛው መስመር። <b>no markup</b>")
    expect(said).to_have_attribute("dir", "auto")
    expect(chat.question).to_have_value("")
    expect(page.locator("#heard p")).to_contain_text(["how a vaccine works", "The first line.", "<b>no markup</b>"])
    page.reload()
    expect(chat.answers).to_have_count(2)
    chat.button("New chat").click()
    expect(chat.answers).to_have_count(0)
    chat.button("Bring the last conversation back").click()
    expect(chat.answers).to_have_count(2)
    height, room = page.evaluate("() => [document.documentElement.scrollHeight, innerHeight]")
    assert height <= room, "the page itself does not scroll"
    assert complaints == []


def test_what_was_said_goes_along(stage: Stage, chat: Chat) -> None:
    for text in ("one", "two"):
        chat.ask(text, f"drain{stage.suffix}/m")
        expect(chat.button("Send")).to_be_visible()
    expect(chat.answers.last).to_contain_text("One two three four")
    said = [message["content"] for message in stage.upstream.calls[-1].json["messages"]]
    assert said == ["one", "One two three four", "two"]


def test_an_answer_is_stopped(stage: Stage, chat: Chat) -> None:
    ways: list[Callable[[], None]] = [lambda: chat.page.keyboard.press("Escape"), lambda: chat.button("Stop").click()]
    for number, stop in enumerate(ways):
        stage.upstream.hung_up = 0
        chat.ask("Count", f"cancel{stage.suffix}/hold-middle")
        answer = chat.answers.nth(number)
        expect(answer.locator(".said")).to_have_text("One")
        expect(answer).to_have_attribute("aria-busy", "true")
        expect(chat.button("Send")).to_be_hidden()
        stop()
        expect(answer.locator(".below")).to_contain_text("Stopped")
        expect(chat.button("Send")).to_be_visible()
        wait_until(lambda: stage.upstream.hung_up == 1, 2, lambda: "it goes on upstream")
    expect(chat.question).to_be_focused()


def test_a_failure_is_told_and_tried_again(stage: Stage, chat: Chat) -> None:
    chat.ask("Fail", f"drain{stage.suffix}/status-500")
    expect(chat.page.locator(".failure-title")).to_have_text("The provider could not answer")
    expect(chat.page.locator(".failure-text")).to_contain_text("Nothing was lost")
    number = chat.page.locator(".request code").inner_text()
    assert number in chat.gateway.log()
    chat.model.select_option("demo")
    chat.button("Try again").click()
    expect(chat.answers).to_have_text([re.compile("Fail")])
    expect(chat.page.locator(".failure")).to_be_hidden()
    expect(chat.page.locator(".by-person")).to_have_count(1)


def test_a_broken_connection_is_mended(stage: Stage, chat: Chat) -> None:
    sockets: list[WebSocketRoute] = []

    def connect(socket: WebSocketRoute) -> None:
        socket.connect_to_server()
        sockets.append(socket)

    chat.page.route_web_socket("**/ws/chat/", connect)
    chat.page.reload()
    chat.ask("Count", f"cancel{stage.suffix}/hold-middle")
    expect(chat.answers.locator(".said")).to_have_text("One")
    sockets[0].close(code=1012)
    failure = chat.page.locator(".failure:visible")
    expect(failure).to_contain_text("The connection broke before the answer was whole")
    expect(failure).to_contain_text("What came so far is kept.")
    stage.upstream.go_on.set()
    chat.button("Try again").click()
    expect(chat.answers.locator(".said")).to_have_text("One two three four")
    assert len(sockets) == 2


def test_a_reload_in_the_middle_keeps_what_came(stage: Stage, chat: Chat) -> None:
    chat.ask("Count", f"cancel{stage.suffix}/hold-middle")
    expect(chat.answers.locator(".said")).to_have_text("One")
    chat.page.reload()
    expect(chat.answers.locator(".said")).to_have_text("One")
    expect(chat.page.locator(".failure:visible")).to_contain_text("What came so far is kept.")
    wait_until(lambda: stage.upstream.hung_up == 1, 2, lambda: "it goes on upstream")


def test_who_was_signed_out_is_told_and_comes_back_to_it(newcomer: Chat) -> None:
    chat = newcomer
    chat.ask("Hello")
    expect(chat.answers).to_have_text([re.compile("Hello")])
    ended = "from accounts.models import User; User.objects.get(username={!r}).sign_ins.all().end()"
    chat.gateway.python(ended.format(chat.name))
    chat.ask("Are you there?")
    failure = chat.page.locator(".failure:visible")
    expect(failure).to_contain_text("You are signed out")
    failure.get_by_role("link", name="Sign in").click()
    chat.sign_in()
    expect(chat.answers).to_have_count(2)
    chat.gateway.python(ended.format(chat.name))
    other = Chat(chat.page, chat.gateway, person(chat.gateway))
    other.sign_in()
    expect(other.answers).to_have_count(0)
    assert "Are you there" not in kept(other.page)
    other.ask("Good evening")
    expect(other.answers).to_have_text([re.compile("Good evening")])
    with other.page.expect_navigation():
        other.button("Sign out").click()
    assert "Good evening" not in kept(other.page)


def kept(page: Page) -> str:
    return str(page.evaluate("() => JSON.stringify(sessionStorage)"))


def from_end(page: Page) -> float:
    """How far the reader is from the end of the conversation, in pixels."""
    script = "(region) => region.scrollHeight - region.clientHeight - region.scrollTop"
    return float(page.get_by_role("region", name="Conversation").evaluate(script))


def test_the_reader_is_left_where_they_read(stage: Stage, chat: Chat) -> None:
    page, to_end = chat.page, chat.button("Go to the end")
    chat.ask("line\n" * 100)
    expect(chat.answers.locator(".below")).to_be_visible()
    assert from_end(page) < 1
    chat.ask("Count", f"cancel{stage.suffix}/hold-middle")
    expect(chat.answers.last.locator(".said")).to_have_text("One")
    assert from_end(page) < 1, "the end is followed"
    chat.question.fill("line\n" * 9)
    wait_until(lambda: from_end(page) < 1, 2, lambda: "a long question covers the end")
    assert page.evaluate("document.documentElement.scrollHeight <= innerHeight"), "the page itself does not scroll"
    page.get_by_role("region", name="Conversation").evaluate("(region) => (region.scrollTop = 200)")
    expect(to_end).to_be_visible()
    before = from_end(page)
    stage.upstream.go_on.set()
    expect(chat.answers.last.locator(".said")).to_have_text("One two three four")
    assert from_end(page) >= before
    to_end.click()
    expect(to_end).to_be_hidden()
    assert from_end(page) < 1


@pytest.mark.node
def test_nothing_that_a_screen_reader_trips_over(stage: Stage, chat: Chat) -> None:
    page = chat.page
    page.emulate_media(reduced_motion="reduce")
    assert faults(page) == []
    chat.ask("Hello")
    expect(chat.button("Send")).to_be_visible()
    chat.ask("Fail", f"drain{stage.suffix}/status-500")
    expect(page.locator(".failure:visible")).to_have_count(1)
    for width in (390, 1440):
        page.set_viewport_size({"width": width, "height": 800})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            assert faults(page) == [], (width, scheme)
