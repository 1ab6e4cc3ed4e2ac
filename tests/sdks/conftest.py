"""Scripted vendors behind the gateway, and the ways to them."""

from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest

from tests.gateway import Gateway
from tests.sdks.ways import Way, check_what_arrived
from tests.vendors.anthropic import Anthropic
from tests.vendors.elevenlabs import ElevenLabs
from tests.vendors.fal import Fal
from tests.vendors.gemini import Gemini
from tests.vendors.openai import OpenAI
from tests.vendors.server import KEY, Vendor

V = TypeVar("V", bound=Vendor)
MakeProvider = Callable[[str, Vendor], str]


def _running(vendor: V) -> Iterator[V]:
    vendor.start()
    yield vendor
    vendor.stop()


@pytest.fixture
def openai_vendor() -> Iterator[OpenAI]:
    yield from _running(OpenAI())


@pytest.fixture
def anthropic_vendor() -> Iterator[Anthropic]:
    yield from _running(Anthropic())


@pytest.fixture
def gemini_vendor() -> Iterator[Gemini]:
    yield from _running(Gemini())


@pytest.fixture
def elevenlabs_vendor() -> Iterator[ElevenLabs]:
    yield from _running(ElevenLabs())


@pytest.fixture
def fal_vendor() -> Iterator[Fal]:
    yield from _running(Fal())


@pytest.fixture
def make_provider(gateway: Gateway, staff_token: str) -> Iterator[MakeProvider]:
    """Makes providers of a type that point at a scripted vendor, by name; they are gone after the test."""

    made_ones: list[str] = []

    def make(kind: str, vendor: Vendor) -> str:
        name = f"{kind}{vendor.port}"
        body = {
            "name": name,
            "type": kind,
            "base_url": vendor.url,
            "api_key": KEY,
            "allow_private_network": True,
            "first_byte_timeout": 5.0,
            "gap_timeout": 5.0,
        }
        made = gateway.call(staff_token, body, "/api/providers")
        assert made.status_code == 201, made.text
        made_ones.append(name)
        return name

    yield make
    for name in made_ones:
        gateway.call(staff_token, None, f"/api/providers/{name}", method="DELETE")


def _way(request: pytest.FixtureRequest, kind: str, vendor: Vendor, front: str) -> Way:
    """The way that a fixture's parameter names."""
    if request.param == "direct":
        return Way("direct", vendor, vendor.url, KEY)
    gateway: Gateway = request.getfixturevalue("gateway")
    token: str = request.getfixturevalue("user_token")
    name = request.getfixturevalue("make_provider")(kind, vendor)
    if request.param == "front":
        return Way("front", vendor, gateway.url + front, token, f"{name}/")
    return Way("proxy", vendor, f"{gateway.url}/proxy/{name}", token)


@pytest.fixture(params=["direct", "front", "proxy"])
def openai_way(request: pytest.FixtureRequest, openai_vendor: OpenAI) -> Iterator[Way]:
    way = _way(request, "openai", openai_vendor, "/v1")
    yield way
    check_what_arrived(way)


@pytest.fixture(params=["direct", "front", "proxy"])
def anthropic_way(request: pytest.FixtureRequest, anthropic_vendor: Anthropic) -> Iterator[Way]:
    way = _way(request, "anthropic", anthropic_vendor, "")
    yield way
    check_what_arrived(way)


@pytest.fixture(params=["direct", "proxy"])
def gemini_way(request: pytest.FixtureRequest, gemini_vendor: Gemini) -> Iterator[Way]:
    way = _way(request, "gemini", gemini_vendor, "")
    yield way
    check_what_arrived(way)


@pytest.fixture(params=["direct", "proxy"])
def elevenlabs_way(request: pytest.FixtureRequest, elevenlabs_vendor: ElevenLabs) -> Iterator[Way]:
    way = _way(request, "elevenlabs", elevenlabs_vendor, "")
    yield way
    check_what_arrived(way)
