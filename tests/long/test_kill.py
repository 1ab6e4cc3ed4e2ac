"""A server is killed in the middle of its work, again and again: no call that a vendor saw is without its row."""

import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import httpx
import pytest

from accounts import leases
from tests.gateway import Gateway
from tests.ledger_processes import Database
from tests.server.stage import Stage
from tests.server.wire import Wire
from tests.serving import gateway_on, running
from tests.upstream import Upstream

pytestmark = pytest.mark.long
_ROUNDS = 10
_STREAMS = 100
_CALLERS = 4  # who make short calls all the while
_GRACE = 10.0  # seconds beyond a lease's term: the start of a server, and some renewals
_MAX_TOKENS = 50
_LIMITED = """
from accounts.models import Price, Quota, User
at = dict(provider_type="openai", provider="vendor", model="*", valid_from="2020-01-01T00:00Z")
Price.objects.create(**at, input=3, output=7)
for unit in ("requests", "tokens", "cost", "concurrency"):
    Quota.objects.create(user=User.objects.get(username="staff"), unit=unit, limit=10_000_000)
"""
_numbers = itertools.count(1)


def _body(name: str, model: str, *, stream: bool) -> bytes:
    """A chat whose one message is the name, by which the upstream's records tell calls apart."""
    said = [{"role": "user", "content": name}]
    return json.dumps(
        {"model": f"vendor/{model}", "messages": said, "stream": stream, "max_tokens": _MAX_TOKENS}
    ).encode()


def _stream(stage: Stage, name: str) -> Wire:
    body = _body(name, "paced", stream=True)
    lines = (f"Authorization: Bearer {stage.token}", f"X-Request-ID: {name}", f"Content-Length: {len(body)}")
    return stage.connect().get("/v1/chat/completions", *lines, method="POST").send(body)


@contextmanager
def _short_calls(stage: Stage) -> Iterator[None]:
    """Calls that come and go, some of which are being let in or settled at any moment."""
    over = threading.Event()

    def call() -> None:
        while not over.is_set():
            name = f"short-{next(_numbers)}"
            headers = {"Authorization": f"Bearer {stage.token}", "X-Request-ID": name}
            with suppress(httpx.TransportError):
                httpx.post(
                    f"{stage.gateway.url}/v1/chat/completions",
                    content=_body(name, "m", stream=False),
                    headers=headers,
                    timeout=5,
                )

    threads = [threading.Thread(target=call) for _ in range(_CALLERS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _kill_in_mid_work(stage: Stage) -> set[str]:
    """Kills the server with streams live. Returns their names."""
    names = {f"stream-{next(_numbers)}" for _ in range(_STREAMS)}
    wires = [_stream(stage, name) for name in names]
    for wire in wires:
        wire.read_until(b"One")
    assert stage.gateway.process is not None
    with _short_calls(stage):
        time.sleep(0.5)
        stage.gateway.process.kill()
        stage.gateway.process.wait()
    for wire in wires:
        wire.socket.close()
    return names


def _wait_until_none_is_open(database: Database, killed: float) -> None:
    while left := database.rows("select count(*) from accounts_call where state = 'open'")[0][0]:
        assert time.monotonic() - killed < leases.TERM + _GRACE, f"{left} calls are still open"
        time.sleep(0.2)


def _check_books(database: Database, upstream: Upstream, streams: set[str]) -> None:
    columns = "request_id, state, estimated, input_tokens - reserved_input, output_tokens - reserved_output"
    rows = database.rows(f"select {columns} from accounts_call")
    assert max(Counter(row[0] for row in rows).values()) == 1, "no call has two rows"
    by_name = {row[0]: row[1:] for row in rows}
    seen = {arrived.json["messages"][-1]["content"] for arrived in upstream.calls}
    assert seen <= by_name.keys(), "each call that the upstream saw has its row"
    assert {by_name[name] for name in streams} == {("lost", True, 0, 0)}, "charged what they had reserved"
    assert {row[1] for row in rows} <= {"lost", "done"}
    assert database.rows(_LEFT) == [(0,)]
    used = dict(database.rows("select unit, used from accounts_counter"))
    ((calls, tokens),) = database.rows("select count(*), sum(input_tokens + output_tokens) from accounts_call")
    assert (used["requests"], used["tokens"], used["concurrency"]) == (calls, tokens, 0)
    ((whole, reserved),) = database.rows(_COSTS)
    assert used["cost"] == whole + reserved


_LEFT = "select sum(reserved) from accounts_counter"
# Of whole answers what their tokens cost, as counters have it; of lost ones as much as was reserved.
_COSTS = (
    "select coalesce(sum(case when state = 'done' then (input_tokens * 3 + output_tokens * 7) * 10000 end), 0),"
    " coalesce(sum(case when state = 'lost' then reserved_cost end), 0) from accounts_call"
)


def test_killed_in_mid_work(scratch_database: Database, upstream: Upstream) -> None:
    gateway = gateway_on(scratch_database)
    streams: set[str] = set()
    with ExitStack() as clients, running(gateway):
        stage = Stage(gateway, upstream, clients)
        gateway.python(_LIMITED)
        for _ in range(_ROUNDS):
            streams |= _kill_in_mid_work(stage)
            killed = time.monotonic()
            gateway.start()
            _wait_until_none_is_open(scratch_database, killed)
            _check_books(scratch_database, upstream, streams)
            if "DATABASE_URL" not in scratch_database.environment:
                assert scratch_database.rows("pragma integrity_check") == [("ok",)]
        _is_sound(gateway, stage)


def _is_sound(gateway: Gateway, stage: Stage) -> None:
    body = json.loads(_body("afterwards", "m", stream=False))
    assert gateway.call(stage.token, body, "/v1/chat/completions").status_code == 200
