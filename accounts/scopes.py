"""What a credential is good for, where it is good for less than its owner may do."""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError

# What may be called, by the names that a credential is limited to. Which routes each stands for: web/endpoints.py
ENDPOINTS = {
    "generate": "POST /api/generate",
    "chat": "/api/chat, /api/upload and the chat's socket",
    "openai": "/v1, as OpenAI's clients call it",
    "anthropic": "/v1/messages, as Anthropic's clients call it",
    "proxy": "/proxy/{name} and its aliases",
    "answers": "fetching answers that were kept",
    "usage": "reading one's own usage and quotas",
    "providers": "reading the list of providers",
    "browser-token": "handing out passes for browsers",
}
_MOST = 50  # entries of one list
_LONGEST = 200  # characters of one entry


@dataclass(frozen=True, slots=True)
class Scope:
    """The providers, models and endpoints that a credential is limited to. An empty one limits nothing.

    A model that ends with `*` stands for all that begin so.
    """

    providers: frozenset[str] = frozenset()
    models: tuple[str, ...] = ()
    endpoints: frozenset[str] = frozenset()

    @classmethod
    def of(cls, providers: Iterable[str], models: Iterable[str], endpoints: Iterable[str]) -> "Scope":
        return cls(frozenset(providers), tuple(models), frozenset(endpoints))

    @property
    def limits(self) -> bool:
        """Whether it limits anything."""
        return bool(self.providers or self.models or self.endpoints)

    def permits_endpoint(self, endpoint: str) -> bool:
        return not self.endpoints or endpoint in self.endpoints

    def permits_provider(self, provider: str) -> bool:
        return not self.providers or provider in self.providers

    def permits(self, provider: str, model: str) -> bool:
        """Whether a provider's model may be called. A model that is not known is none that is listed."""
        if not self.permits_provider(provider):
            return False
        return not self.models or any(_matches(model, entry) for entry in self.models)


def _matches(model: str, entry: str) -> bool:
    return model.startswith(entry[:-1]) if entry.endswith("*") else model == entry


def validate_names(value: Any) -> None:
    """Raises ValidationError unless it is a list of names."""
    if not isinstance(value, list) or len(value) > _MOST:
        raise ValidationError(f"Give a list of at most {_MOST} names.")
    for name in value:
        if not isinstance(name, str) or not name.strip() or len(name) > _LONGEST or not name.isprintable():
            raise ValidationError(f"Give names of 1 to {_LONGEST} characters.")


def validate_endpoints(value: Any) -> None:
    """Raises ValidationError unless it is a list of endpoints that there are."""
    validate_names(value)
    unknown = sorted(set(value) - set(ENDPOINTS))
    if unknown:
        raise ValidationError(f"There is no endpoint '{unknown[0]}'. Choose from: {', '.join(ENDPOINTS)}.")


def validate_addresses(value: Any) -> None:
    """Raises ValidationError unless it is a list of addresses and networks."""
    validate_names(value)
    try:
        networks(value)
    except ValueError as error:
        raise ValidationError(f"{error}. Give addresses or networks, such as 10.0.0.1 or 192.168.0.0/16.") from error


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def networks(written: Sequence[str]) -> tuple[Network, ...]:
    """Raises ValueError for what is no address and no network."""
    return tuple(ipaddress.ip_network(one.strip(), strict=False) for one in written)


def is_within(address: str, allowed: Iterable[Network]) -> bool:
    """Whether an address lies in one of the networks. An IPv4 address may be written as IPv6's sockets do."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return any(found in network for network in allowed)
