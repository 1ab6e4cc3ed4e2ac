"""A gateway that knows one site, the vendors behind it, and somebody at a page of that site or of another."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.site import Site
from tests.gateway import Gateway
from tests.serving import fresh
from tests.vendors import fal
from tests.vendors.anthropic import Anthropic
from tests.vendors.elevenlabs import ElevenLabs
from tests.vendors.fal import Fal
from tests.vendors.openai import OpenAI
from tests.vendors.server import KEY, Answer, Arrived, Vendor, as_json


@dataclass
class FalAndStorage(Fal):
    """fal, with its uploads at another site, and a word on whose time limit it was that ran out."""

    storage: str = ""

    def initiate(self, arrived: Arrived) -> Answer:
        return as_json({**fal.UPLOAD, "upload_url": f"{self.storage}/upload/1"})

    def error(self, status: int, message: str) -> Answer:
        answer = super().error(status, message)
        whose = {"x-fal-request-timeout-type": "user"} if status == 504 else {}
        return replace(answer, headers={**answer.headers, **whose})

    routes = {**Fal.routes, "POST /storage/upload/initiate": initiate}


@dataclass(frozen=True)
class Stage:
    """A gateway that knows one site, another site that it does not know, and the vendors behind it."""

    gateway: Gateway
    token: str
    site: Site
    stranger: Site
    fal: FalAndStorage
    anthropic: Anthropic
    elevenlabs: ElevenLabs
    openai: OpenAI

    @property
    def vendors(self) -> tuple[Vendor, ...]:
        return (self.fal, self.anthropic, self.elevenlabs, self.openai)

    def answers(self, method: str, path: str) -> list[int]:
        """The statuses that the gateway's log has for a method and a path."""
        found = re.findall(rf"\] {method} {re.escape(path)} (\d+) ", self.gateway.log())
        return [int(status) for status in found]


@contextmanager
def open_stage(folder: Path) -> Iterator[Stage]:
    """Everything running, with one provider for each vendor, and one that has a key which its vendor refuses."""
    site, stranger = Site().start(), Site().start()
    gateway = fresh(folder / "var", CORS_ALLOWED_ORIGINS=site.url).start()
    vendors = FalAndStorage(queued=True, storage=site.url), Anthropic(), ElevenLabs(), OpenAI()
    stage = Stage(gateway, gateway.token("page"), site, stranger, *vendors)
    staff = gateway.token("staff", staff=True)
    for kind, vendor in zip(("fal", "anthropic", "elevenlabs", "openai"), stage.vendors, strict=True):
        _make_provider(gateway, staff, f"our-{kind}", kind, vendor.start(), KEY)
    _make_provider(gateway, staff, "with-a-wrong-key", "elevenlabs", stage.elevenlabs, "sk-not-the-vendors")
    yield stage
    for running in (gateway, *vendors, site, stranger):
        running.stop()


def _make_provider(gateway: Gateway, token: str, name: str, kind: str, vendor: Vendor, key: str) -> None:
    own = {"name": name, "type": kind, "base_url": vendor.url, "api_key": key}
    made = gateway.call(token, {**own, "allow_private_network": True, "first_byte_timeout": 5.0}, "/api/providers")
    assert made.status_code == 201, made.text


@dataclass(frozen=True)
class Visitor:
    """Somebody at a page of a site."""

    page: Page
    stage: Stage

    def open(self, name: str, proxy: str, **fields: str) -> None:
        """Opens a page of the site that the gateway knows, and fills in the proxy's path and `fields`.

        The token is a good one unless `fields` have another.
        """
        self.open_at(self.stage.site, name, proxy, **fields)

    def open_at(self, site: Site, name: str, proxy: str, **fields: str) -> None:
        """As `open`, for a page of any site."""
        self.page.goto(f"{site.url}/{name}.html")
        for label, text in {"proxy": self.stage.gateway.url + proxy, "token": self.stage.token, **fields}.items():
            self.page.get_by_label(label).fill(text)

    def press(self, button: str, state: str = "Done") -> None:
        """Presses a button, and waits for what the page says then."""
        self.page.get_by_role("button", name=button, exact=True).click()
        expect(self.page.get_by_role("status")).to_have_text(state)

    def text(self, selector: str) -> str:
        return self.page.locator(selector).inner_text()

    def texts(self, selector: str) -> list[str]:
        return self.page.locator(selector).all_inner_texts()

    @property
    def error(self) -> str:
        return self.page.get_by_role("alert").inner_text()
