"""Whether a call fits into its caller's quotas, and how much of it: the arithmetic of an admission."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from accounts.calls import Admission, Bound, Extension, Grant, Hold, Standing
from accounts.counters import CounterRow, Counters, window_end
from accounts.errors import QuotaExceeded, Refusal
from accounts.models import Unit
from accounts.prices import from_units
from accounts.rules import Limit, Rule

_LIMITING = frozenset((Unit.TOKENS.value, Unit.COST.value))
_TOLD = (Unit.REQUESTS.value, Unit.TOKENS.value)  # in headers, as OpenAI has them


@dataclass(slots=True)
class _Claim:
    """A rule that a call must respect now, and its counter."""

    rule: Rule
    limit: Limit
    row: CounterRow

    @property
    def left(self) -> int:
        return self.limit.amount - self.row.used - self.row.reserved


def admitted(hold: Hold, rules: Iterable[Rule], counters: Counters) -> list[CounterRow]:
    """Reserves for a call at every counter that it must respect, and returns those. Fills in `hold.grant`.

    Raises QuotaExceeded, and then has reserved nothing.
    """
    admission, moment = hold.admission, hold.opened_at
    claims = list(_claims(rules, admission.provider, counters, moment))
    output = _granted(admission, claims, moment)
    cost = admission.bound.cost(output)
    for claim in claims:
        claim.row.reserve(reserved_amount(claim.rule.key.unit, admission.bound.input + output, cost))
    limited = any(claim.rule.key.unit in _LIMITING for claim in claims)
    hold.grant = Grant(output, limited, _standings(claims, moment))
    return [claim.row for claim in claims]


def extended(
    extension: Extension, given: int, rules: Iterable[Rule], counters: Counters, rows: Iterable[CounterRow]
) -> None:
    """Reserves more output for a call at those counters of its own that still run, as much as every one of them has.

    given: the output that it has reserved by now, in tokens.
    """
    hold = extension.hold
    bound, moment = hold.admission.bound, hold.opened_at
    mine = {id(row) for row in rows}
    claims = [claim for claim in _claims(rules, hold.admission.provider, counters, moment) if id(claim.row) in mine]
    # How much output in all: what was given is reserved already, so it is as good as left.
    wholes = [_possible(claim, bound, -given, -bound.more_cost(given)) for claim in claims]
    extension.granted = max(
        0, min([given + extension.output, *(whole for whole in wholes if whole is not None)]) - given
    )
    if extension.granted:
        # The difference of two costs, each rounded: so all parts together are what the whole gives back at its end.
        cost = bound.cost(given + extension.granted) - bound.cost(given)
        for claim in claims:
            if claim.rule.key.unit in _LIMITING:
                claim.row.reserve(reserved_amount(claim.rule.key.unit, extension.granted, cost))


def reserved_amount(unit: str, tokens: int, cost: int) -> int:
    """How much of a counter's unit a call with so many tokens and that cost takes."""
    if unit == Unit.TOKENS:
        return tokens
    return cost if unit == Unit.COST else 1


def _claims(rules: Iterable[Rule], provider: str, counters: Counters, moment: datetime) -> Iterator[_Claim]:
    for rule in rules:
        if rule.applies_to(provider) and (limit := rule.limit_at(moment)) is not None:
            yield _Claim(rule, limit, counters.row(rule, moment))


def _granted(admission: Admission, claims: Sequence[_Claim], moment: datetime) -> int:
    """The output that every quota has room for. Raises QuotaExceeded for the one that will last longest."""
    bound = admission.bound
    output = bound.output
    refusals: list[Refusal] = []
    for claim in claims:
        if claim.rule.key.unit not in _LIMITING:
            fits = claim.left >= 1
        elif claim.rule.key.unit == Unit.COST and bound.base_cost is None:
            fits = claim.limit.allow_unpriced
        else:
            possible = _possible(claim, bound, bound.input, bound.base_cost or 0)
            fits = possible is None or possible >= bound.least_output
            output = output if possible is None else min(output, possible)
        if not fits:
            refusals.append(_refusal(claim, admission, moment))
    if refusals:
        raise QuotaExceeded(max(refusals, key=_lasting))
    return output


def _possible(claim: _Claim, bound: Bound, input_tokens: int, base_cost: int) -> int | None:
    """How many tokens of output fit into what a quota has left beside so much else. None: any number."""
    if claim.rule.key.unit == Unit.TOKENS:
        return claim.left - input_tokens
    if claim.rule.key.unit != Unit.COST or bound.base_cost is None:
        return None
    left = claim.left - base_cost
    return bound.affordable(left) if left >= 0 else -1


def _refusal(claim: _Claim, admission: Admission, moment: datetime) -> Refusal:
    key, bound = claim.rule.key, admission.bound
    needed = reserved_amount(key.unit, bound.input + bound.least_output, bound.cost(bound.least_output))
    ends = window_end(claim.rule, moment)
    return Refusal(
        subject=key.scope.partition(":")[0],
        provider=key.provider,
        unit=key.unit,
        window=key.window,
        limit=shown_amount(key.unit, claim.limit.amount),
        used=shown_amount(key.unit, claim.row.used),
        reserved=shown_amount(key.unit, claim.row.reserved),
        needed=shown_amount(key.unit, needed),
        resets_at=ends,
        seconds=_seconds_until(ends, moment),
        unpriced=admission.model if key.unit == Unit.COST and bound.base_cost is None else None,
    )


def shown_amount(unit: str, amount: int) -> Decimal:
    """An amount of a counter as people know it: a cost in the currency."""
    return from_units(amount) if unit == Unit.COST else Decimal(amount)


def _seconds_until(end: datetime | None, moment: datetime) -> int | None:
    return None if end is None else max(1, -int(-(end - moment).total_seconds() // 1))


def _lasting(refusal: Refusal) -> tuple[bool, int]:
    return refusal.retry_after is None, refusal.retry_after or 0


def _standings(claims: Iterable[_Claim], moment: datetime) -> dict[str, Standing]:
    """For each unit that is told, the quota with the least left."""
    tightest: dict[str, _Claim] = {}
    for claim in claims:
        unit = claim.rule.key.unit
        if unit in _TOLD and (unit not in tightest or claim.left < tightest[unit].left):
            tightest[unit] = claim
    return {
        unit: Standing(claim.limit.amount, max(0, claim.left), window_end(claim.rule, moment))
        for unit, claim in tightest.items()
    }
