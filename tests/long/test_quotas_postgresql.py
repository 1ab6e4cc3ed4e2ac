"""The tests of quotas on PostgreSQL: in a run of their own, for a run has one database."""

import os
import secrets
import subprocess
import sys

import pytest

from tests.gateway import ROOT

_TESTS = ["quotas", "quota_settling", "quota_extensions", "quota_changes", "ledger_model"]


@pytest.mark.long
@pytest.mark.postgresql
def test_quotas_on_postgresql() -> None:
    url = os.environ.get("TEST_POSTGRESQL_URL", "")
    if not url:
        pytest.skip("needs a PostgreSQL server: TEST_POSTGRESQL_URL=postgresql://…")
    database = f"{url.rpartition('/')[0]}/gateway_{secrets.token_hex(6)}"
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *(f"tests/unit/test_{name}.py" for name in _TESTS)],
        cwd=ROOT,
        env={**os.environ, "TEST_DATABASE_URL": database},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout
