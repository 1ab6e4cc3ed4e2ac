"""The ledger against its model, 20,000 steps: on SQLite here, on PostgreSQL in a run of its own."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.gateway import ROOT
from tests.unit.admitting import over
from tests.unit.ledger_machine import LedgerMachine

pytestmark = pytest.mark.long


@pytest.fixture
def database(transactional_db: None) -> Iterator[None]:
    yield
    over()


def test_twenty_thousand_steps(database: None) -> None:
    many = settings(max_examples=200, stateful_step_count=100, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(LedgerMachine, settings=many)


@pytest.mark.postgresql
def test_twenty_thousand_steps_on_postgresql() -> None:
    url = os.environ.get("TEST_POSTGRESQL_URL", "")
    if not url:
        pytest.skip("needs a PostgreSQL server: TEST_POSTGRESQL_URL=postgresql://…")
    database = f"{url.rpartition('/')[0]}/gateway_{secrets.token_hex(6)}"
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", f"{__file__}::{test_twenty_thousand_steps.__name__}"],
        cwd=ROOT,
        env={**os.environ, "TEST_DATABASE_URL": database},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout
