"""One execution of a call at a vendor: what was seen of its answer, and so what it used and cost."""

import time
from datetime import datetime
from decimal import Decimal

from accounts.calls import AttemptRecord
from accounts.consumption import Consumption
from accounts.models import CallState
from accounts.prices import PriceTable, Rates
from providers.errors import NotSent, RequestNotPossible, StatusError
from providers.routing import PlannedAttempt
from providers.types import Chunk, Endpoint, Usage, Wanted

_BYTES_PER_TOKEN = 4  # for estimates only: what was relayed when the vendor's own count is missing
_MOST_UNREAD = 512 * 1024  # bytes that are taken for words where nothing could be read; no model writes more at a time


class Execution:
    """What is known of an attempt while it runs, and its record when it is over.

    model: what answers, as soon as that is known. relays: whether its answer is passed on in the vendor's own bytes.
    """

    def __init__(self, planned: PlannedAttempt, wanted: Wanted, prices: PriceTable, at: datetime) -> None:
        self.planned = planned
        self.model = planned.model
        self.relays = False
        self.usage: Usage | None = None
        self.finished = self.came_whole = False
        self._wanted = wanted
        self._prices = prices
        self._at = at
        self._relayed_bytes = self._unread_bytes = 0
        self._started = time.monotonic()
        self._first_byte_ms: int | None = None

    def begun(self, first: Chunk) -> None:
        """Its answer's first piece is here."""
        self._first_byte_ms = round((time.monotonic() - self._started) * 1000)
        self.came_whole = first.end
        self.model = self.model or first.model

    def note(self, chunk: Chunk) -> None:
        """A piece of its answer has come."""
        self._relayed_bytes += len(chunk.text.encode()) + len(chunk.reasoning.encode())
        self._relayed_bytes += sum(len(piece.arguments.encode()) for piece in chunk.tool_calls)
        self._unread_bytes = chunk.unread
        self.finished = chunk.end and chunk.flaw is None
        self.usage = chunk.usage or self.usage
        self.model = chunk.model or self.model

    @property
    def most_output(self) -> int:
        """The output so far at its upper bound, in tokens: one for each byte of it."""
        return max(self._words, self.usage.output if self.usage is not None else 0)

    @property
    def likely_output(self) -> int:
        """The output so far as it is estimated, in tokens."""
        return max(-(-self._words // _BYTES_PER_TOKEN), self.usage.output if self.usage is not None else 0)

    @property
    def _words(self) -> int:
        return self._relayed_bytes or min(self._unread_bytes, _MOST_UNREAD)

    def consumption(self, failure: BaseException | None) -> Consumption:
        """What the vendor reported; else an estimate, if the vendor was asked and did not refuse.

        A report out of the middle of an answer leaves out what came after it.
        """
        if (used := self.usage) is not None:
            whole = self.finished or (not self.relays and self.came_whole)
            said = used.output if whole else self.likely_output
            tokens = (used.input, said, used.cached, used.cache_write, used.reasoning)
            return Consumption(*tokens, used.measures or None, estimated=used.estimated or not whole)
        if isinstance(failure, NotSent | StatusError | RequestNotPossible):
            return Consumption()
        return Consumption(-(-self._wanted.prompt_bytes // _BYTES_PER_TOKEN), self.likely_output, estimated=True)

    def cost(self, consumption: Consumption) -> Decimal | None:
        """What that costs, in the currency of the prices; None where a price is not known."""
        models = dict.fromkeys(name for name in (self.planned.model, self.model) if name)
        return (rates_of(self.planned.endpoint, [*models], self._prices, self._at) or Rates()).cost(consumption)

    def record(self, state: CallState, error: BaseException | None) -> AttemptRecord:
        """What became of it."""
        consumption = self.consumption(error)
        return AttemptRecord(
            provider=self.planned.endpoint.name,
            model=self.model,
            key_hint=self.planned.endpoint.key_hint,
            state=state,
            status=error.status if isinstance(error, StatusError) else None,
            consumption=consumption,
            first_byte_ms=self._first_byte_ms,
            duration_ms=round((time.monotonic() - self._started) * 1000),
            cost=self.cost(consumption),
        )


def rates_of(endpoint: Endpoint, models: list[str], prices: PriceTable, at: datetime) -> Rates | None:
    """What a provider's model costs; None where nobody has said."""
    return prices.find(endpoint.type, endpoint.name, models, at)
