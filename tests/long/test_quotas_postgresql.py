"""The tests of quotas on PostgreSQL."""

import pytest

from tests.postgresql_run import passes_on_postgresql

_TESTS = ["quotas", "quota_settling", "quota_extensions", "quota_changes", "ledger_model"]


@pytest.mark.long
@pytest.mark.postgresql
def test_quotas_on_postgresql() -> None:
    passes_on_postgresql(*(f"tests/unit/test_{name}.py" for name in _TESTS))
