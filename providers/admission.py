"""How a call is let in: routed by the providers as they are known, held against the caller's rights, and admitted."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from accounts import ledger
from accounts.calls import Admission, Hold
from accounts.errors import NotPermitted, SettingsChanged
from accounts.prices import PriceTable
from accounts.principal import Principal
from providers import bounds, directory, routing
from providers.adapters.registry import adapter_for
from providers.execution import rates_of
from providers.routing import PlannedAttempt
from providers.types import Endpoint, NativeRequest, Wanted
from storage.errors import StorageUnavailable

_MOST_CHANGES = 5  # of the providers while one call is being decided on


async def admitted(
    principal: Principal, wanted: Wanted, table: PriceTable, request_id: str, surface: str
) -> tuple[tuple[PlannedAttempt, ...], Hold]:
    """The attempts that a call may make, and its place in the ledger.

    Raises what routing.route raises, NotPermitted, and what ledger.admit raises but for SettingsChanged.
    """
    for _ in range(_MOST_CHANGES):
        try:
            return await _tried(principal, wanted, table, request_id, surface)
        except SettingsChanged:  # in another process, since they were read here
            directory.forget()
    raise StorageUnavailable("the providers change faster than they can be read")


async def _tried(
    principal: Principal, wanted: Wanted, table: PriceTable, request_id: str, surface: str
) -> tuple[tuple[PlannedAttempt, ...], Hold]:
    known = await directory.as_known()
    plan = planned(principal, wanted, known.endpoints)
    endpoint, model = plan[0].endpoint, plan[0].model
    most = bounds.bound(endpoint, model, wanted, rates_of(endpoint, [model], table, datetime.now(UTC)))
    asks = Admission(principal, request_id, surface, endpoint.name, model, wanted.stream, most, known.revision)
    return plan, await ledger.admit(asks)


def planned(principal: Principal, wanted: Wanted, endpoints: Mapping[str, Endpoint]) -> tuple[PlannedAttempt, ...]:
    """The attempts that routing allows and the caller's credential is good for.

    Raises what routing.route raises, and NotPermitted when it is good for none.
    """
    plan = routing.route(wanted, endpoints)
    if wanted.native is not None and wanted.native.model is None:
        plan = tuple(_as_asked(one, wanted.native) for one in plan)
    permitted = tuple(one for one in plan if principal.may_use(one.endpoint.name, one.model))
    if not permitted:
        named = f" with the model '{plan[0].model}'" if principal.may_see(plan[0].endpoint.name) else ""
        raise NotPermitted(f"This credential is not good for provider '{plan[0].endpoint.name}'{named}.")
    return permitted


def _as_asked(planned: PlannedAttempt, native: NativeRequest) -> PlannedAttempt:
    """An attempt at a request that is relayed untouched: the model is what the request says. Raises ModelNotFound."""
    named = adapter_for(planned.endpoint.type).named_model(native)
    routing.check_named_model(planned.endpoint, native, named)
    return replace(planned, model=named)
