"""Signing in while Redis is away, and links that a stranger would like to choose. Rushes: tests/long/test_rush.py."""

import time
from pathlib import Path

import httpx
import pytest

from tests.credentials import ECHO
from tests.mailbox import Mailbox
from tests.serving import fresh, running
from tests.visitor import PASSWORD, Visitor, person

pytestmark = pytest.mark.long


def test_without_redis_nobody_signs_in_and_the_rest_goes_on(tmp_path: Path) -> None:
    server = fresh(tmp_path / "var", REDIS_URL="redis://127.0.0.1:1/0")
    with running(server):
        name, token = person(server), server.token("ada")
        refused = httpx.post(f"{server.url}/api/auth/token", json={"username": name, "password": PASSWORD}, timeout=30)
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "STORAGE_UNAVAILABLE")
        assert int(refused.headers["retry-after"]) > 0
        page = Visitor(server).sign_in(name)
        assert (page.status_code, "This is not possible now" in page.text) == (503, True)
        assert "nothing was changed" in page.text
        assert server.call(token, ECHO).status_code == 200
        assert "Traceback" not in server.log()
        assert "cannot be counted in Redis" in server.log()


def test_no_link_leads_where_a_stranger_says(tmp_path: Path) -> None:
    mailbox = Mailbox()
    mail = {"EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": str(mailbox.port), "ALLOWED_HOSTS": "127.0.0.1,.example.org"}
    server = fresh(tmp_path / "var", **mail)
    with running(server):
        person(server, email="ada@example.com")
        stranger = Visitor(server)
        stranger.client.headers["Host"] = "evil.example.org"
        page = stranger.get("/password/reset").text
        assert "This server sends no mail. Ask whoever administers it" in page
        asked = stranger.send("/password/reset", {"email": "ada@example.com"}, page="/login")
        assert (asked.status_code, "This server sends no mail" in asked.text) == (200, True)
        time.sleep(0.5)  # a mail is sent beside the answer
        assert mailbox.arrived.empty()
    mailbox.stop()
