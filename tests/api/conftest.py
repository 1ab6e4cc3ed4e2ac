"""What vendors are here: a scripted Addis AI, and one that records what arrives."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.addis_upstream import AddisUpstream
from tests.gateway import Gateway
from tests.recorder import Caller, Recorder, a_provider_of_each_type
from tests.rights import Obliging, Rights, cast
from tests.serving import fresh, running
from tests.vendors.server import KEY


@pytest.fixture
def addis() -> Iterator[AddisUpstream]:
    server = AddisUpstream().start()
    yield server
    server.stop()


@pytest.fixture
def vendor(gateway: Gateway, staff_token: str, addis: AddisUpstream) -> Iterator[str]:
    """The name of an `addis` provider that points at its scripted upstream."""
    name = f"addis{addis.port}"
    body = {"name": name, "type": "addis", "base_url": addis.url, "api_key": KEY, "allow_private_network": True}
    made = gateway.call(staff_token, {**body, "gap_timeout": 5.0}, "/api/providers")
    assert made.status_code == 201, made.text
    yield name
    gateway.call(staff_token, None, f"/api/providers/{name}", method="DELETE")


@pytest.fixture(scope="module")
def recorder() -> Iterator[Recorder]:
    """A vendor that records what arrives, and answers as it is told to."""
    server = Recorder().start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def caller(gateway: Gateway, user_token: str, staff_token: str, recorder: Recorder) -> Iterator[Caller]:
    """Somebody who calls providers of each type, all of which are that vendor."""
    with a_provider_of_each_type(gateway, staff_token, recorder.url):
        yield Caller(gateway, user_token)


@pytest.fixture(scope="session")
def rights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rights]:
    """A server with the whole cast of those who might call it, and with what they might call."""
    gateway, upstream = fresh(tmp_path_factory.mktemp("rights") / "var"), Obliging().start()
    with running(gateway):
        staff = gateway.token("maker", staff=True)
        for name, kind in (("upstream", "openai"), ("an", "anthropic"), ("fa", "fal"), ("el", "elevenlabs")):
            body: dict[str, Any] = {"name": name, "type": kind, "base_url": upstream.url, "api_key": KEY}
            body |= {"allow_private_network": True, "first_byte_timeout": 2, "default_model": "m"}
            assert gateway.call(staff, body, "/api/providers").status_code == 201
        yield gateway, *cast(gateway)
    upstream.stop()
