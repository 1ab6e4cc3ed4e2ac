"""What the ledger is told of a call, from the wish to be let in to its end. Values only, without a database."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from random import getrandbits  # no secret; and seeded anew in a process that was forked
from uuid import UUID

from accounts.consumption import Consumption
from accounts.limits import MOST, Standing
from accounts.models import CallState
from accounts.principal import Principal

_MILLION = 1_000_000


@dataclass(slots=True)
class Bound:
    """The most that a call may take.

    In tokens: `input`; `output`, which it asks for; `least_output`, with which it would be content, as much as
    `output` where nobody can hold the vendor to less. In 10⁻¹⁰ of the currency: base_cost, of all but the output, or
    None where the price is not known; output_cost, of a million tokens of output.
    """

    input: int = 0
    output: int = 0
    least_output: int = 0
    base_cost: int | None = None
    output_cost: int = 0

    def cost(self, output: int) -> int:
        """What it may cost with that much output; nothing where no price is known. Rounded up."""
        return 0 if self.base_cost is None else min(self.base_cost + self.more_cost(output), MOST)

    def more_cost(self, output: int) -> int:
        """What that much output costs. Rounded up."""
        return -(-self.output_cost * output // _MILLION)

    def affordable(self, amount: int) -> int | None:
        """How many tokens of output an amount of money pays for; None: any number."""
        return amount * _MILLION // self.output_cost if self.output_cost else None


@dataclass(slots=True)
class Admission:
    """A call that asks to be let in.

    settings: the revision of the providers that it was routed by; None where nothing was.
    """

    principal: Principal
    request_id: str
    surface: str
    provider: str
    model: str
    streamed: bool
    bound: Bound = field(default_factory=Bound)
    settings: int | None = None


@dataclass(slots=True)
class Grant:
    """What a call was given.

    output: in tokens. limited: whether a quota counts its tokens or its cost, so that it must keep to them.
    """

    output: int = 0
    limited: bool = False
    standings: Mapping[str, Standing] = field(default_factory=dict)


@dataclass(slots=True)
class Hold:
    """An admitted call, open until it is settled."""

    call_id: UUID
    admission: Admission
    opened_at: datetime
    grant: Grant = field(default_factory=Grant)


@dataclass(slots=True)
class Extension:
    """A call that runs past what it was given and asks for more output, in tokens. `granted` may be less, or 0."""

    hold: Hold
    output: int
    asked_at: datetime
    granted: int = 0


@dataclass(slots=True)
class AttemptRecord:
    """What became of one execution at a vendor. Durations are in milliseconds; a cost of None is not known."""

    provider: str
    model: str
    key_hint: str
    state: CallState
    status: int | None
    consumption: Consumption
    first_byte_ms: int | None
    duration_ms: int
    cost: Decimal | None = None


@dataclass(slots=True)
class Settlement:
    """How a call ended.

    counts: as a request, which a call does not that was never asked of a vendor. at_reservation: what it used is not
    known, so it is charged what it had reserved.
    """

    call_id: UUID
    state: CallState
    consumption: Consumption
    attempts: tuple[AttemptRecord, ...]
    closed_at: datetime
    cost: Decimal | None = None
    counts: bool = True
    at_reservation: bool = False


Entry = Hold | Extension | Settlement


def new_call_id() -> UUID:
    """A UUID of version 7 (RFC 9562): ordered by time, so that rows are inserted at the end of the index."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds << 80) | getrandbits(80)
    value = value & ~(0xF << 76) | (0x7 << 76)
    return UUID(int=value & ~(0x3 << 62) | (0x2 << 62))
