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
from providers.adapters import sure_models
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

    Raises what routing.route raises, NotPermitted when it is good for none, and RequestNotPossible where models are
    limited and a request is not plain about the one that it names.
    """
    plan = routing.route(wanted, endpoints)
    seen = tuple(one for one in plan if principal.may_see(one.endpoint.name))
    if not seen:
        raise NotPermitted(f"This credential is not good for provider '{plan[0].endpoint.name}'.")
    native = wanted.native
    if native is None:
        permitted = tuple(one for one in seen if principal.may_use(one.endpoint.name, one.model))
    elif native.model is not None:
        permitted = tuple(one for one in seen if _may_send(principal, one, native))
    else:
        seen = tuple(_as_asked(principal, one, native) for one in seen)
        permitted = tuple(one for one in seen if _may_relay(principal, one, native))
    if not permitted:
        raise _not_permitted(seen[0])
    return permitted


def _not_permitted(planned: PlannedAttempt) -> NotPermitted:
    if planned.model:
        named = f"provider '{planned.endpoint.name}' with the model '{planned.model}'"
        return NotPermitted(f"This credential is not good for {named}.")
    return NotPermitted(
        f"This credential is limited to some models. Name one of them to provider '{planned.endpoint.name}', in plain"
        " JSON or in a plain form."
    )


def _as_asked(principal: Principal, planned: PlannedAttempt, native: NativeRequest) -> PlannedAttempt:
    """An attempt at a request that is relayed untouched: the model is what the request says.

    Raises ModelNotFound, and RequestNotPossible for a request that does not say it well enough to be judged.
    """
    adapter = adapter_for(planned.endpoint.type)
    named = adapter.named_model(native, surely=_is_judged(principal, planned.endpoint))
    if planned.endpoint.models:
        routing.check_named_model(planned.endpoint, named, generates=adapter.generates(native))
    return replace(planned, model=named)


def _may_send(principal: Principal, planned: PlannedAttempt, native: NativeRequest) -> bool:
    """Whether the caller may have a request sent into which the planned model is put. Raises RequestNotPossible."""
    if not principal.may_use(planned.endpoint.name, planned.model):
        return False
    if _is_judged(principal, planned.endpoint):
        sure_models.check_sent(native, planned.model)
    return True


def _may_relay(principal: Principal, planned: PlannedAttempt, native: NativeRequest) -> bool:
    """Whether the caller may have a request relayed untouched: one for a model of theirs, or one that only reads."""
    if principal.may_use(planned.endpoint.name, planned.model):
        return True
    if adapter_for(planned.endpoint.type).generates(native):
        return False
    if not planned.model:
        return native.method in {"GET", "HEAD"} and not native.body
    return all(not scope.models or routing.is_followed_up(planned.model, scope.models) for scope in principal.scopes)


def _is_judged(principal: Principal, endpoint: Endpoint) -> bool:
    """Whether it matters which model a request names."""
    return bool(endpoint.models) or any(scope.models for scope in principal.scopes)
