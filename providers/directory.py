"""The providers as this process knows them: a snapshot that the gateway lane reads without a query.

A change made in this process shows at once; one made in another, after REFRESH_SECONDS, or as soon as a call was
decided on by it: the admission knows the number of the revision.
"""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models.signals import post_delete, post_save

from providers.adapters.registry import TYPES
from providers.models import Provider, ProviderKey, validate_key
from providers.types import Endpoint, OnDisconnect, Timeouts
from storage.errors import SecretUnreadable
from storage.revisions import PROVIDERS, number_of, raise_revision
from storage.snapshot import Snapshot

logger = logging.getLogger("gateway.providers")

REFRESH_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Directory:
    """All providers by name, disabled ones too, and the number of their revision when they were read."""

    endpoints: Mapping[str, Endpoint]
    revision: int


async def current() -> Mapping[str, Endpoint]:
    """All providers by name, disabled ones too. Reads the database when the snapshot is old or out of date."""
    return (await _snapshot.current()).endpoints


async def as_known() -> Directory:
    """The same, with the number that tells whether it is out of date."""
    return await _snapshot.current()


def forget() -> None:
    """Has them read again: they have changed."""
    _snapshot.forget()


def _read() -> Directory:
    revision = number_of(PROVIDERS)  # first: what changes meanwhile is then read once too often, and not once too few
    return Directory(MappingProxyType(load()), revision)


def load() -> dict[str, Endpoint]:
    """Reads all providers from the database. One whose key cannot be decrypted has none, and the log says so."""
    return {row.name: endpoint(row) for row in Provider.objects.prefetch_related("keys")}


def _active_secret(provider: Provider) -> str:
    key = next((key for key in provider.keys.all() if key.active), None)  # which may be there already
    if key is not None:
        try:
            return key.secret
        except SecretUnreadable as error:
            logger.error("Provider %s has no usable key: %s", provider.name, error)
            return ""
    return _from_environment(provider) if provider.api_key_env else ""


def _from_environment(provider: Provider) -> str:
    secret = os.environ.get(provider.api_key_env, "").strip()
    try:
        if secret:
            validate_key(secret)
    except ValidationError:
        logger.error("Provider %s has no usable key: what %s holds is none.", provider.name, provider.api_key_env)
        return ""
    return secret


def endpoint(provider: Provider) -> Endpoint:
    """The value that adapters work with, out of a row and its active key."""
    kind = TYPES[provider.type]
    return Endpoint(
        name=provider.name,
        type=provider.type,
        description=provider.description,
        base_url=provider.base_url or kind.base_url,
        key=_active_secret(provider),
        needs_key=kind.needs_key,
        needs_model=kind.needs_model,
        wire=kind.wire,
        default_model=provider.default_model,
        models=tuple(provider.models),
        default_max_tokens=provider.default_max_tokens,
        max_prompt_chars=provider.max_prompt_chars,
        enabled=provider.enabled,
        is_default=provider.is_default,
        allow_private_network=provider.allow_private_network,
        on_disconnect=OnDisconnect(provider.on_disconnect),
        timeouts=Timeouts(
            provider.connect_timeout, provider.first_byte_timeout, provider.gap_timeout, provider.total_timeout
        ),
        config=provider.config,
    )


_snapshot: Snapshot[Directory] = Snapshot(_read, REFRESH_SECONDS)


def watch() -> None:
    """Notices changes of providers and keys that are made in this process, and lets the others know."""
    for model in (Provider, ProviderKey):
        for signal in (post_save, post_delete):
            signal.connect(_tell_others, sender=model)
    _snapshot.watch(Provider, ProviderKey)


def _tell_others(**_: Any) -> None:
    raise_revision(PROVIDERS)
