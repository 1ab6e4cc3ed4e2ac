"""A call that runs past what it was given: it gets more where every quota of its own has more, and nothing twice."""

import asyncio

import pytest
from django.db import transaction

from accounts import ledger
from accounts.errors import NotAuthenticated
from accounts.ledger import Hold
from accounts.models import Counter, Unit, Window
from tests.unit.admitting import (
    Caller,
    Clock,
    call_of,
    extended,
    limit,
    opened,
    settle,
    standing,
    written,
)


def test_an_extension(caller: Caller) -> None:
    limit(100, Unit.TOKENS)
    limit(5)
    hold = opened(caller.asks(input=10, output=20, least_output=20))
    assert extended(hold, 30) == 30
    assert (hold.grant.output, call_of(hold).reserved_output) == (50, 50)
    assert standing(Unit.TOKENS) == (0, 60)
    assert extended(hold, 100) == 40, "as much as is left"
    assert extended(hold, 100) == 0
    assert (hold.grant.output, call_of(hold).reserved_output) == (90, 90)
    assert (standing(Unit.TOKENS), standing()) == ((0, 100), (0, 1))
    settle(hold, (10, 85))
    assert standing(Unit.TOKENS) == (95, 0)
    assert not call_of(hold).exceeded


def test_an_extension_of_cost_leaves_no_crumbs(caller: Caller) -> None:
    limit("1", Unit.COST)
    hold = opened(caller.asks(output=1, base_cost=0, output_cost=1))
    for _ in range(3):
        assert extended(hold, 1) == 1
    call = call_of(hold)
    assert (call.reserved_output, call.reserved_cost) == (4, 1)
    settle(hold, (0, 4), "0.0000000001")
    assert standing(Unit.COST)[1] == 0


def test_extensions_at_once(caller: Caller) -> None:
    limit(100, Unit.TOKENS)
    hold = opened(caller.asks(output=10))

    async def several() -> list[int]:
        return await asyncio.gather(*(ledger.extend(hold, 40) for _ in range(3)))

    assert asyncio.run(several()) == [40, 40, 10]
    assert (hold.grant.output, call_of(hold).reserved_output) == (100, 100)
    settle(hold, (0, 3))
    assert standing(Unit.TOKENS) == (3, 0)


async def extend_and_leave(hold: Hold) -> None:
    waiting = asyncio.create_task(ledger.extend(hold, 40))
    await asyncio.sleep(0.05)
    waiting.cancel()
    await asyncio.wait([waiting])


def test_an_extension_whose_caller_left_is_given_back_at_the_end(caller: Caller) -> None:
    limit(100, Unit.TOKENS)
    hold = opened(caller.asks(output=10))
    with transaction.atomic():
        list(Counter.objects.select_for_update())  # nobody else can write meanwhile
        asyncio.run(extend_and_leave(hold))
    written()
    assert standing(Unit.TOKENS) == (0, 50)
    assert extended(hold, 5) == 5
    settle(hold, (0, 3))
    assert standing(Unit.TOKENS) == (3, 0)


def test_no_extension_after_the_end(caller: Caller) -> None:
    limit(100, Unit.TOKENS)
    hold = opened(caller.asks(output=10))
    settle(hold, (0, 3))
    assert extended(hold, 10) == 0
    assert standing(Unit.TOKENS) == (3, 0)


def test_no_extension_for_the_revoked(caller: Caller) -> None:
    limit(100, Unit.TOKENS)
    hold = opened(caller.asks(output=10))
    assert caller.token is not None
    caller.token.revoke()
    with pytest.raises(NotAuthenticated):
        extended(hold, 10)
    assert standing(Unit.TOKENS) == (0, 10)


def test_an_extension_in_a_new_window_reserves_the_whole_call_there(caller: Caller, clock: Clock) -> None:
    limit(100, Unit.TOKENS, Window.MINUTE)
    limit(150, Unit.TOKENS, Window.DAY)
    hold = opened(caller.asks(output=50))
    clock.move(minutes=1)
    other = opened(caller.asks(output=20))
    assert extended(hold, 50) == 30, "80 in all are what the new minute has left"
    rows = {row.window: (row.used, row.reserved) for row in Counter.objects.all()}
    assert rows == {Window.MINUTE: (0, 100), Window.DAY: (0, 100)}
    settle(hold, (0, 80))
    settle(other, (0, 20))
    rows = {row.window: (row.used, row.reserved) for row in Counter.objects.all()}
    assert rows == {Window.MINUTE: (100, 0), Window.DAY: (100, 0)}


def test_no_extension_where_the_new_window_has_no_room_for_the_call(caller: Caller, clock: Clock) -> None:
    limit(100, Unit.TOKENS, Window.MINUTE)
    hold = opened(caller.asks(output=50))
    clock.move(minutes=1)
    opened(caller.asks(output=70))
    assert extended(hold, 50) == 0
    settle(hold, (0, 50))
    assert standing(Unit.TOKENS) == (0, 70), "it counts in the minute that it began in"
