"""What the long tests share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ledger_processes import KINDS, Database, scratch


@pytest.fixture(params=KINDS)
def scratch_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database of a test's own, on SQLite and on PostgreSQL."""
    with scratch(request.param, tmp_path / "var") as database:
        yield database
