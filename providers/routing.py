"""Which provider a request goes to: a pure function, so that it can be explained and tested as a table."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from providers.errors import ModelNotFound, ProviderNotFound, ProviderUnavailable, RequestNotPossible
from providers.types import ByModel, ByName, ByType, Endpoint, Wanted


@dataclass(frozen=True, slots=True)
class PlannedAttempt:
    """One execution that routing allows, with why it was chosen. `model` is what the vendor is asked for."""

    endpoint: Endpoint
    model: str
    reason: str


def route(wanted: Wanted, providers: Mapping[str, Endpoint]) -> tuple[PlannedAttempt, ...]:
    """The attempts to make, in order.

    Raises ProviderNotFound, ModelNotFound, ProviderUnavailable, or RequestNotPossible when the chosen provider cannot
    take it.
    """
    endpoint, model, reason = _choose(wanted, providers)
    if not endpoint.enabled:
        raise ProviderUnavailable(f"Provider '{endpoint.name}' is disabled. Choose another, or ask an administrator.")
    if endpoint.needs_key and not endpoint.key:
        raise ProviderUnavailable(f"Provider '{endpoint.name}' has no key. An administrator must add one.")
    if wanted.native is None or wanted.native.model is not None:  # else what is asked for is between caller and vendor
        _check_model(endpoint, model, by_model=isinstance(wanted.target, ByModel))
    if wanted.prompt_chars > endpoint.max_prompt_chars:
        raise RequestNotPossible(
            f"The prompt has {wanted.prompt_chars} characters; provider '{endpoint.name}' takes"
            f" {endpoint.max_prompt_chars}."
        )
    return (PlannedAttempt(endpoint, model or endpoint.default_model, reason),)


def _check_model(endpoint: Endpoint, model: str, *, by_model: bool) -> None:
    if endpoint.needs_model and not (model or endpoint.default_model):
        raise RequestNotPossible(f"Name a 'model': provider '{endpoint.name}' has no default model.")
    if endpoint.models and model and model not in endpoint.models:
        if by_model:  # its clients know one error for every model that cannot be had
            raise ModelNotFound(model)
        known = ", ".join(endpoint.models[:10])
        raise RequestNotPossible(f"Provider '{endpoint.name}' has no model of that name. It has: {known}.")


def check_named_model(endpoint: Endpoint, named: str, *, generates: bool) -> None:
    """Holds a request that is relayed untouched against the provider's models.

    Parameters: named, the model that its adapter finds in it for sure; generates, whether it may have a model make
    something. Raises ModelNotFound, and RequestNotPossible where it must name one and does not.
    """
    if not endpoint.models or named in endpoint.models:
        return
    if not named and generates:
        raise RequestNotPossible(
            f"Provider '{endpoint.name}' has a list of models. Name one of them, in plain JSON or in a plain form."
        )
    if named and (generates or not is_followed_up(named, endpoint.models)):
        raise ModelNotFound(named)


def is_followed_up(named: str, models: Iterable[str]) -> bool:
    """Whether what follows up on a run names one of these models.

    It may name the beginning of a model's path only, as fal's addresses do.
    """
    return any(model.startswith(f"{named}/") for model in models)


def _choose(wanted: Wanted, providers: Mapping[str, Endpoint]) -> tuple[Endpoint, str, str]:
    match wanted.target:
        case ByName(name, model) if name:
            if name not in providers:
                raise ProviderNotFound(name)
            return providers[name], model, "named in the request"
        case ByName(_, model):
            endpoint, reason = _default(providers)
            return endpoint, model, reason
        case ByModel(model):
            return _serving(model, providers)
        case ByType(kind):
            return _of_type(kind, providers), "", f"the first enabled provider of type {kind}"


def _default(providers: Mapping[str, Endpoint]) -> tuple[Endpoint, str]:
    enabled = [endpoint for endpoint in providers.values() if endpoint.enabled]
    for endpoint in enabled:
        if endpoint.is_default:
            return endpoint, "the default provider"
    if len(enabled) == 1:
        return enabled[0], "the only enabled provider"
    raise RequestNotPossible("Name a 'provider': there is no default one. An administrator can set one in the admin.")


def _serving(model: str, providers: Mapping[str, Endpoint]) -> tuple[Endpoint, str, str]:
    """Who serves a model, in this order: `provider/model`, a model that somebody lists, a provider's name."""
    name, slash, rest = model.partition("/")
    if slash and rest and name in providers:
        return providers[name], rest, "named before the model"
    enabled = [endpoint for endpoint in providers.values() if endpoint.enabled]
    for endpoint in sorted(enabled, key=lambda endpoint: not endpoint.is_default):
        if model and (model in endpoint.models or model == endpoint.default_model):
            return endpoint, model, "serves this model"
    if model in providers:
        return providers[model], "", "named as the model"
    raise ModelNotFound(model)


def _of_type(kind: str, providers: Mapping[str, Endpoint]) -> Endpoint:
    """The first enabled provider of a type by name; the default one before all others."""
    found = [endpoint for endpoint in providers.values() if endpoint.enabled and endpoint.type == kind]
    if not found:
        raise ProviderUnavailable(f"There is no enabled provider of type '{kind}'. An administrator can add one.")
    return min(found, key=lambda endpoint: (not endpoint.is_default, endpoint.name))
