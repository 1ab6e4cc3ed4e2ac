"""The ledger against its model, some hundred steps of it. All of them run in tests/long."""

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.unit.ledger_machine import LedgerMachine


def test_some_steps(ledger_database: None) -> None:
    few = settings(
        max_examples=12,
        stateful_step_count=50,
        phases=[Phase.generate],  # a failure is made small in the long run, which has the time
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(LedgerMachine, settings=few)
