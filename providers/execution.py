"""One execution of a call at a vendor: what was seen of its answer, and so what it used and cost."""

import time
from datetime import datetime
from decimal import Decimal

from accounts.calls import AttemptRecord
from accounts.consumption import Consumption
from accounts.models import CallState
from accounts.prices import PriceTable, Rates
from providers.asks import QUEUED
from providers.bounds import BYTES_PER_TOKEN, bound, likely_input, most_input
from providers.errors import NotSent, RequestNotPossible, StatusError
from providers.routing import PlannedAttempt
from providers.types import Chunk, Endpoint, Usage, Wanted

_LONGEST_TOKEN = 20  # bytes; vendors of the wire format that streams token by token send no longer ones
_WIRE_PIECE_BY_PIECE = "openai"
_MOST_UNREAD = 512 * 1024  # bytes that are taken for words where nothing could be read; no model writes more at a time


class Execution:
    """What is known of an attempt while it runs, and its record when it is over.

    model: what answers, as soon as that is known. relays: whether its answer is passed on in the vendor's own bytes.
    given: the output that the call was let in with, in tokens, where a quota counts its tokens or its cost.
    """

    def __init__(
        self, planned: PlannedAttempt, wanted: Wanted, prices: PriceTable, at: datetime, given: int | None
    ) -> None:
        self.planned = planned
        self.model = planned.model
        self.relays = False
        self.usage: Usage | None = None
        self.finished = self.came_whole = False
        self._later = wanted.asks.later
        self._wanted = wanted
        self._prices = prices
        self._at = at
        self._given = given
        self._relayed_bytes = self._unread_bytes = self._pieces = 0
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
        self._pieces += chunk.pieces if chunk.says else 0
        self._unread_bytes = chunk.unread
        self._later = self._later or chunk.finish_reason == QUEUED
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
        tokens = self._pieces if self._came_by_token else -(-self._words // BYTES_PER_TOKEN)
        return max(tokens, self.usage.output if self.usage is not None else 0)

    @property
    def _came_by_token(self) -> bool:
        """Whether each piece was a token: so OpenAI's streams come, and those of most servers that speak like it."""
        by_token = self.planned.endpoint.wire == _WIRE_PIECE_BY_PIECE
        return by_token and 0 < self._relayed_bytes <= _LONGEST_TOKEN * self._pieces

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
        return self._estimate()

    def _estimate(self) -> Consumption:
        """What is likely. What was reserved, of an answer that is made later and fetched for nothing.

        Whoever calls past the gateway's words may leave out the wish for a report, and not pay less under a quota.
        """
        wanted, planned, given = self._wanted, self.planned, self._given
        asked, native = (planned.endpoint, planned.model, wanted), wanted.native
        if self._later:
            return Consumption(
                most_input(*asked), bound(*asked, None).output if given is None else given, estimated=True
            )
        untouched = native is not None and native.model is None
        held = untouched and given is not None and self.finished
        return Consumption(most_input(*asked) if held else likely_input(*asked), self.likely_output, estimated=True)

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
