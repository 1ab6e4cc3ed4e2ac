"""The whole of what can happen when clients leave, twenty at a time, on both databases."""

import time
from itertools import product
from pathlib import Path

import pytest

from tests.api.test_kept_answers import fetched, left_in_the_middle
from tests.conftest import temporary_gateway
from tests.gateway import Gateway
from tests.leaving import MOMENTS, NOTICE_SECONDS, WAYS, Stage, books, leave, read_until, wait_until
from tests.upstream import Upstream

_CALLS = 20


def leave_in_every_way(gateway: Gateway, upstream: Upstream) -> None:
    stage = Stage(gateway, upstream)
    for policy, moment, way, streamed in product(("cancel", "drain"), MOMENTS, WAYS, (True, False)):
        leave(stage, policy, moment, way, streamed=streamed, calls=_CALLS)
    upstream.go_on.clear()
    call_id = left_in_the_middle(stage, relayed=False)
    upstream.go_on.set()
    assert fetched(stage, call_id).text.endswith("data: [DONE]\n\n")


@pytest.mark.long
def test_every_way_to_leave_on_sqlite(tmp_path: Path, upstream: Upstream) -> None:
    gateway = temporary_gateway(tmp_path).start()
    try:
        leave_in_every_way(gateway, upstream)
    finally:
        gateway.stop()


@pytest.mark.long
@pytest.mark.postgresql
def test_every_way_to_leave_on_postgresql(on_postgresql: Gateway, upstream: Upstream) -> None:
    leave_in_every_way(on_postgresql, upstream)


@pytest.mark.long
@pytest.mark.parametrize("in_time", [True, False])
def test_the_server_stops_while_an_answer_is_read_on(tmp_path: Path, upstream: Upstream, in_time: bool) -> None:
    """It is waited for as any other; what is not there in time is settled as what it is by then."""
    gateway = temporary_gateway(tmp_path, GATEWAY_SHUTDOWN_TIMEOUT="3").start()
    try:
        stage = Stage(gateway, upstream)
        connection = stage.call("drain", "hold-middle", streamed=True, request_id="stopped", relayed=True)
        read_until(connection, b"One")
        WAYS["fin"](connection)
        time.sleep(NOTICE_SECONDS)
        assert gateway.process is not None
        gateway.process.terminate()
        time.sleep(1)
        if in_time:
            upstream.go_on.set()
    finally:
        gateway.stop()
    query = "SELECT c.state, c.estimated, c.output_tokens, a.state FROM accounts_call c JOIN accounts_attempt a"
    with books(gateway) as ask:
        ((state, estimated, output, came_to),) = ask(f"{query} ON a.call_id = c.id WHERE c.request_id = 'stopped'")
    if in_time:
        assert (state, estimated, output, came_to) == ("client_gone", 0, 4, "done")
    else:
        assert (state, estimated, came_to) == ("client_gone", 1, "shutdown")
        assert 1 <= output <= 4


@pytest.mark.long
@pytest.mark.parametrize("relayed", [True, False])
@pytest.mark.parametrize("policy", ["drain", "keep"])
def test_nobody_reads_ahead_of_a_client_but_without_one(
    gateway: Gateway, upstream: Upstream, policy: str, relayed: bool
) -> None:
    stage = Stage(gateway, upstream)
    request_id = f"flood{upstream.port}"
    connection = stage.call(policy, "flood", streamed=True, request_id=request_id, relayed=relayed)
    time.sleep(1.5)
    assert upstream.streams_sent == 0, "a client that does not read holds the upstream back"
    WAYS["reset"](connection)
    query = f"SELECT id, state, estimated, output_tokens FROM accounts_call WHERE request_id = '{request_id}'"
    with books(gateway) as ask:
        wait_until(lambda: ask(query)[0][1] != "open", 10, lambda: ask(query))
        ((call, *came_to),) = ask(query)
        assert came_to == ["client_gone", 0, 4]
        kept = f"SELECT state FROM providers_keptanswer WHERE call_id = '{call}'"
        wait_until(lambda: ask(kept) == ([("too_large",)] if policy == "keep" else []), 5, lambda: ask(kept))
