"""500 calls at once from two processes for 100 places, twenty times, for each kind of quota."""

from pathlib import Path

import pytest

from tests.admission_race import RACES, Race, run
from tests.ledger_processes import KINDS, scratch

pytestmark = pytest.mark.long
_ROUNDS = 20


@pytest.mark.parametrize("race", RACES, ids=lambda race: race.name.replace(" ", "-"))
@pytest.mark.parametrize("kind", KINDS)
def test_exactly_as_many_as_there_are_places(kind: str, race: Race, tmp_path: Path) -> None:
    with scratch(kind, tmp_path) as database:
        run(database, race, _ROUNDS)
