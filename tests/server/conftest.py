"""Server processes with the probing application, one with the ordinary limits and one with short ones."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.server.wire import Probe

HEAD, BODY, STALL = 0.8, 1.2, 1.0  # seconds, the short limits


@pytest.fixture
def clients() -> Iterator[ExitStack]:
    """Holds connections that are closed after the test."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Probe]:
    """A probe whose clients must be quick."""
    server = Probe(tmp_path_factory.mktemp("probe") / "log", head=HEAD, body=BODY, stall=STALL)
    yield server
    server.stop()
