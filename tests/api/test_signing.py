"""Signing in and out in a browser's way: sessions, forged forms, passwords, and what guessing comes to."""

import json
import re
from collections.abc import Iterator

import httpx
import pytest

from tests.gateway import Gateway
from tests.mailbox import Mailbox
from tests.serving import fresh
from tests.visitor import PASSWORD, Visitor, person

OTHER = "quite another pass phrase"


@pytest.fixture(scope="module")
def name(gateway: Gateway) -> str:
    return person(gateway)


@pytest.fixture(scope="module")
def reader(gateway: Gateway, name: str) -> Visitor:
    """Somebody who is signed in, and stays so."""
    visitor = Visitor(gateway)
    visitor.sign_in(name)
    return visitor


@pytest.fixture
def visitor(gateway: Gateway) -> Visitor:
    return Visitor(gateway)


def test_a_session_from_before_is_not_the_one_after(gateway: Gateway, name: str) -> None:
    """Whoever planted a session's cookie must not find it signed in."""
    planted = "a" * 32
    victim, thief = Visitor(gateway), Visitor(gateway)
    for one in (victim, thief):
        one.client.cookies.set("sessionid", planted)
    signed_in = victim.sign_in(name)
    assert signed_in.status_code == 302
    assert re.search(r"sessionid=(?!a{32})\w{32};", signed_in.headers["set-cookie"])
    assert not thief.is_signed_in()


def test_signing_out_ends_the_session_itself(gateway: Gateway, visitor: Visitor, name: str) -> None:
    visitor.sign_in(name)
    cookie = visitor.session
    assert cookie and visitor.is_signed_in()
    assert visitor.get("/logout").status_code == 405, "a link must not do it"
    assert visitor.is_signed_in()
    assert visitor.send("/logout", page="/").headers["location"] == "/"
    copy = Visitor(gateway)
    copy.client.cookies.set("sessionid", cookie)
    assert not visitor.is_signed_in()
    assert not copy.is_signed_in()


@pytest.mark.parametrize(
    ("asked", "led_to"),
    [
        ("/usage", "/usage"),
        ("", "/"),
        ("https://evil.example.com/", "/"),
        ("//evil.example.com/", "/"),
        ("/\\evil.example.com", "/"),
        ("javascript:alert(1)", "/"),
    ],
)
def test_where_one_is_led_after_it(reader: Visitor, asked: str, led_to: str) -> None:
    answer = reader.client.get("/login", params={"next": asked})
    assert (answer.status_code, answer.headers["location"]) == (302, led_to)


def test_where_the_form_leads(visitor: Visitor, name: str) -> None:
    page = visitor.get("/usage").headers["location"]
    assert visitor.sign_in(name, page=page).headers["location"] == "/usage"


def test_cookies_are_out_of_reach(gateway: Gateway, visitor: Visitor, name: str) -> None:
    cookies = visitor.sign_in(name).headers.get_list("set-cookie")
    assert len(cookies) == 2
    for cookie in cookies:
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie


def test_a_form_without_its_token_changes_nothing(gateway: Gateway, visitor: Visitor, name: str) -> None:
    """Nor one with somebody else's, nor one from another site."""
    form = {"username": name, "password": PASSWORD}
    foreign = re.search(r'csrfmiddlewaretoken" value="([^"]+)', Visitor(gateway).get("/login").text)
    assert foreign
    visitor.get("/login")
    missing = visitor.client.post("/login", data=form)
    others = visitor.client.post("/login", data={**form, "csrfmiddlewaretoken": foreign[1]})
    elsewhere = visitor.send("/login", form, headers={"Origin": "https://evil.example.com"})
    for refused in (missing, others, elsewhere):
        assert refused.status_code == 403
        assert "This form could not be accepted" in refused.text
        assert "set-cookie" not in refused.headers or "sessionid" not in refused.headers["set-cookie"]
    assert not visitor.is_signed_in()


