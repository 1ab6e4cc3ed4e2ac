"""Whether a call fits into its caller's quotas, and how much of it: the arithmetic of an admission."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from accounts.calls import Admission, Bound, Extension, Grant, Hold
from accounts.counters import CounterRow, Counters
from accounts.errors import QuotaExceeded, Refusal
from accounts.limits import Standing
from accounts.models import Unit
from accounts.prices import from_units
from accounts.rules import Limit, Rule

Holds = Sequence[tuple[int, str, int]]  # of counters: id, unit, start of the window in seconds since 1970

_REQUESTS, _TOKENS = Unit.REQUESTS.value, Unit.TOKENS.value
_COST, _CONCURRENCY = Unit.COST.value, Unit.CONCURRENCY.value
_LIMITING = frozenset((_TOKENS, _COST))
_TOLD = (_REQUESTS, _TOKENS)  # in headers, as OpenAI has them


@dataclass(slots=True)
class _Claim:
    """A rule that a call must respect now, and its counter."""

    rule: Rule
    limit: Limit
    row: CounterRow

    @property
    def left(self) -> int:
        return self.limit.amount - self.row.used - self.row.reserved

    @property
    def ends_at(self) -> datetime | None:
        """When the window ends that its counter was turned to; None if it never does."""
        return self.row.span.ends_at if self.row.span is not None else None


def admitted(hold: Hold, rules: Iterable[Rule], counters: Counters) -> list[CounterRow]:
    """Reserves for a call at every counter that it must respect, and returns those. Fills in `hold.grant`.

    Raises QuotaExceeded, and then has reserved nothing.
    """
    admission, moment = hold.admission, hold.opened_at
    claims = list(_claims(rules, admission.provider, counters, moment))
    output = _granted(admission, claims, moment)
    amounts = amounts_of(admission.bound.input + output, admission.bound.cost(output))
    for claim in claims:
        claim.row.reserve(amounts[claim.rule.key.unit])
    limited = any(claim.rule.key.unit in _LIMITING for claim in claims)
    hold.grant = Grant(output, limited, _standings(claims))
    return [claim.row for claim in claims]


def extended(
    extension: Extension, given: int, holds: Holds, rules: Iterable[Rule], counters: Counters
) -> list[tuple[int, str, int]]:
    """Reserves more output for a call at its counters, as much as every one of them has. Returns its holds then.

    At a counter whose window has ended meanwhile, the whole call is reserved anew, in the window that runs: what was
    reserved in the old one ended with that. given: the output that it has reserved by now, in tokens.
    """
    bound, begun = extension.hold.admission.bound, {number: starts_at for number, _, starts_at in holds}
    found = _claims(rules, extension.hold.admission.provider, counters, extension.asked_at)
    claims = [claim for claim in found if claim.row.id in begun and claim.rule.key.unit in _LIMITING]
    moved = {claim.row.id: claim.row.starts_at for claim in claims if claim.row.starts_at != begun[claim.row.id]}
    # How much output in all: what was given is reserved already where the window runs, so it is as good as left.
    wholes = [
        _possible(claim, bound, bound.input, bound.base_cost or 0)
        if claim.row.id in moved
        else _possible(claim, bound, -given, -bound.more_cost(given))
        for claim in claims
    ]
    whole = min([given + extension.output, *(most for most in wholes if most is not None)])
    extension.granted = max(0, whole - given)
    if not extension.granted:
        return list(holds)
    # The difference of two costs, each rounded: so all parts together are what the whole gives back at its end.
    more = amounts_of(extension.granted, bound.cost(whole) - bound.cost(given))
    anew = amounts_of(bound.input + whole, bound.cost(whole))
    for claim in claims:
        claim.row.reserve((anew if claim.row.id in moved else more)[claim.rule.key.unit])
    return [(number, unit, moved.get(number, starts_at)) for number, unit, starts_at in holds]


def amounts_of(tokens: int, cost: int, *, requests: int = 1, concurrency: int = 1) -> dict[str, int]:
    """How much of each unit of counters a call takes. The cost is in 10⁻¹⁰ of the currency."""
    return {_REQUESTS: requests, _TOKENS: tokens, _COST: cost, _CONCURRENCY: concurrency}


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
        elif claim.rule.key.unit == _COST and bound.base_cost is None:
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
    if claim.rule.key.unit == _TOKENS:
        return claim.left - input_tokens
    if claim.rule.key.unit != _COST or bound.base_cost is None:
        return None
    left = claim.left - base_cost
    return bound.affordable(left) if left >= 0 else -1


def _refusal(claim: _Claim, admission: Admission, moment: datetime) -> Refusal:
    key, bound = claim.rule.key, admission.bound
    needed = amounts_of(bound.input + bound.least_output, bound.cost(bound.least_output))[key.unit]
    return Refusal(
        subject=key.scope.partition(":")[0],
        provider=key.provider,
        unit=key.unit,
        window=key.window,
        limit=shown_amount(key.unit, claim.limit.amount),
        used=shown_amount(key.unit, claim.row.used),
        reserved=shown_amount(key.unit, claim.row.reserved),
        needed=shown_amount(key.unit, needed),
        resets_at=claim.ends_at,
        seconds=_seconds_until(claim.ends_at, moment),
        unpriced=admission.model if key.unit == _COST and bound.base_cost is None else None,
    )


def shown_amount(unit: str, amount: int) -> Decimal:
    """An amount of a counter as people know it: a cost in the currency."""
    return from_units(amount) if unit == _COST else Decimal(amount)


def _seconds_until(end: datetime | None, moment: datetime) -> int | None:
    return None if end is None else max(1, -int(-(end - moment).total_seconds() // 1))


def _lasting(refusal: Refusal) -> tuple[bool, int]:
    return refusal.retry_after is None, refusal.retry_after or 0


def _standings(claims: Iterable[_Claim]) -> dict[str, Standing]:
    """For each unit that is told, the quota with the least left."""
    tightest: dict[str, _Claim] = {}
    for claim in claims:
        unit = claim.rule.key.unit
        if unit in _TOLD and (unit not in tightest or claim.left < tightest[unit].left):
            tightest[unit] = claim
    return {unit: Standing(claim.limit.amount, max(0, claim.left), claim.ends_at) for unit, claim in tightest.items()}
