"""A gateway that is watched, for the tests of where it connects to."""

from collections.abc import Iterator

import pytest

from tests.egress_site import Canary, Site, on_every_address


@pytest.fixture(scope="session")
def canary() -> Iterator[Canary]:
    server = on_every_address().start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def watched(tmp_path_factory: pytest.TempPathFactory, canary: Canary) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("egress"), canary)
    yield site
    site.close()


@pytest.fixture
def site(watched: Site) -> Iterator[Site]:
    """The watched gateway; what a test adds to it is gone after the test."""
    yield watched
    watched.clear()


@pytest.fixture
def untouched(site: Site, canary: Canary) -> Iterator[Canary]:
    """The canary, which nobody has reached when the test is over."""
    before = canary.connections
    site.connections()
    yield canary
    assert canary.connections == before, canary.requests


@pytest.fixture
def other() -> Iterator[Canary]:
    """An upstream that may be reached, and answers as it is told."""
    server = Canary().start()
    yield server
    server.stop()
