"""Two processes and the last places of a quota: a sample of what tests/long has twenty rounds of."""

from pathlib import Path

import pytest

from tests.admission_race import RACES, run
from tests.ledger_processes import KINDS, scratch


@pytest.mark.parametrize("kind", KINDS)
def test_first_calls_of_a_user(kind: str, tmp_path: Path) -> None:
    with scratch(kind, tmp_path) as database:
        run(database, RACES[0], 2)
