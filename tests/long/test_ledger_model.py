"""The ledger against its model, 20,000 steps: on SQLite here, on PostgreSQL in a run of its own."""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.postgresql_run import passes_on_postgresql
from tests.unit.ledger_machine import LedgerMachine

pytestmark = pytest.mark.long


def test_twenty_thousand_steps(ledger_database: None) -> None:
    many = settings(max_examples=200, stateful_step_count=100, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(LedgerMachine, settings=many)


@pytest.mark.postgresql
def test_twenty_thousand_steps_on_postgresql() -> None:
    passes_on_postgresql(f"{__file__}::{test_twenty_thousand_steps.__name__}")
