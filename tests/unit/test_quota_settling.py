"""What becomes of a reservation: settled, doubled, lost, or left behind by its window."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import transaction
from django.db.models.functions import Now

from accounts import leases, ledger
from accounts.consumption import Consumption
from accounts.ledger import Admission, Hold
from accounts.models import Call, CallState, Counter, Lease, Unit, Window
from tests.unit.admitting import (
    Caller,
    Clock,
    admit,
    call_of,
    let_in,
    limit,
    opened,
    refused,
    settle,
    standing,
    written,
)

DOLLAR = 10**10  # as bounds give a cost


def lose(*holds: Hold) -> int:
    """What others do when the process of these calls is gone. Returns how many they closed."""
    lease = Lease.objects.create(id=uuid4(), process="gone", seen_at="1971-01-01T00:00:00Z")
    Call.objects.filter(pk__in=[hold.call_id for hold in holds]).update(
        lease=lease.pk, opened_at=Now() - timedelta(seconds=leases.TERM + 1)
    )
    return leases.close_abandoned()


def test_settlement_charges_what_was_used(caller: Caller) -> None:
    limit(1000, Unit.TOKENS)
    limit("2", Unit.COST, Window.DAY)
    hold = opened(caller.asks(input=100, output=200, base_cost=DOLLAR))
    settle(hold, (60, 70), "0.5")
    assert (standing(Unit.TOKENS), standing(Unit.COST)) == ((130, 0), (0.5, 0))
    assert not call_of(hold).exceeded


def test_a_second_settlement_charges_nothing(caller: Caller) -> None:
    limit(1000, Unit.TOKENS)
    hold, other = opened(caller.asks(input=100)), opened(caller.asks(input=10))
    settle(hold, (60, 0))
    settle(hold, (90, 0), state=CallState.TIMEOUT)
    assert standing(Unit.TOKENS) == (60, 10)
    settle(other, (10, 0))
    assert standing(Unit.TOKENS) == (70, 0)


def test_two_settlements_at_once_charge_once(caller: Caller) -> None:
    limit(5)
    limit(1000, Unit.TOKENS)
    hold = opened(caller.asks(input=100))
    with transaction.atomic():
        for used in (60, 90, 120):
            ledger.settle(hold, CallState.DONE, Consumption(used), ())
    written()
    assert (standing(), standing(Unit.TOKENS)) == ((1, 0), (60, 0))


@pytest.mark.parametrize(
    ("tokens", "cost", "exceeded"),
    [((10, 20), "1", False), ((10, 21), "1", True), ((31, 0), None, True), ((10, 20), "1.0000000001", True)],
)
def test_what_a_vendor_bills_beyond_the_reservation(
    caller: Caller, tokens: tuple[int, int], cost: str | None, exceeded: bool
) -> None:
    limit(30, Unit.TOKENS)
    hold = opened(caller.asks(input=10, output=20, base_cost=DOLLAR))
    settle(hold, tokens, cost)
    assert call_of(hold).exceeded is exceeded
    assert standing(Unit.TOKENS) == (sum(tokens), 0), "charged as it is"
    refused(caller.asks(input=1))


def test_a_call_that_no_vendor_was_asked_for_is_no_request(caller: Caller) -> None:
    limit(1)
    limit(5, Unit.CONCURRENCY)
    for _ in range(3):
        settle(opened(caller.asks()), state=CallState.REFUSED)
    assert (standing(), standing(Unit.CONCURRENCY)) == ((0, 0), (0, 0))
    settle(opened(caller.asks()), state=CallState.UPSTREAM_ERROR)
    assert standing() == (1, 0)


@pytest.mark.parametrize("window", [Window.MINUTE, Window.HOUR, Window.DAY, Window.MONTH])
def test_a_window_that_ended_takes_its_reservations_along(caller: Caller, clock: Clock, window: Window) -> None:
    limit(100, Unit.TOKENS, window)
    limit(1000, Unit.TOKENS, Window.TOTAL)
    limit(5, Unit.CONCURRENCY)
    late = opened(caller.asks(input=60))
    refused(caller.asks(input=41))
    clock.move(**{Window.MINUTE: {"seconds": 30}}.get(window, {"days": 31}))
    early = opened(caller.asks(input=90))
    settle(late, (60, 0))
    rows = {row.window: (row.used, row.reserved) for row in Counter.objects.filter(unit=Unit.TOKENS)}
    assert rows == {window: (0, 90), Window.TOTAL: (60, 90)}
    settle(early, (80, 0))
    rows = {row.window: (row.used, row.reserved) for row in Counter.objects.filter(unit=Unit.TOKENS)}
    assert rows == {window: (80, 0), Window.TOTAL: (140, 0)}
    assert standing(Unit.CONCURRENCY) == (0, 0)


def test_a_settlement_alone_does_not_begin_a_window(caller: Caller, clock: Clock) -> None:
    limit(2, Unit.REQUESTS, Window.MINUTE)
    hold = opened(caller.asks())
    clock.move(seconds=30)
    settle(hold)
    assert standing() == (1, 0), "of the old window, which nobody asks about any more"
    assert let_in(*[caller.asks()] * 3) == 2


def test_a_clock_that_is_behind_does_not_bring_a_window_back(caller: Caller, clock: Clock) -> None:
    limit(2, Unit.REQUESTS, Window.MINUTE)
    opened(caller.asks())
    clock.move(seconds=-40)
    assert let_in(*[caller.asks()] * 3) == 1


def test_a_lost_call_is_charged_its_reservation(caller: Caller) -> None:
    limit(100, Unit.TOKENS)
    limit(5)
    limit(5, Unit.CONCURRENCY)
    limit("5", Unit.COST)
    gone, alive = opened(caller.asks(input=10, output=20, base_cost=DOLLAR)), opened(caller.asks(input=5, base_cost=1))
    assert lose(gone) == 1
    assert lose() == 0, "not twice"
    call = call_of(gone)
    assert (call.state, call.input_tokens, call.output_tokens, call.estimated) == (CallState.LOST, 10, 20, True)
    assert (call.cost, call.exceeded) == (Decimal(1), False)
    assert call_of(alive).state == CallState.OPEN
    assert (standing(Unit.TOKENS), standing(), standing(Unit.CONCURRENCY)) == ((30, 5), (1, 1), (0, 1))
    assert standing(Unit.COST)[0] == 1


def test_one_who_wakes_corrects_and_is_not_charged_again(caller: Caller) -> None:
    limit(100, Unit.TOKENS)
    limit(5)
    limit(5, Unit.CONCURRENCY)
    limit("5", Unit.COST)
    hold = opened(caller.asks(input=10, output=20, base_cost=DOLLAR))
    lose(hold)
    settle(hold, (10, 4), "0.25")
    call = call_of(hold)
    assert (call.state, call.output_tokens, call.estimated) == (CallState.DONE, 4, False)
    assert call.cost == Decimal("0.25")
    assert (standing(Unit.TOKENS), standing(), standing(Unit.CONCURRENCY)) == ((14, 0), (1, 0), (0, 0))
    assert standing(Unit.COST) == (0.25, 0)
    settle(hold, (10, 20), "1")
    assert standing(Unit.TOKENS) == (14, 0)


def test_a_correction_after_the_window_changes_nothing_in_the_next(caller: Caller, clock: Clock) -> None:
    limit(100, Unit.TOKENS, Window.DAY)
    hold = opened(caller.asks(input=90))
    clock.move(seconds=1)
    lose(hold)
    clock.move(days=1)
    opened(caller.asks(input=50))
    settle(hold, (4, 0))
    assert standing(Unit.TOKENS) == (0, 50)
    assert call_of(hold).input_tokens == 4


async def cancel_while_it_waits(admission: Admission) -> None:
    waiting = asyncio.create_task(ledger.admit(admission))
    await asyncio.sleep(0.05)
    waiting.cancel()
    await asyncio.wait([waiting])


def test_one_who_leaves_while_waiting_gives_everything_back(caller: Caller) -> None:
    limit(1)
    limit(100, Unit.TOKENS)
    settle(opened(caller.asks()), state=CallState.REFUSED)
    with asyncio.Runner() as runner:
        with transaction.atomic():
            list(Counter.objects.select_for_update())  # nobody else can write meanwhile
            runner.run(cancel_while_it_waits(caller.asks(input=90)))
        (result,) = admit(caller.asks(input=5))  # comes after it
    assert isinstance(result, Hold)
    _, left, stayed = Call.objects.order_by("opened_at")
    assert (left.state, left.input_tokens, stayed.pk) == (CallState.CLIENT_GONE, 0, result.call_id)
    assert (standing(), standing(Unit.TOKENS)) == ((0, 1), (0, 5))


def test_a_settlement_that_cannot_be_written_closes_its_call_at_the_reservation(
    caller: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    limit(1000, Unit.TOKENS)
    hold = opened(caller.asks(input=10, output=20))
    ledger.settle(hold, CallState.DONE, Consumption(2**70, 1), ())  # more than a column holds
    written()
    call = call_of(hold)
    assert (call.state, call.input_tokens, call.output_tokens, call.estimated) == (CallState.DONE, 10, 20, True)
    assert standing(Unit.TOKENS) == (30, 0)
    assert "A write is impossible" in caplog.text


def test_a_model_with_a_nul_in_its_name(caller: Caller) -> None:
    admission = caller.asks()
    admission.model = "a\0b"
    assert call_of(opened(admission)).model == "ab"


def test_no_amount_is_too_large_for_its_column(caller: Caller) -> None:
    dear = caller.asks(output=10**12, least_output=10**12, base_cost=0, output_cost=10**18)
    assert call_of(opened(dear)).reserved_cost == 2**62
    limit("1", Unit.COST)
    assert refused(dear).unit == Unit.COST
