"""Tests in a run of their own on PostgreSQL: a run has one database."""

import os
import secrets
import subprocess
import sys

import pytest

from tests.gateway import ROOT


def passes_on_postgresql(*tests: str) -> None:
    """Asserts that these pass there. Parameters: tests, as pytest takes them. Skips where there is no server."""
    url = os.environ.get("TEST_POSTGRESQL_URL", "")
    if not url:
        pytest.skip("needs a PostgreSQL server: TEST_POSTGRESQL_URL=postgresql://…")
    database = f"{url.rpartition('/')[0]}/gateway_{secrets.token_hex(6)}"
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *tests],
        cwd=ROOT,
        env={**os.environ, "TEST_DATABASE_URL": database},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout
