"""Which provider a request goes to: a pure function, so that it can be explained and tested as a table."""

from collections.abc import Mapping
from dataclasses import dataclass

from providers.errors import ProviderNotFound, ProviderUnavailable, RequestNotPossible
from providers.types import Endpoint, GenerateRequest


@dataclass(frozen=True, slots=True)
class PlannedAttempt:
    """One execution that routing allows, with why it was chosen. `model` is what the vendor is asked for."""

    endpoint: Endpoint
    model: str
    reason: str


def route(request: GenerateRequest, providers: Mapping[str, Endpoint]) -> tuple[PlannedAttempt, ...]:
    """The attempts to make, in order.

    Raises ProviderNotFound, ProviderUnavailable, or RequestNotPossible when the chosen provider cannot take it.
    """
    endpoint, reason = _choose(request.provider, providers)
    if not endpoint.enabled:
        raise ProviderUnavailable(f"Provider '{endpoint.name}' is disabled. Choose another, or ask an administrator.")
    if endpoint.needs_key and not endpoint.key:
        raise ProviderUnavailable(f"Provider '{endpoint.name}' has no key. An administrator must add one.")
    model = request.model or endpoint.default_model
    if endpoint.needs_model and not model:
        raise RequestNotPossible(f"Name a 'model': provider '{endpoint.name}' has no default model.")
    if endpoint.models and request.model and request.model not in endpoint.models:
        known = ", ".join(endpoint.models[:10])
        raise RequestNotPossible(f"Provider '{endpoint.name}' has no model of that name. It has: {known}.")
    characters = sum(len(message.content) for message in request.messages)
    if characters > endpoint.max_prompt_chars:
        raise RequestNotPossible(
            f"The prompt has {characters} characters; provider '{endpoint.name}' takes {endpoint.max_prompt_chars}."
        )
    return (PlannedAttempt(endpoint, model, reason),)


def _choose(name: str, providers: Mapping[str, Endpoint]) -> tuple[Endpoint, str]:
    if name:
        if name not in providers:
            raise ProviderNotFound(name)
        return providers[name], "named in the request"
    enabled = [endpoint for endpoint in providers.values() if endpoint.enabled]
    for endpoint in enabled:
        if endpoint.is_default:
            return endpoint, "the default provider"
    if len(enabled) == 1:
        return enabled[0], "the only enabled provider"
    raise RequestNotPossible("Name a 'provider': there is no default one. An administrator can set one in the admin.")
