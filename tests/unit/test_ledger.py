"""The account of calls: opened before anything is sent, closed once, and only for those who may still call."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import RFC_4122, UUID

import pytest
from django.db import transaction

from accounts import ledger
from accounts.consumption import Consumption
from accounts.errors import NotAuthenticated
from accounts.ledger import Admission, AttemptRecord, Hold
from accounts.models import ApiToken, Attempt, Call, CallState, User
from accounts.principal import Principal


@pytest.fixture
def user(transactional_db: None) -> Iterator[User]:
    yield User.objects.create_user("caller")
    ledger.writer.stop()  # its thread has a connection to the test's database


@pytest.fixture
def admission(user: User) -> Admission:
    """A call by a program with a token."""
    token, _ = ApiToken.objects.issue(user, "test")
    return admission_of(Principal(user.pk, "caller", is_staff=False, token_id=token.pk))


def admission_of(principal: Principal) -> Admission:
    return Admission(principal, "request-1", "generate", "vendor", "model-1", streamed=True)


def by_session(user: User) -> Admission:
    """A call by a person who is signed in."""
    return admission_of(Principal(user.pk, "caller", is_staff=False))


def admit(*admissions: Admission) -> list[Hold | BaseException]:
    async def side_by_side() -> list[Hold | BaseException]:
        return await asyncio.gather(*map(ledger.admit, admissions), return_exceptions=True)

    return asyncio.run(asyncio.wait_for(side_by_side(), 5))


def opened(admission: Admission) -> Hold:
    return asyncio.run(asyncio.wait_for(ledger.admit(admission), 5))


def attempt(number: int, state: CallState = CallState.DONE) -> AttemptRecord:
    return AttemptRecord(
        provider=f"vendor-{number}",
        model=f"model-{number}",
        key_hint="5b36",
        state=state,
        status=None if state is CallState.DONE else 503,
        consumption=Consumption(number, 2 * number, estimated=number % 2 == 1),
        first_byte_ms=number or None,
        duration_ms=10 * number,
    )


def settle(hold: Hold, state: CallState, consumption: Consumption, *attempts: AttemptRecord) -> None:
    """Settles, and waits until it is written."""
    ledger.settle(hold, state, consumption, attempts)
    ledger.writer.stop()


def test_admission_opens_a_call(admission: Admission) -> None:
    before = datetime.now(UTC)
    hold = opened(admission)
    call = Call.objects.get()
    assert (call.pk, call.opened_at) == (hold.call_id, hold.opened_at)
    assert before <= call.opened_at <= datetime.now(UTC)
    assert (call.user_id, call.token_id) == (admission.principal.user_id, admission.principal.token_id)
    assert (call.request_id, call.surface, call.provider) == ("request-1", "generate", "vendor")
    assert (call.model, call.streamed, call.state) == ("model-1", True, CallState.OPEN)
    assert (call.input_tokens, call.output_tokens, call.estimated, call.closed_at) == (0, 0, False, None)


def test_a_person_with_a_session_needs_no_token(user: User) -> None:
    hold = opened(by_session(user))
    assert Call.objects.get(pk=hold.call_id).token_id is None


@pytest.mark.parametrize("state", [state for state in CallState if state is not CallState.OPEN])
def test_settlement_closes_a_call(admission: Admission, state: CallState) -> None:
    hold = opened(admission)
    settle(hold, state, Consumption(7, 5, estimated=True))
    call = Call.objects.get()
    assert (call.state, call.input_tokens, call.output_tokens, call.estimated) == (state, 7, 5, True)
    assert call.closed_at is not None
    assert hold.opened_at <= call.closed_at <= datetime.now(UTC)
    assert (call.opened_at, call.request_id, call.model) == (hold.opened_at, "request-1", "model-1")


@pytest.mark.parametrize("apart", [True, False], ids=["later", "at-once"])
def test_a_second_settlement_changes_nothing(
    admission: Admission, apart: bool, caplog: pytest.LogCaptureFixture
) -> None:
    hold = opened(admission)
    ledger.settle(hold, CallState.DONE, Consumption(7, 5), [attempt(1)])
    if apart:
        ledger.writer.stop()
    settle(hold, CallState.TIMEOUT, Consumption(70, 50, estimated=True), attempt(2), attempt(3))
    call = Call.objects.get()
    assert (call.state, call.input_tokens, call.output_tokens, call.estimated) == (CallState.DONE, 7, 5, False)
    assert [one.provider for one in call.attempts.all()] == ["vendor-1"]
    assert caplog.records == []


def test_a_call_that_was_never_opened_cannot_be_settled(admission: Admission, caplog: pytest.LogCaptureFixture) -> None:
    hold = replace(opened(admission), call_id=ledger.new_call_id())
    settle(hold, CallState.DONE, Consumption(7, 5), attempt(1))
    assert not Attempt.objects.exists()
    assert Call.objects.get().state == CallState.OPEN
    assert caplog.records == []


def test_attempts_are_stored_in_order(admission: Admission) -> None:
    hold = opened(admission)
    records = [attempt(3, CallState.UPSTREAM_ERROR), attempt(1, CallState.TIMEOUT), attempt(0)]
    settle(hold, CallState.DONE, Consumption(1, 2), *records)
    stored = list(Attempt.objects.filter(call=hold.call_id).order_by("position"))
    assert [one.position for one in stored] == [0, 1, 2]
    found = [
        AttemptRecord(
            one.provider,
            one.model,
            one.key_hint,
            CallState(one.state),
            one.status,
            Consumption(one.input_tokens, one.output_tokens, estimated=one.estimated),
            one.first_byte_ms,
            one.duration_ms,
        )
        for one in stored
    ]
    assert found == records


def test_many_at_once(admission: Admission) -> None:
    """More than one statement has room for."""
    holds = [hold for hold in admit(*[admission] * 300) if isinstance(hold, Hold)]
    assert len({hold.call_id for hold in holds}) == 300 == Call.objects.filter(state=CallState.OPEN).count()
    for number, hold in enumerate(holds):
        ledger.settle(hold, CallState.DONE, Consumption(number, 1), [attempt(number), attempt(number + 1)])
    ledger.writer.stop()
    assert Call.objects.filter(state=CallState.DONE).count() == 300
    assert Attempt.objects.count() == 600
    one = Call.objects.get(pk=holds[200].call_id)
    assert (one.input_tokens, [a.provider for a in one.attempts.all()]) == (200, ["vendor-200", "vendor-201"])


def test_names_that_are_too_long_are_cut(admission: Admission) -> None:
    hold = opened(replace(admission, model="m" * 500))
    settle(hold, CallState.DONE, Consumption(), replace(attempt(1), model="n" * 500))
    assert Call.objects.get().model == "m" * 200
    assert Attempt.objects.get().model == "n" * 200


@pytest.mark.parametrize("taken", ["token-revoked", "token-deleted", "user-disabled"])
def test_who_lost_the_right_meanwhile_is_refused(admission: Admission, user: User, taken: str) -> None:
    token = ApiToken.objects.get()
    match taken:
        case "token-revoked":
            token.revoke()
        case "token-deleted":
            token.delete()
        case "user-disabled":
            User.objects.filter(pk=user.pk).update(is_active=False)
    with pytest.raises(NotAuthenticated):
        opened(admission)
    assert not Call.objects.exists()


@pytest.mark.parametrize("taken", ["user-disabled", "user-deleted"])
def test_a_person_who_lost_the_right_meanwhile_is_refused(user: User, taken: str) -> None:
    admission = by_session(user)
    if taken == "user-deleted":
        user.delete()
    else:
        User.objects.filter(pk=user.pk).update(is_active=False)
    with pytest.raises(NotAuthenticated):
        opened(admission)
    assert not Call.objects.exists()


def test_a_revoked_token_takes_nothing_from_the_others(admission: Admission, user: User) -> None:
    revoked, _ = ApiToken.objects.issue(user, "revoked")
    revoked.revoke()
    refused = admission_of(replace(admission.principal, token_id=revoked.pk))
    results = admit(admission, refused, by_session(user), refused, admission)
    assert [type(result) for result in results] == [Hold, NotAuthenticated, Hold, NotAuthenticated, Hold]
    assert Call.objects.count() == 3


def test_a_call_goes_on_when_its_token_is_revoked_meanwhile(admission: Admission) -> None:
    hold = opened(admission)
    ApiToken.objects.get().revoke()
    settle(hold, CallState.DONE, Consumption(7, 5), attempt(1))
    assert Call.objects.get().state == CallState.DONE


async def cancel_while_it_waits(admission: Admission) -> None:
    waiting = asyncio.create_task(ledger.admit(admission))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


def test_a_caller_who_leaves_while_waiting_leaves_no_open_call(admission: Admission) -> None:
    with asyncio.Runner() as runner:
        with transaction.atomic():  # nobody else can write meanwhile
            runner.run(cancel_while_it_waits(admission))
        runner.run(ledger.admit(admission))  # comes after it, so the other was answered
    ledger.writer.stop()
    left, stayed = Call.objects.order_by("opened_at")
    assert (left.state, left.input_tokens, left.output_tokens) == (CallState.CLIENT_GONE, 0, 0)
    assert left.closed_at is not None
    assert stayed.state == CallState.OPEN


def test_one_who_is_refused_after_leaving_leaves_nothing(admission: Admission) -> None:
    ApiToken.objects.get().revoke()
    complaints: list[object] = []
    with asyncio.Runner() as runner:
        runner.get_loop().set_exception_handler(lambda _, context: complaints.append(context))
        with transaction.atomic():
            runner.run(cancel_while_it_waits(admission))
        with pytest.raises(NotAuthenticated):
            runner.run(ledger.admit(admission))
    ledger.writer.stop()
    assert not Call.objects.exists()
    assert complaints == []


async def cancel_when_it_is_answered(admission: Admission, turns: int) -> None:
    """Cancels after the answer was handed to the event loop and before the task has run on it, if `turns` is right."""
    waiting = asyncio.create_task(ledger.admit(admission))
    await asyncio.sleep(0)
    time.sleep(0.05)  # the writer's thread answers meanwhile; this loop has not seen it
    for _ in range(turns):
        await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    if not waiting.cancelled():
        ledger.settle(waiting.result(), CallState.CLIENT_GONE, Consumption(), ())


@pytest.mark.parametrize("turns", range(5))
def test_a_caller_who_leaves_at_the_last_moment_leaves_no_open_call(admission: Admission, turns: int) -> None:
    opened(admission)  # so that the writer runs
    with asyncio.Runner() as runner:
        runner.run(cancel_when_it_is_answered(admission, turns))
        runner.run(ledger.admit(admission))  # comes after it, so the other was answered
    ledger.writer.stop()
    states = Call.objects.order_by("opened_at").values_list("state", flat=True)
    assert list(states) == [CallState.OPEN, CallState.CLIENT_GONE, CallState.OPEN]


def test_call_ids_are_of_version_7() -> None:
    made = [ledger.new_call_id() for _ in range(10_000)]
    assert len(set(made)) == 10_000
    assert {(one.version, one.variant) for one in made} == {(7, RFC_4122)}
    assert len({one.int & (1 << 62) - 1 for one in made}) == 10_000, "the random part alone differs"


def test_call_ids_are_ordered_by_time() -> None:
    made: list[UUID] = []
    for _ in range(20):
        made.append(ledger.new_call_id())
        time.sleep(0.002)
    assert made == sorted(made)
    assert [str(one) for one in made] == sorted(map(str, made)), "as text, too"
    told = datetime.fromtimestamp((made[-1].int >> 80) / 1000, UTC)
    assert abs(datetime.now(UTC) - told) < timedelta(seconds=1)
