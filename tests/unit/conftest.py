"""What the tests of the ledger's quotas share."""

from collections.abc import Iterator

import pytest

from tests.unit.admitting import Caller, Clock, over


@pytest.fixture
def ledger_database(transactional_db: None) -> Iterator[None]:
    """A database whose ledger is stopped at the end: its threads have connections to it."""
    yield
    over()


@pytest.fixture
def caller(ledger_database: None) -> Caller:
    """A user with a token."""
    return Caller.named("caller")


@pytest.fixture
def clock() -> Iterator[Clock]:
    """The time that the ledger reads."""
    with Clock().set_everywhere() as clock:
        yield clock
