"""What the chat page says of quotas: what is left, and why a question was refused."""

import re
from decimal import Decimal

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_chat_page import Chat
from tests.gateway import Gateway
from tests.visitor import person

pytestmark = pytest.mark.browser


@pytest.fixture
def chat(page: Page, gateway: Gateway) -> Chat:
    """Somebody with an account of their own, at the chat page."""
    chat = Chat(page, gateway, person(gateway))
    chat.sign_in()
    return chat


def limit(chat: Chat, unit: str, window: str, amount: str, **more: object) -> None:
    fields = {"unit": unit, "window": window, "limit": Decimal(amount), **more}
    chat.gateway.python(
        "from decimal import Decimal; from accounts.models import Quota, User;"
        f"Quota.objects.create(user=User.objects.get(username={chat.name!r}), **{fields!r})"
    )
    chat.open()


def test_what_is_left_is_told(chat: Chat) -> None:
    limit(chat, "requests", "hour", "1")
    left = chat.page.locator("#left")
    expect(left).to_have_text(re.compile(r"^1 of 1 requests left this hour, resets at \d\d:00$"))
    chat.ask("Hello")
    expect(left).to_have_text(re.compile("^0 of 1 requests left this hour"))
    chat.ask("Hello again")
    failure = chat.page.locator(".failure:visible")
    expect(failure).to_contain_text("0 of 1 requests left this hour")
    expect(failure).not_to_contain_text("may take")
    expect(failure.get_by_role("link", name="See your usage")).to_be_visible()
    expect(chat.question).to_be_editable()


def test_what_is_left_is_too_little(chat: Chat) -> None:
    limit(chat, "tokens", "total", "1500")
    expect(chat.page.locator("#left")).to_have_text("1\u202f500 of 1\u202f500 tokens left in total")
    chat.ask("many words " * 1000)
    failure = chat.page.locator(".failure:visible")
    told = re.compile(
        r"1\u202f500 of 1\u202f500 tokens left in total\. This one may take \d+\u202f\d{3}\. Nothing was lost"
    )
    expect(failure).to_contain_text(told)


def test_a_price_is_not_known(chat: Chat, provider: str, staff_token: str) -> None:
    path = f"/api/providers/{provider}"
    changed = chat.gateway.call(staff_token, {"models": ["nobodys-price"]}, path, method="PATCH")
    assert changed.status_code == 200, changed.text
    limit(chat, "cost", "total", "25.5")
    expect(chat.page.locator("#left")).to_have_text("25.50 of 25.50 USD left in total")
    chat.ask("Hello", f"{provider}/nobodys-price")
    failure = chat.page.locator(".failure:visible")
    expect(failure).to_contain_text("The price of 'nobodys-price'")
    expect(failure).not_to_contain_text("left in total")
