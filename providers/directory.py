"""The providers as this process knows them: a snapshot that the gateway lane reads without a query.

A change made in this process shows at once; one made in another, after REFRESH_SECONDS.
"""

import asyncio
import logging
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models.signals import post_delete, post_save

from providers.adapters.registry import TYPES
from providers.models import Provider, ProviderKey, validate_key
from providers.types import Endpoint, Timeouts
from storage import reads
from storage.errors import SecretUnreadable

logger = logging.getLogger("gateway.providers")

REFRESH_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class _Snapshot:
    providers: Mapping[str, Endpoint]
    changes: int
    read_at: float

    def age(self) -> float:
        return time.monotonic() - self.read_at


class _Directory:
    """The snapshot, and who is reading a newer one."""

    def __init__(self) -> None:
        self.changes = 0  # made in this process
        self._snapshot: _Snapshot | None = None
        self._reading: dict[asyncio.AbstractEventLoop, tuple[int, asyncio.Task[_Snapshot]]] = {}

    async def current(self) -> Mapping[str, Endpoint]:
        snapshot = self._snapshot
        if snapshot is None or snapshot.changes != self.changes or snapshot.age() > REFRESH_SECONDS:
            snapshot = await self._refresh()
        return snapshot.providers

    async def _refresh(self) -> _Snapshot:
        # All that wait share one read, and none of them can cancel it for the others. But who comes after a change does
        # not share what was begun before it.
        loop, changes = asyncio.get_running_loop(), self.changes
        begun_at, task = self._reading.get(loop, (None, None))
        if task is None or begun_at != changes:
            task = loop.create_task(self._read(changes))
            self._reading[loop] = (changes, task)
            task.add_done_callback(lambda done: self._forget(loop, done))
        return await asyncio.shield(task)

    def _forget(self, loop: asyncio.AbstractEventLoop, done: "asyncio.Task[_Snapshot]") -> None:
        _, task = self._reading.get(loop, (None, None))
        if task is done:  # else a newer one has taken its place
            del self._reading[loop]

    async def _read(self, changes: int) -> _Snapshot:
        read_at = time.monotonic()
        self._snapshot = _Snapshot(MappingProxyType(await reads.read(load)), changes, read_at)
        return self._snapshot


_directory = _Directory()


async def current() -> Mapping[str, Endpoint]:
    """All providers by name, disabled ones too. Reads the database when the snapshot is old or out of date."""
    return await _directory.current()


def load() -> dict[str, Endpoint]:
    """Reads all providers from the database. One whose key cannot be decrypted has none, and the log says so."""
    return {row.name: endpoint(row) for row in Provider.objects.all()}


def _active_secret(provider: Provider) -> str:
    key = provider.keys.filter(active=True).first()
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
        timeouts=Timeouts(
            provider.connect_timeout, provider.first_byte_timeout, provider.gap_timeout, provider.total_timeout
        ),
        config=provider.config,
    )


def _note_change(**_: Any) -> None:
    def count() -> None:
        _directory.changes += 1

    transaction.on_commit(count)


def watch() -> None:
    """Notices changes of providers and keys that are made in this process."""
    for model in (Provider, ProviderKey):
        post_save.connect(_note_change, sender=model, dispatch_uid=f"directory-save-{model.__name__}")
        post_delete.connect(_note_change, sender=model, dispatch_uid=f"directory-delete-{model.__name__}")
