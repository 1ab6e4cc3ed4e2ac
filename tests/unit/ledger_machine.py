"""The machine that does the same at random to the ledger and to its model, and compares them after every step."""

import asyncio
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import Group
from django.db import transaction
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, MultipleResults, RuleBasedStateMachine, initialize, invariant, multiple, rule

from accounts import leases, ledger
from accounts.calls import Settlement
from accounts.consumption import Consumption
from accounts.errors import QuotaExceeded
from accounts.ledger import Admission, Bound, Hold
from accounts.models import Call, CallState, Counter, Lease, Quota, Unit, Window
from accounts.prices import from_units
from tests.unit.admitting import Caller, Clock
from tests.unit.ledger_model import CounterModel, Key, LedgerModel

_ENDS = [state for state in CallState if state not in {CallState.OPEN, CallState.LOST}]
_TOKENS = st.integers(0, 60)
_bounds = st.builds(
    Bound,
    input=_TOKENS,
    output=_TOKENS,
    least_output=st.just(0),
    base_cost=st.integers(0, 10_000),
    output_cost=st.sampled_from([0, 1, 333_333, 10**8, 1_234_567_891]),
) | st.builds(Bound, input=_TOKENS, output=st.just(20), least_output=st.just(20), base_cost=st.just(5))
_several = st.lists(st.tuples(st.integers(0, 1), _bounds), min_size=2, max_size=5)
_End = tuple[CallState, int, int]  # tokens and cost that it took
_ends = st.tuples(st.sampled_from(_ENDS), st.integers(0, 130), st.integers(0, 20_000))
_LIMITED: list[tuple[str, Unit, Window]] = [
    ("user", Unit.REQUESTS, Window.MINUTE),
    ("user", Unit.TOKENS, Window.HOUR),
    ("user", Unit.COST, Window.DAY),
    ("user", Unit.CONCURRENCY, Window.TOTAL),
    ("group", Unit.TOKENS, Window.MONTH),
    ("group", Unit.REQUESTS, Window.TOTAL),
    ("token", Unit.TOKENS, Window.MINUTE),
]
_GENEROUS = {Unit.REQUESTS: 8, Unit.TOKENS: 400, Unit.COST: 80_000, Unit.CONCURRENCY: 4}


