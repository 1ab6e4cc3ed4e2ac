"""A model of the ledger in a few lines, and a machine that does at random what can happen to calls, to both.

The model decides by definition: a call is given the most output with which it fits everywhere, and let in if that is
enough for it. It knows windows in UTC only, and works in the ledger's own whole amounts.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from accounts.calls import Bound, Hold
from accounts.models import CallState, Unit, Window

Key = tuple[str, str, str]  # scope, unit and window of a counter

_FORMATS = {Window.MINUTE: "%Y%m%d%H%M", Window.HOUR: "%Y%m%d%H", Window.DAY: "%Y%m%d", Window.MONTH: "%Y%m"}


@dataclass
class CounterModel:
    """What stands at a counter, and of which window."""

    limit: int
    window: str = ""
    used: int = 0
    reserved: int = 0

    @property
    def sum(self) -> int:
        return self.used + self.reserved

    def turn_to(self, window: str) -> None:
        """Begins a window, if it is a later one."""
        if window > self.window:
            self.window, self.used, self.reserved = window, 0, 0


@dataclass
class CallModel:
    """An admitted call: what it reserves, and the windows of its counters when it was let in."""

    hold: Hold
    windows: dict[Key, str]
    output: int
    lease: UUID
    state: CallState = CallState.OPEN
    used: int = 0
    cost: int = 0

    def takes(self, unit: str) -> int:
        """What it has reserved of a unit."""
        bound = self.hold.admission.bound
        return needed(bound, unit, self.output)


def needed(bound: Bound, unit: str, output: int) -> int:
    """What a call takes of a unit, with so much output."""
    match unit:
        case Unit.TOKENS:
            return bound.input + output
        case Unit.COST:
            assert bound.base_cost is not None
            millionths = bound.base_cost * 1_000_000 + bound.output_cost * output
            return millionths // 1_000_000 + (millionths % 1_000_000 > 0)
        case _:
            return 1


@dataclass
class LedgerModel:
    """All counters and all calls."""

    counters: dict[Key, CounterModel] = field(default_factory=dict)
    calls: dict[UUID, CallModel] = field(default_factory=dict)

    def admit(self, scopes: Iterable[str], bound: Bound, now: datetime) -> int | None:
        """Turns the counters of a caller to this moment. Returns the output that a call is given; None for none."""
        mine = self._of(scopes)
        for key, counter in mine.items():
            counter.turn_to(_window(key, now))
        for output in range(bound.output, bound.least_output - 1, -1):
            if all(counter.sum + needed(bound, key[1], output) <= counter.limit for key, counter in mine.items()):
                return output
        return None

    def open(self, scopes: Iterable[str], hold: Hold, output: int, lease: UUID) -> None:
        mine = self._of(scopes)
        call = CallModel(hold, {key: counter.window for key, counter in mine.items()}, output, lease)
        self.calls[hold.call_id] = call
        for key, counter in mine.items():
            counter.reserved += call.takes(key[1])

    def extend(self, call: CallModel, more: int, now: datetime) -> int:
        """Returns how much of it the call is given. Where its window has ended, it needs room for the whole call."""
        if call.state != CallState.OPEN:
            return 0
        mine = {key: self.counters[key] for key in call.windows}
        for key, counter in mine.items():
            counter.turn_to(_window(key, now))
        mine = {key: counter for key, counter in mine.items() if key[1] in {Unit.TOKENS, Unit.COST}}
        bound = call.hold.admission.bound
        for granted in range(more, 0, -1):
            grows = {
                key: needed(bound, key[1], call.output + granted)
                - (call.takes(key[1]) if counter.window == call.windows[key] else 0)
                for key, counter in mine.items()
            }
            if all(counter.sum + grows[key] <= counter.limit for key, counter in mine.items()):
                for key, counter in mine.items():
                    counter.reserved += grows[key]
                    call.windows[key] = counter.window
                call.output += granted
                return granted
        return 0

    def close(self, call: CallModel, state: CallState, used: int, cost: int) -> None:
        """Ends an open call, or corrects one that was lost; nothing for any other."""
        was = call.state
        if was not in {CallState.OPEN, CallState.LOST} or was == state:
            return
        for key, counter in self._held(call).items():
            unit = key[1]
            charged = {Unit.TOKENS: used, Unit.COST: cost, Unit.CONCURRENCY: 0}.get(Unit(unit), 1)
            if unit == Unit.REQUESTS and state == CallState.REFUSED:
                charged = 0
            if was == CallState.OPEN:
                counter.reserved -= call.takes(unit)
            elif unit != Unit.CONCURRENCY:
                charged -= call.takes(unit)
            counter.used += charged
        call.state, call.used, call.cost = state, used, cost

    def totals(self) -> list[tuple[str, int, int]]:
        """Of each counter its scope, its limit, and what is used and reserved of it."""
        return [(key[0], counter.limit, counter.sum) for key, counter in self.counters.items()]

    def lose(self, call: CallModel) -> None:
        bound = call.hold.admission.bound
        self.close(call, CallState.LOST, needed(bound, Unit.TOKENS, call.output), needed(bound, Unit.COST, call.output))

    def _of(self, scopes: Iterable[str]) -> dict[Key, CounterModel]:
        wanted = set(scopes)
        return {key: counter for key, counter in self.counters.items() if key[0] in wanted}

    def _held(self, call: CallModel) -> dict[Key, CounterModel]:
        return {key: self.counters[key] for key, window in call.windows.items() if self.counters[key].window == window}


def _window(key: Key, now: datetime) -> str:
    """The name of a window; a later one's sorts behind it."""
    return "-" if key[2] == Window.TOTAL else now.astimezone(UTC).strftime(_FORMATS[Window(key[2])])
