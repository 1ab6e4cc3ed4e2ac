"""The providers' admin in a browser, as an administrator uses it."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Person
from tests.gateway import Gateway
from tests.upstream import LEAK, Upstream

KEYS = ("sk-one-canary-9b1c7e52a4d8f036", "sk-two-canary-27f0d6b3e81a95c4")
_WINDOW = 12  # characters of a key that give too much of it away

pytestmark = pytest.mark.browser


def fill_in_provider(admin: Person, name: str, base_url: str, model: str = "m") -> None:
    admin.go("/admin/providers/provider/add/")
    page = admin.page
    page.get_by_label("Name:").fill(name)
    page.get_by_label("Type:").select_option("openai")
    page.get_by_label("Base URL:").fill(base_url)
    page.get_by_label("Default model:").fill(model)
    page.get_by_label("Allow private network").check()


def fill_in_key(admin: Person, row: int, key: str, label: str) -> None:
    admin.page.locator(f"[name=keys-{row}-new_secret]").fill(key)
    admin.page.locator(f"[name=keys-{row}-label]").fill(label)


def active_keys(admin: Person) -> list[str]:
    """What the page shows of the keys that are ticked as active."""
    rows = admin.page.locator("#keys-group tr.has_original", has=admin.page.locator("[name$=in_use]:checked"))
    return rows.locator(".shown-key").all_text_contents()


def assert_absent(key: str, text: str, where: str) -> None:
    """No part of a key may be there that is long enough to be of use."""
    found = [key[i : i + _WINDOW] for i in range(len(key) - _WINDOW + 1) if key[i : i + _WINDOW] in text]
    assert not found, f"{found[0]!r} of a key is in {where}"


def test_keys_go_in_are_used_and_never_come_out(admin: Person, gateway: Gateway, upstream: Upstream) -> None:
    one, two = KEYS
    fill_in_provider(admin, "rotating", "no address")
    fill_in_key(admin, 0, one, "first")
    admin.press("Save and continue editing")
    expect(admin.page.locator(".field-base_url .errorlist")).to_contain_text("Give an address that begins with http://")

    admin.page.get_by_label("Base URL:").fill(upstream.url)
    fill_in_key(admin, 0, one, "first")
    admin.press("Save and continue editing")
    assert active_keys(admin) == [f"…{one[-4:]}"], "a provider's first key is active by itself"
    admin.press("Test connection")
    admin.is_told("answered with m in")
    assert {arrived.headers["authorization"] for arrived in upstream.requests} == {f"Bearer {one}"}
    assert len(upstream.calls) == 1

    fill_in_key(admin, 1, two, "second")
    admin.page.locator("[name=keys-1-in_use]").check()
    admin.press("Save and continue editing")
    assert active_keys(admin) == [f"…{two[-4:]}"]
    del upstream.requests[:]
    admin.press("Test connection")
    admin.is_told("answered with m in")
    assert {arrived.headers["authorization"] for arrived in upstream.requests} == {f"Bearer {two}"}

    admin.press("History")
    admin.go("/admin/providers/provider/?q=rotating")
    expect(admin.page.locator("tr", has_text="rotating")).to_contain_text(f"…{two[-4:]}")

    history = str(gateway.rows("SELECT object_repr, change_message FROM django_admin_log"))
    assert two[-4:] in history
    files = list(gateway.var_dir.glob("gateway.sqlite3*"))
    assert files
    for key in KEYS:
        for number, source in enumerate(admin.seen):
            assert_absent(key, source, f"page {number}")
        assert_absent(key, gateway.log(), "the log")
        assert_absent(key, history, "the history")
        for file in files:
            assert_absent(key, file.read_bytes().decode("latin-1"), file.name)


def test_former_key_is_ticked_back_and_the_active_one_is_not_deleted(admin: Person, upstream: Upstream) -> None:
    one, two = KEYS
    fill_in_provider(admin, "back-and-forth", upstream.url)
    fill_in_key(admin, 0, one, "former")
    admin.press("Save and continue editing")
    fill_in_key(admin, 1, two, "newer")
    admin.press("Save and continue editing")
    assert active_keys(admin) == [f"…{one[-4:]}"], "a further key waits until it is made active"

    newer, former = (admin.page.locator(f"#keys-{row}") for row in (0, 1))
    former.locator("[name$=DELETE]").check()
    admin.press("Save and continue editing")
    expect(admin.page.locator("#keys-group")).to_contain_text("The active key cannot be deleted.")

    former.locator("[name$=DELETE]").uncheck()
    newer.locator("[type=checkbox][name$=in_use]").check()
    admin.press("Save and continue editing")
    assert active_keys(admin) == [f"…{two[-4:]}"]

    former.locator("[name$=DELETE]").check()
    admin.press("Save and continue editing")
    expect(admin.page.locator("#keys-group tr.has_original")).to_have_count(1)
    assert active_keys(admin) == [f"…{two[-4:]}"]


def test_what_is_wrong_is_told_without_a_word_from_upstream(admin: Person, upstream: Upstream) -> None:
    fill_in_provider(admin, "refusing", upstream.url, model="status-401")
    fill_in_key(admin, 0, KEYS[0], "")
    admin.press("Save and continue editing")
    address = admin.page.url
    admin.press("Test connection")
    admin.is_told("The provider refuses the key that the gateway has for it.")
    assert admin.page.url == address
    assert LEAK not in admin.seen[-1]

    admin.go("/admin/providers/provider/?q=refusing")
    admin.page.locator("tr", has_text="refusing").locator("input[name=_selected_action]").check()
    admin.page.get_by_label("Action:").select_option("test_connection")
    admin.press("Go")
    admin.is_told("The provider refuses the key that the gateway has for it.")
    assert LEAK not in admin.seen[-1]
