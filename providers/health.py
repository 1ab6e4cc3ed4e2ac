"""Whether providers answer, found out without paying: each adapter knows a request that is free.

What was found is remembered for a while, so that anybody may ask as often as they like.
"""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from providers.adapters.registry import adapter_for
from providers.errors import (
    AddressRefused,
    AnswerTimeout,
    ConnectFailed,
    ConnectTimeout,
    NoAnswer,
    StatusError,
    UpstreamError,
)
from providers.types import Endpoint
from providers.upstream.client import send

logger = logging.getLogger("gateway.providers")

REMEMBERED_SECONDS = 30.0
PROBE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Health:
    """What a probe found. latency_ms is in milliseconds; message is safe to show to anybody."""

    healthy: bool
    message: str
    latency_ms: int
    checked_at: float

    def age(self) -> float:
        """Seconds since the probe."""
        return time.monotonic() - self.checked_at


_found: dict[str, tuple[Endpoint, Health]] = {}
_probing: "dict[str, tuple[Endpoint, asyncio.Task[Health]]]" = {}


async def check(endpoint: Endpoint, *, fresh: bool = False) -> Health:
    """The health of one provider; `fresh` asks it again even if it was asked a moment ago."""
    known, health = _found.get(endpoint.name, (None, None))
    if health is not None and known == endpoint and not fresh and health.age() < REMEMBERED_SECONDS:
        return health
    asked, task = _probing.get(endpoint.name, (None, None))
    if task is None or asked != endpoint or task.get_loop() is not asyncio.get_running_loop():
        task = asyncio.ensure_future(_probe(endpoint))
        _probing[endpoint.name] = (endpoint, task)
        task.add_done_callback(lambda done: _forget(endpoint.name, done))
    return await asyncio.shield(task)


def _forget(name: str, done: "asyncio.Task[Health]") -> None:
    _, task = _probing.get(name, (None, None))
    if task is done:  # else a newer one has taken its place
        del _probing[name]


async def check_all(endpoints: Sequence[Endpoint]) -> Mapping[str, Health]:
    """The health of several providers by name, asked side by side."""
    found = await asyncio.gather(*(check(endpoint) for endpoint in endpoints))
    return {endpoint.name: health for endpoint, health in zip(endpoints, found, strict=True)}


async def _probe(endpoint: Endpoint) -> Health:
    started = time.monotonic()
    try:
        if endpoint.needs_key and not endpoint.key:
            message = "No key is set for this provider."
        else:
            async with asyncio.timeout(PROBE_SECONDS):
                await adapter_for(endpoint.type).probe(endpoint, send)
            message = ""
    except UpstreamError as error:
        message = explain(error)
    except TimeoutError:
        message = "The provider did not answer in time."
    except Exception:  # one provider that nobody foresaw must not take the report of all others with it
        logger.exception("The probe of provider %s failed.", endpoint.name)
        message = "The provider could not be probed. The log has the details."
    ended = time.monotonic()
    health = Health(not message, message or "Provider is responding normally", round((ended - started) * 1000), ended)
    _found[endpoint.name] = (endpoint, health)
    return health


def explain(error: UpstreamError) -> str:
    """A sentence for an administrator that quotes nothing the vendor said."""
    match error:
        case StatusError(status=401 | 403):
            return "The provider refuses the key."
        case StatusError(status=status):
            return f"The provider answered with status {status}."
        case ConnectTimeout() | AnswerTimeout():
            return "The provider did not answer in time."
        case AddressRefused():
            return "The provider's address is in a private network. Allow that in its settings, or change the address."
        case NoAnswer():
            return "The provider closed the connection without an answer."
        case ConnectFailed():
            return "The provider could not be reached. Check its base URL."
        case _:
            return "The provider's answer could not be understood."
