"""The vendor's account and the ledger's, after hundreds of calls by every path at once, on both databases."""

import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests import agreeing
from tests.agreeing import PATHS, STREAMS, Path, Stage
from tests.ledger_processes import Database
from tests.serving import gateway_on, running

pytestmark = pytest.mark.long
_CALLS = 800
_AT_ONCE = 16


def _one(stage: Stage, number: int) -> None:
    path: Path = random.choice(PATHS)
    if path not in STREAMS or number % 2:
        stage.whole(path)
    elif number % 4:
        stage.left(path)
    else:
        stage.broken_off(path)


def test_all_at_once(scratch_database: Database) -> None:
    gateway = gateway_on(scratch_database)
    with running(gateway):
        tokens = gateway.token("staff", staff=True), gateway.token("ordinary")
        with agreeing.stage(gateway, *tokens) as stage, ThreadPoolExecutor(_AT_ONCE) as pool:
            for done in [pool.submit(_one, stage, number) for number in range(_CALLS)]:
                done.result()
            ((calls, input_tokens, output_tokens),) = scratch_database.rows(
                "select count(*), sum(input_tokens), sum(output_tokens) from accounts_call where not estimated"
            )
            assert 0 < calls < _CALLS
            assert input_tokens and output_tokens
