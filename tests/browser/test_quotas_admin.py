"""Quotas in the admin: an administrator sets them on a person's page, and they hold."""

import re
import secrets

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import Person
from tests.gateway import Gateway

pytestmark = pytest.mark.browser
ECHO = {"provider": "demo", "prompt": "x"}


def row(admin: Person, number: int) -> Locator:
    return admin.page.locator(f"#quota_set-{number}")


def fill_in(admin: Person, number: int, unit: str, limit: str, window: str, provider: str = "") -> None:
    """Fills in one more row of the table."""
    admin.page.locator("#quota_set-group .add-row a").click()
    added = row(admin, number)
    added.locator("[name$=unit]").select_option(unit)
    added.locator("[name$=limit]").fill(limit)
    added.locator("[name$=window]").select_option(window)
    added.locator("[name$=provider]").select_option(provider)


def look_for(admin: Person, name: str) -> None:
    admin.go(f"/admin/accounts/user/?q={name}")
    admin.press(name)


def test_quotas_are_set_on_a_persons_page_and_hold(admin: Person, gateway: Gateway) -> None:
    name = f"user-{secrets.token_hex(4)}"
    token = gateway.token(name)
    look_for(admin, name)
    fill_in(admin, 0, "requests", "2", "day")
    fill_in(admin, 1, "cost", "20.50", "month", "demo")
    row(admin, 1).locator("[name$=allow_unpriced]").check()
    admin.page.get_by_label("Time zone:").select_option("Africa/Addis_Ababa")
    admin.press("Save and continue editing")
    assert [gateway.call(token, ECHO).status_code for _ in range(3)] == [200, 200, 429]

    look_for(admin, name)
    expect(admin.page.get_by_label("Time zone:")).to_have_value("Africa/Addis_Ababa")
    table = admin.page.locator("#quota_set-group")
    requests = table.locator("tr.has_original", has=admin.page.locator("[name$=limit][value='2']"))
    expect(requests.locator(".field-counted")).to_have_text("2")
    expect(admin.page.locator(".field-this_month")).to_contain_text(re.compile(r"2 calls, \d+ tokens"))
    requests.locator("[name$=limit]").fill("3")
    admin.press("Save and continue editing")
    assert [gateway.call(token, ECHO).status_code for _ in range(2)] == [200, 429]
    admin.press("See the calls")
    expect(admin.page.locator("#result_list tbody tr")).to_have_count(3)
    look_for(admin, name)
    admin.press("See the usage")
    expect(admin.page.get_by_role("heading", level=1)).to_have_text(f"Usage of {name}")


def test_what_is_wrong_with_a_row_is_told(admin: Person, gateway: Gateway) -> None:
    name = f"user-{secrets.token_hex(4)}"
    gateway.token(name)
    look_for(admin, name)
    fill_in(admin, 0, "requests", "1.5", "day")
    admin.press("Save and continue editing")
    expect(row(admin, 0)).to_contain_text("Give a whole number.")
    row(admin, 0).locator("[name$=limit]").fill("5")
    fill_in(admin, 1, "requests", "6", "day")
    admin.press("Save and continue editing")
    expect(admin.page.locator("#quota_set-group")).to_contain_text("Two rows are for the same.")
    row(admin, 1).locator("[name$=window]").select_option("hour")
    admin.press("Save and continue editing")
    admin.is_told("was changed successfully")
    row(admin, 1).locator("[name$=window]").select_option("day")
    row(admin, 1).locator("[name$=until]").fill("2091-01-31T12:00")
    admin.press("Save and continue editing")
    expect(row(admin, 1).locator("[name$=until]")).to_have_value("2091-01-31T12:00")
    fill_in(admin, 2, "tokens", "", "day")
    admin.press("Save and continue editing")
    expect(row(admin, 2)).to_contain_text("This field is required.")


def test_defaults_and_the_quotas_of_groups(admin: Person, gateway: Gateway) -> None:
    group = f"group-{secrets.token_hex(4)}"
    admin.go("/admin/auth/group/add/")
    admin.page.get_by_label("Name:").fill(group)
    fill_in(admin, 0, "concurrency", "7", "total")
    admin.press("Save")
    admin.go(f"/admin/accounts/quota/?for=group&q={group}")
    expect(admin.page.locator("#result_list tbody tr")).to_have_count(1)
    expect(admin.page.locator("#result_list tbody tr")).to_contain_text(f"group {group}")
    admin.go("/admin/accounts/quota/add/")
    admin.page.get_by_label("Unit:").select_option("tokens")
    admin.page.get_by_label("Limit:").fill("1000000000000")
    admin.page.get_by_label("Per:").select_option("total")
    admin.press("Save")
    admin.is_told("was added successfully")
    admin.go("/admin/accounts/quota/?for=everybody")
    expect(admin.page.locator("#result_list tbody tr")).to_contain_text("everybody")
    admin.page.locator("#result_list tbody th a").click()  # others who share the gateway are to find none
    admin.press("Delete")
    admin.press("Yes, I’m sure")
