"""A client leaves: at each moment, in each way, streamed or not. All of it, twenty times over, is in tests/long."""

import pytest

from tests.gateway import Gateway
from tests.leaving import MOMENTS, WAYS, Stage, leave
from tests.upstream import Upstream


@pytest.fixture
def stage(gateway: Gateway, upstream: Upstream, user_token: str, staff_token: str) -> Stage:
    return Stage(gateway, upstream, user_token, staff_token)


@pytest.mark.parametrize("policy", ["cancel", "drain"])
def test_each_moment(stage: Stage, policy: str) -> None:
    """Each moment with and without a stream, and each way twice or more."""
    ways = [*WAYS, *WAYS, *WAYS]
    for moment in MOMENTS:
        for streamed in (True, False):
            leave(stage, policy, moment, ways.pop(), streamed=streamed, calls=2)
