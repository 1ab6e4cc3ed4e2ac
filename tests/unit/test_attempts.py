"""A call with a plan of two attempts: what each of them is booked with."""

import asyncio
from datetime import UTC, datetime
from uuid import uuid4

from accounts.consumption import Consumption
from accounts.ledger import Admission, AttemptRecord, Hold
from accounts.principal import Principal
from providers.conversation import GenerateRequest, Message
from providers.gateway import Answer
from providers.routing import PlannedAttempt
from providers.types import Endpoint, Wanted
from providers.upstream.client import close_pools

REFUSES = Endpoint("refuses", "openai", "http://127.0.0.1:1", allow_private_network=True)
ECHO = Endpoint("echo", "echo")
ASKED = GenerateRequest((Message("user", "Hello there"),), model="m")


async def opened(principal: Principal) -> tuple[list[AttemptRecord], str]:
    """What is on record of the attempts that failed, and who answered in the end."""
    admission = Admission(principal, "r", "generate", "refuses", "m", streamed=False)
    answer = Answer(Hold(uuid4(), admission, datetime.now(UTC)), Wanted.generation("refuses", ASKED))
    await answer.open(tuple(PlannedAttempt(endpoint, "m", "") for endpoint in (REFUSES, ECHO)))
    await close_pools()
    return answer._attempts, answer.provider


def test_an_attempt_that_reached_nobody_used_nothing() -> None:
    (failed,), provider = asyncio.run(opened(Principal(1, "user", is_staff=False)))
    assert (failed.provider, failed.consumption, provider) == ("refuses", Consumption(), "echo")
