"""The directory of providers: a change made in this process shows at once, however busy the reading is."""

import asyncio
import logging
import threading
from collections.abc import Iterator

import pytest
from asgiref.sync import sync_to_async

from providers import directory
from providers.models import Provider

PATIENCE = 5.0  # seconds
VARIABLE = "GATEWAY_TEST_ODD_KEY"


class Pause(logging.Handler):
    """Holds back whoever logs, so a reading of providers between its query and its end; then lets everybody pass."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = threading.Event()
        self.go_on = threading.Event()
        self.times = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.times += 1
        self.reached.set()
        self.go_on.wait(PATIENCE)


@pytest.fixture
def pause() -> Iterator[Pause]:
    handler = Pause()
    logger = logging.getLogger("gateway.providers")
    logger.addHandler(handler)
    yield handler
    handler.go_on.set()
    logger.removeHandler(handler)


@pytest.fixture
def provider(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Provider:
    """One whose reading is logged: what stands in its variable is no key."""
    monkeypatch.setenv(VARIABLE, "not a key")
    return Provider.objects.create(name="vendor", type="openai", api_key_env=VARIABLE, description="before")


async def description() -> str:
    return (await directory.current())["vendor"].description


def change(provider: Provider, to: str) -> None:
    provider.description = to
    provider.save()


async def test_a_change_shows_at_once(provider: Provider) -> None:
    assert await description() == "before"
    await sync_to_async(change)(provider, "after")
    assert await description() == "after"
    await sync_to_async(provider.delete)()
    assert await directory.current() == {}


async def test_a_change_during_a_reading_shows_at_once(provider: Provider, pause: Pause) -> None:
    early = asyncio.create_task(description())
    await asyncio.to_thread(pause.reached.wait, PATIENCE)
    await sync_to_async(change)(provider, "after")
    late = [asyncio.create_task(description()) for _ in range(3)]
    await asyncio.sleep(0.05)
    pause.go_on.set()
    assert await asyncio.gather(*late) == ["after"] * 3
    assert await early in ("before", "after")
    assert await description() == "after"
    assert pause.times == 2, "those who came after the change share one reading"


async def test_those_who_wait_share_one_reading(provider: Provider, pause: Pause) -> None:
    callers = [asyncio.create_task(description()) for _ in range(10)]
    await asyncio.to_thread(pause.reached.wait, PATIENCE)
    callers.pop().cancel()
    await asyncio.sleep(0.05)
    pause.go_on.set()
    assert await asyncio.gather(*callers) == ["before"] * 9
    assert pause.times == 1


async def test_between_changes_nothing_is_read(provider: Provider, pause: Pause) -> None:
    pause.go_on.set()
    for _ in range(5):
        await description()
    assert pause.times == 1