def test_programs_are_told_in_json(gateway: Gateway) -> None:
    refused = httpx.post(gateway.url + "/login", data={"username": "x"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "FORBIDDEN")


def test_the_admin_is_for_staff(visitor: Visitor, reader: Visitor) -> None:
    assert visitor.get("/admin/").headers["location"] == "/admin/login/?next=/admin/"
    refused = reader.client.get("/admin/", follow_redirects=True)
    assert refused.status_code == 403
    assert "The admin is for staff." in refused.text
    assert 'name="password"' not in refused.text, "no form: the answer is not to sign in once more"


def test_another_password_ends_all_but_this(gateway: Gateway) -> None:
    name = person(gateway)
    here, there = Visitor(gateway), Visitor(gateway)
    for one in (here, there):
        one.sign_in(name)
    before = here.session
    wrong = here.send("/password", {"old_password": OTHER, "new_password1": OTHER, "new_password2": OTHER})
    assert wrong.status_code == 200
    assert there.is_signed_in()
    form = {"old_password": PASSWORD, "new_password1": OTHER, "new_password2": OTHER}
    assert here.send("/password", form).status_code == 302
    assert here.is_signed_in()
    assert here.session != before
    assert not there.is_signed_in()
    assert there.sign_in(name, OTHER).status_code == 302


def test_the_account_page_shows_sign_ins_and_ends_them(gateway: Gateway, reader: Visitor) -> None:
    name = person(gateway)
    here, there, third = Visitor(gateway), Visitor(gateway), Visitor(gateway)
    for one in (here, there, third):
        one.sign_in(name)
    page = here.get("/account").text
    assert page.count("Firefox, Linux</strong>") == 3
    assert page.count("This one") == 1
    ends = re.findall(r'action="(/account/sign-ins/\d+/end)"', page)
    assert len(ends) == 2, "this one is ended by signing out"
    assert reader.send(ends[0], page="/account").status_code == 404, "somebody else's"
    assert here.send(ends[0], page="/account").status_code == 302
    assert [one.is_signed_in() for one in (here, there, third)].count(True) == 2
    here.send("/account/sign-ins/end", page="/account")
    assert [one.is_signed_in() for one in (here, there, third)] == [True, False, False]


def test_details_are_changed_and_the_address_with_the_password_only(gateway: Gateway, visitor: Visitor) -> None:
    name = person(gateway, email="old@example.com")

    def kept() -> list[tuple[str, ...]]:
        return gateway.rows(f"select first_name, email from accounts_user where username = '{name}'")

    visitor.sign_in(name)
    form = {"first_name": "Ada", "last_name": "", "email": "old@example.com"}
    assert visitor.send("/account", form).status_code == 302
    refused = visitor.send("/account", {**form, "email": "new@example.com"})
    assert "Give your password to change the e-mail address." in refused.text
    assert kept() == [("Ada", "old@example.com")]
    visitor.send("/account", {**form, "email": "new@example.com", "password": PASSWORD})
    assert kept() == [("Ada", "new@example.com")]


def test_where_nothing_is_set_there_is_no_signing_up_and_no_mail(gateway: Gateway, visitor: Visitor) -> None:
    assert visitor.get("/signup").status_code == 404
    page = visitor.get("/password/reset").text
    assert "This server sends no mail. Ask whoever administers it" in page
    assert "<form" not in page


@pytest.fixture(scope="module")
def mailbox() -> Iterator[Mailbox]:
    box = Mailbox()
    yield box
    box.stop()


@pytest.fixture(scope="module")
def open_house(tmp_path_factory: pytest.TempPathFactory, mailbox: Mailbox) -> Iterator[Gateway]:
    """A server that sends mail, where people make their own accounts, and whose visitors may say where they are."""
    mail = {"EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": str(mailbox.port), "DEFAULT_FROM_EMAIL": "gateway@example.com"}
    folder = tmp_path_factory.mktemp("open-house") / "var"
    server = fresh(folder, TRUSTED_PROXIES="127.0.0.1", SIGN_UP="1", LOG_FORMAT="json", **mail).start()
    yield server
    server.stop()


def test_a_new_password_by_mail(open_house: Gateway, mailbox: Mailbox) -> None:
    name = person(open_house, email="ada@example.com")
    before, visitor = Visitor(open_house), Visitor(open_house)
    before.sign_in(name)
    unknown = visitor.send("/password/reset", {"email": "nobody@example.com"})
    known = visitor.send("/password/reset", {"email": "ada@example.com"})
    assert (unknown.status_code, unknown.headers["location"]) == (known.status_code, known.headers["location"])
    mail = mailbox.next()
    assert mailbox.arrived.empty(), "to whom nobody knows, none is sent"
    assert (mail["To"], mail["From"]) == ("ada@example.com", "gateway@example.com")
    link = re.search(rf"{re.escape(open_house.url)}(/password/reset/\S+)", mail.get_content())
    assert link
    form_page = visitor.get(link[1]).headers["location"]
    visitor.send(form_page, {"new_password1": OTHER, "new_password2": OTHER})
    assert "too old" in Visitor(open_house).get(link[1]).text, "a link is good for once"
    assert visitor.sign_in(name, OTHER).status_code == 302
    assert not before.is_signed_in()
    assert link[1].rsplit("/", 1)[1] not in open_house.log()


def test_no_mailbox_is_flooded(open_house: Gateway) -> None:
    for number in range(6):
        last = Visitor(open_house, f"203.0.113.{number}").send("/password/reset", {"email": "Bob@example.com"})
    assert (last.status_code, "Too many tries" in last.text) == (429, True)


def test_making_an_account(open_house: Gateway) -> None:
    visitor = Visitor(open_house, "192.0.2.60")
    form = {"username": "newcomer", "email": "new@example.com", "password1": OTHER, "password2": OTHER}
    assert "too common" in visitor.send("/signup", {**form, "password1": "password", "password2": "password"}).text
    assert visitor.send("/signup", form).status_code == 302
    assert visitor.is_signed_in()
    assert visitor.client.get("/admin/", follow_redirects=True).status_code == 403
    for number in range(20):
        last = Visitor(open_house, "192.0.2.60").send("/signup", {"username": f"x{number}"})
    assert last.status_code == 429
    assert int(last.headers["retry-after"]) > 0


def test_after_five_wrong_passwords_the_right_one_is_refused_too(open_house: Gateway) -> None:
    name, address = person(open_house, is_staff=True), "192.0.2.5"
    told = [Visitor(open_house, address).sign_in(name, OTHER, "/admin/login/") for _ in range(5)]
    assert [one.status_code for one in told] == [200, 200, 200, 200, 429]
    right, wrong = (Visitor(open_house, address).sign_in(name, given) for given in (PASSWORD, OTHER))
    assert (right.status_code, wrong.status_code) == (429, 429)
    notices = [re.findall(r'role="alert">([^<]+)', one.text) for one in (right, wrong)]
    assert notices[0] == notices[1]
    assert re.match(r"There were too many tries\. Try again in .*, at \d\d:\d\d UTC\.", notices[0][0])
    assert 0 < int(right.headers["retry-after"]) <= 300
    assert Visitor(open_house, address).sign_in(name, page="/admin/login/").status_code == 429
    assert Visitor(open_house, "198.51.100.7").sign_in(name, page="/admin/login/").status_code == 302
    locked = [line for line in open_house.log().splitlines() if "Too many failed sign-ins" in line]
    assert len(locked) == 1
    assert name not in locked[0]
    assert json.loads(locked[0])["level"] == "warning"
