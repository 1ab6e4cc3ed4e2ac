"""A connection on which nothing is asked is ended in time, by one clock whatever was asked before."""

import time
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.task import Clock
from twisted.protocols.policies import TimeoutMixin
from twisted.web.http import HTTPChannel

from proxyproject.server.channel import GatewayChannel


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    made: Any = Clock()
    monkeypatch.setattr(TimeoutMixin, "callLater", lambda _, seconds, function: made.callLater(seconds, function))
    monkeypatch.setattr(time, "monotonic", made.seconds)
    return made


@pytest.fixture
def channel(clock: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    made: Any = GatewayChannel()
    made.transport = SimpleNamespace(connected=True)
    made.ended = False
    monkeypatch.setattr(HTTPChannel, "timeoutConnection", lambda self: setattr(self, "ended", True))
    made.setTimeout(60)
    return made


def test_it_ends_when_nothing_has_come(clock: Any, channel: Any) -> None:
    clock.advance(59)
    assert not channel.ended
    clock.advance(2)
    assert channel.ended


def test_what_comes_gives_it_the_whole_time_again(clock: Any, channel: Any) -> None:
    clock.advance(40)
    channel.resetTimeout()
    clock.advance(59)
    assert not channel.ended
    clock.advance(2)
    assert channel.ended


def test_it_stays_while_a_request_is_served_and_has_its_time_after_that(clock: Any, channel: Any) -> None:
    assert channel.setTimeout(None) == 60
    clock.advance(1000)
    assert not channel.ended
    channel.setTimeout(60)
    clock.advance(59)
    assert not channel.ended
    clock.advance(2)
    assert channel.ended


def test_many_requests_take_one_clock(clock: Any, channel: Any) -> None:
    for _ in range(100):
        channel.setTimeout(channel.setTimeout(None))
        clock.advance(0.1)
    assert len(clock.getDelayedCalls()) == 1
