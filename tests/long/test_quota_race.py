"""Five hundred calls at the same moment into two servers, again and again, for everything that a quota can count."""

import pytest

from tests.ledger_processes import Database
from tests.racing import RACES, made_users, race
from tests.serving import gateway_on, running

pytestmark = pytest.mark.long
_ROUNDS = 20


@pytest.mark.parametrize("kind", RACES)
def test_exactly_a_hundred_each_round(scratch_database: Database, kind: str) -> None:
    pair = [gateway_on(scratch_database), gateway_on(scratch_database)]
    with running(*pair):
        for user in made_users(pair[0], [RACES[kind]] * _ROUNDS):
            race(pair, kind, user)
        for server in pair:
            assert "deadlock" not in server.log()
            assert "Traceback" not in server.log()