class LedgerMachine(RuleBasedStateMachine):
    """Two people in a group, one of them with a token that has its own quota; the others' limits are defaults."""

    calls = Bundle("calls")

    @initialize()
    def begin(self) -> None:
        self.model = LedgerModel()
        self.clock = Clock()
        self.lease = uuid4()
        self.patch = pytest.MonkeyPatch()
        for module in ("ledger", "leases", "closing"):
            self.patch.setattr(f"accounts.{module}.timezone", self.clock)
        self.patch.setattr(leases, "keep", lambda: None)  # leases end when a step says so
        self.patch.setattr(leases, "own", lambda: self.lease)
        self.loop = asyncio.Runner()
        self._make_callers()
        leases.renew(self.lease)

    def _make_callers(self) -> None:
        with transaction.atomic():
            for model in (Call, Lease, Counter):
                model.objects.all().delete()
            Quota.objects.all().delete()
            name = uuid4().hex[:8]
            self.callers = [Caller.named(f"{name}-a"), Caller.named(f"{name}-b")]
            group = Group.objects.create(name=name)
            self.quotas: dict[tuple[str, str, str], list[Key]] = {}
            for caller in self.callers:
                caller.user.groups.add(group)
            token = self.callers[0].token
            assert token is not None
            scopes = {"user": [f"user:{caller.user.pk}" for caller in self.callers], "group": [f"group:{group.pk}"]}
            scopes["token"] = [f"token:{token.pk}"]
            subjects: dict[str, dict[str, Any]] = {"user": {}, "group": {"group": group}, "token": {"token": token}}
            for subject, unit, window in _LIMITED:
                amount = _GENEROUS[unit]
                Quota.objects.create(unit=unit, window=window, limit=_shown(unit, amount), **subjects[subject])
                keys = [(scope, str(unit), str(window)) for scope in scopes[subject]]
                self.quotas[subject, unit, window] = keys
                for key in keys:
                    self.model.counters[key] = CounterModel(amount)

    def _scopes(self, who: int) -> list[str]:
        caller = self.callers[who]
        group = self.quotas["group", Unit.TOKENS, Window.MONTH][0][0]
        assert caller.token is not None
        return [f"user:{caller.user.pk}", group, f"token:{caller.token.pk}"]

    def _run(self, asking: list[Admission]) -> list[Hold | BaseException]:
        async def side_by_side() -> list[Hold | BaseException]:
            return await asyncio.gather(*map(ledger.admit, asking), return_exceptions=True)

        return self.loop.run(side_by_side())

    def _written(self) -> None:
        async def nothing() -> None:
            await ledger.writer.write(Settlement(uuid4(), CallState.DONE, Consumption(), (), self.clock.now()))

        self.loop.run(nothing())

    @rule(target=calls, who=st.integers(0, 1), bound=_bounds)
    def admit(self, who: int, bound: Bound) -> MultipleResults[UUID]:
        return multiple(*self._admitted(who, bound, *self._run([self.callers[who].asks(**_fields(bound))])))

    @rule(
        target=calls,
        asking=st.lists(st.tuples(st.integers(0, 1), _bounds), min_size=2, max_size=5),
        ended=st.none() | _ends,
    )
    def admit_together(self, asking: list[tuple[int, Bound]], ended: _End | None) -> MultipleResults[UUID]:
        """Several in one group, and with them the end of one that is open."""
        running = [call for call in self.model.calls.values() if call.state == CallState.OPEN]
        if ended and running:
            self._settle(running[0].hold, *ended)
        results = self._run([self.callers[who].asks(**_fields(bound)) for who, bound in asking])
        answered = zip(asking, results, strict=True)
        return multiple(*(key for (who, bound), result in answered for key in self._admitted(who, bound, result)))

    def _admitted(self, who: int, bound: Bound, result: Hold | BaseException) -> list[UUID]:
        expected = self.model.admit(self._scopes(who), bound, self.clock.now())
        if expected is None:
            assert isinstance(result, QuotaExceeded), result
            return []
        assert isinstance(result, Hold), result
        assert result.grant.output == expected
        self.model.open(self._scopes(who), result, expected, self.lease)
        for scope, limit, total in self.model.totals():
            assert total <= limit or scope not in self._scopes(who)
        return [result.call_id]

    @rule(call_id=calls, end=_ends)
    def settle(self, call_id: UUID, end: _End) -> None:
        """The first time, a second time, or after the call was closed as lost."""
        self._settle(self.model.calls[call_id].hold, *end)

    @rule(call_id=calls, ends=st.lists(_ends, min_size=2, max_size=3))
    def settle_doubled(self, call_id: UUID, ends: list[_End]) -> None:
        """More than once in one group."""
        for end in ends:
            self._settle(self.model.calls[call_id].hold, *end)

    def _settle(self, hold: Hold, state: CallState, used: int, cost: int) -> None:
        ledger.settle(hold, state, Consumption(used // 2, used - used // 2), (), from_units(cost))
        self.model.close(self.model.calls[hold.call_id], state, used, cost)

    @rule(call_id=calls, more=st.integers(1, 80))
    def extend(self, call_id: UUID, more: int) -> None:
        call = self.model.calls[call_id]
        assert self.loop.run(ledger.extend(call.hold, more)) == self.model.extend(call, more, self.clock.now())

    @rule(who=st.integers(0, 1), bound=_bounds, turns=st.integers(0, 3))
    def leave_while_waiting(self, who: int, bound: Bound, turns: int) -> None:
        """Cancelled at any point of it, a call that was let in is closed and has taken nothing."""

        async def leave() -> Hold | BaseException:
            waiting = asyncio.create_task(ledger.admit(self.callers[who].asks(**_fields(bound))))
            for _ in range(turns):
                await asyncio.sleep(0)
            waiting.cancel()
            return (await asyncio.gather(waiting, return_exceptions=True))[0]

        result = self.loop.run(leave())
        if not isinstance(result, asyncio.CancelledError):  # the answer was faster
            self._admitted(who, bound, result)
            return
        self._written()
        self._written()  # the first may have been in one group with the admission
        left = list(Call.objects.exclude(pk__in=self.model.calls))
        output = self.model.admit(self._scopes(who), bound, self.clock.now()) if turns else None
        expected = [] if output is None else [(CallState.CLIENT_GONE, output)]
        assert [(call.state, call.reserved_output) for call in left] == expected
        Call.objects.exclude(pk__in=self.model.calls).delete()

    @rule(subject=st.sampled_from(_LIMITED), parts=st.integers(0, 16))
    def change_limit(self, subject: tuple[str, Unit, Window], parts: int) -> None:
        """Raises or lowers it, to as many eighths of what it was at first."""
        kind, unit, window = subject
        amount = _GENEROUS[unit] * parts // 8
        quota = Quota.objects.get(
            unit=unit, window=window, group__isnull=kind != "group", token__isnull=kind != "token"
        )
        quota.limit = _shown(unit, amount)
        quota.save()
        for key in self.quotas[subject]:
            self.model.counters[key].limit = amount

    @rule(by=st.sampled_from([1, 29, 61, 3_600, 86_400, 31 * 86_400]))
    def pass_time(self, by: int) -> None:
        self.clock.move(seconds=by)

    @rule()
    def die(self) -> None:
        """The process of all that is open is gone, or frozen; another serves from now on and closes them."""
        self._written()
        self.clock.move(seconds=leases.TERM + 1)
        Lease.objects.filter(pk=self.lease).update(seen_at=datetime(1971, 1, 1, tzinfo=self.clock.now().tzinfo))
        gone = [call for call in self.model.calls.values() if call.state == CallState.OPEN]
        self.lease = uuid4()
        leases.renew(self.lease)
        assert leases.close_abandoned() == len(gone)
        for call in gone:
            self.model.lose(call)

    @invariant()
    def same(self) -> None:
        """One row per admitted call, counters equal to the model's; each of them the sum over its open calls."""
        self._written()
        stored = {row[0]: row[1:] for row in Call.objects.values_list("pk", "state", "reserved_output", "cost")}
        expected = {
            key: (call.state, call.output, None if call.state == CallState.OPEN else from_units(call.cost))
            for key, call in self.model.calls.items()
        }
        assert stored == expected
        rows = {(row.scope, row.unit, row.window): (row.used, row.reserved) for row in Counter.objects.all()}
        counters = self.model.counters
        assert rows == {key: (counters[key].used, counters[key].reserved) for key in rows}
        assert rows.keys() >= {key for key, counter in counters.items() if counter.sum}
        for key, (used, reserved) in rows.items():
            running = [
                call for call in self.model.calls.values() if call.state == CallState.OPEN and key in call.windows
            ]
            mine = [call.takes(key[1]) for call in running if call.windows[key] == counters[key].window]
            assert reserved == sum(mine) >= 0
            assert used >= 0

    def teardown(self) -> None:
        if hasattr(self, "model"):
            self.patch.undo()
            self.loop.close()


def _fields(bound: Bound) -> dict[str, Any]:
    return {name: getattr(bound, name) for name in ("input", "output", "least_output", "base_cost", "output_cost")}


def _shown(unit: Unit, amount: int) -> Decimal:
    """An amount as a quota has it."""
    return from_units(amount) if unit == Unit.COST else Decimal(amount)
