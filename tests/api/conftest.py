"""A provider that is a scripted Addis AI."""

from collections.abc import Iterator

import pytest

from tests.addis_upstream import AddisUpstream
from tests.gateway import Gateway
from tests.vendors.server import KEY


@pytest.fixture
def addis() -> Iterator[AddisUpstream]:
    server = AddisUpstream().start()
    yield server
    server.stop()


@pytest.fixture
def vendor(gateway: Gateway, staff_token: str, addis: AddisUpstream) -> str:
    """The name of an `addis` provider that points at its scripted upstream."""
    name = f"addis{addis.port}"
    body = {"name": name, "type": "addis", "base_url": addis.url, "api_key": KEY, "allow_private_network": True}
    made = gateway.call(staff_token, {**body, "gap_timeout": 5.0}, "/api/providers")
    assert made.status_code == 201, made.text
    return name
