"""A process with a ledger and without a server: does what it is told on stdin, line by line, and answers in JSON.

tests/ledger_processes.py is the other side, and starts it under `manage.py shell`.
"""

import asyncio
import json
import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import Group
from django.db import transaction

from accounts import leases, ledger
from accounts.consumption import Consumption
from accounts.errors import QuotaExceeded
from accounts.ledger import Admission, Bound, Hold
from accounts.models import ApiToken, CallState, Quota, User
from accounts.principal import Principal

_holds: list[Hold] = []


def _admission(user: str, bound: Mapping[str, int]) -> Admission:
    token = ApiToken.objects.select_related("user").get(user__username=user)
    principal = Principal(token.user_id, user, is_staff=False, token_id=token.pk)
    return Admission(principal, "request-1", "generate", "vendor", "model-1", streamed=True, bound=Bound(**bound))


def make(users: Sequence[str], group: str, quotas: Sequence[Mapping[str, Any]]) -> int:
    """Makes users, in a group, and quotas: of everybody, or of each `user` or the `group`."""
    shared, _ = Group.objects.get_or_create(name=group)
    made = [User.objects.create_user(name) for name in users]
    for user in made:
        ApiToken.objects.issue(user, "test")
        user.groups.add(shared)
    for quota in quotas:
        about = {name: value for name, value in quota.items() if name != "of"}
        match quota.get("of"):
            case "user":
                for user in made:
                    Quota.objects.create(user=user, **about)
            case "group":
                Quota.objects.create(group=shared, **about)
            case _:
                Quota.objects.create(**about)
    return len(made)


def admit(user: str, count: int, bound: Mapping[str, int], at: float = 0) -> int:
    """Asks for so many calls at once, at a moment by the clock. Returns how many were let in; they stay open."""
    admission = _admission(user, bound)

    async def at_once() -> Sequence[Hold | BaseException]:
        time.sleep(max(0.0, at - time.time()))  # the barrier: the others do the same
        return await asyncio.gather(*(ledger.admit(admission) for _ in range(count)), return_exceptions=True)

    results = asyncio.run(at_once())
    holds = [result for result in results if isinstance(result, Hold)]
    strange = [result for result in results if not isinstance(result, Hold | QuotaExceeded)]
    if strange:
        raise RuntimeError(f"{len(strange)} neither let in nor refused: {strange[0]!r}")
    _holds.extend(holds)
    return len(holds)


def settle(input_tokens: int, output_tokens: int, cost: str | None = None) -> int:
    """Settles all that is open, each with this. Returns how many."""
    price = None if cost is None else Decimal(cost)
    for hold in _holds:
        ledger.settle(hold, CallState.DONE, Consumption(input_tokens, output_tokens), (), price)
    ledger.writer.stop()
    settled = len(_holds)
    _holds.clear()
    return settled


def mix(users: Sequence[str], seconds: float, at_once: int) -> dict[str, int]:
    """Admits, extends and settles for a while, and closes what others abandoned. Returns how often each was done."""
    admissions = [_admission(user, {"input": 10, "output": 20, "base_cost": 1000, "output_cost": 77}) for user in users]
    done = {"admitted": 0, "refused": 0, "extended": 0, "swept": 0}
    end = time.monotonic() + seconds

    async def calls() -> None:
        while time.monotonic() < end:
            try:
                hold = await ledger.admit(random.choice(admissions))
            except QuotaExceeded:
                done["refused"] += 1
                await asyncio.sleep(0.001)
                continue
            done["admitted"] += 1
            if random.random() < 0.3:
                await ledger.extend(hold, 10)
                done["extended"] += 1
            ledger.settle(hold, CallState.DONE, Consumption(10, random.randrange(30)), (), Decimal("0.0000002"))

    async def sweeps() -> None:
        while time.monotonic() < end:
            await asyncio.to_thread(leases.close_abandoned)
            done["swept"] += 1
            await asyncio.sleep(0.05)

    async def all_of_it() -> None:
        await asyncio.gather(sweeps(), *(calls() for _ in range(at_once)))

    asyncio.run(all_of_it())
    ledger.writer.stop()
    return done


def administrate(seconds: float) -> int:
    """Sets defaults and deletes them again, for a while; each time everybody's counters of them begin anew."""
    end = time.monotonic() + seconds
    times = 0
    while time.monotonic() < end:
        with transaction.atomic():  # as a page of the admin
            for window in ("hour", "day"):
                Quota.objects.create(unit="requests", window=window, limit=10**9, provider="vendor")
        time.sleep(0.05)
        Quota.objects.filter(provider="vendor").order_by("-window" if times % 2 else "window").delete()
        times += 1
    return times


_COMMANDS: Mapping[str, Callable[..., Any]] = {
    "make": make,
    "admit": admit,
    "settle": settle,
    "mix": mix,
    "administrate": administrate,
}


def main() -> None:
    """Serves until stdin ends."""
    for line in sys.stdin:
        name, arguments = json.loads(line)
        answer = _COMMANDS[name](**arguments)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    ledger.stop()
