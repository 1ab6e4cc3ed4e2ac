"""What tests/api/test_revocation.py shows on SQLite, with two servers on one PostgreSQL."""

from collections.abc import Iterator

import pytest

from tests.api.test_revocation import (
    revoked,
    test_a_running_stream_ends_with_a_reason,
    test_every_process_refuses_the_next_call,
    test_its_call_is_settled_as_revoked,
)
from tests.gateway import Gateway
from tests.ledger_processes import scratch
from tests.serving import gateway_on, running

__all__ = [
    "revoked",
    "test_a_running_stream_ends_with_a_reason",
    "test_every_process_refuses_the_next_call",
    "test_its_call_is_settled_as_revoked",
]
pytestmark = [pytest.mark.long, pytest.mark.postgresql]


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, Gateway]]:
    with scratch("postgresql", tmp_path_factory.mktemp("revoking") / "var") as database:
        first, second = gateway_on(database), gateway_on(database)
        with running(first), running(second):  # one after the other: the first makes the tables
            yield first, second
