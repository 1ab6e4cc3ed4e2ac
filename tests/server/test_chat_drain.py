"""The chat's sockets when the server stops: closed at once where nothing goes on, and never without a word."""

import time
from contextlib import ExitStack
from pathlib import Path

from tests.chatting import Chatter
from tests.conftest import PROVIDER_KEY, temporary_gateway
from tests.gateway import Gateway
from tests.upstream import Upstream

_GRACE = 1.5  # seconds


def make_provider(gateway: Gateway, upstream: Upstream) -> None:
    body = {
        "name": "held",
        "type": "openai",
        "base_url": upstream.url,
        "api_key": PROVIDER_KEY,
        "default_model": "m",
        "allow_private_network": True,
        "on_disconnect": "drain",
    }
    made = gateway.call(gateway.token("staff", staff=True), body, "/api/providers")
    assert made.status_code == 201, made.text


def test_sockets_in_a_server_that_stops(tmp_path: Path, upstream: Upstream, clients: ExitStack) -> None:
    gateway = temporary_gateway(tmp_path, GATEWAY_SHUTDOWN_TIMEOUT=str(_GRACE)).start()
    try:
        make_provider(gateway, upstream)
        token = gateway.token("ordinary")
        assert gateway.process is not None
        idle, running, ending, left = (clients.enter_context(Chatter.with_token(gateway, token)) for _ in range(4))
        assert idle.answer("demo")[-1]["type"] == "done"
        ending.ask("held/paced")
        running.ask("held/stream-stall")
        left.ask("held/stream-stall")
        for chatter in (running, ending, left):
            chatter.hear_until("delta")
        left.leave()
        time.sleep(0.2)
        began = time.monotonic()
        gateway.process.terminate()
        assert idle.close_code() == 1012
        assert time.monotonic() - began < 0.5
        upstream.go_on.set()
        assert ending.hear_until("done", "error")[-1]["type"] == "done"
        assert ending.close_code() == 1012
        error = running.hear_until("error")[-1]
        assert (error["type"], error["id"], error["code"]) == ("error", "q", "SERVER_STOPPING")
        assert running.close_code() == 1012
        assert _GRACE - 0.3 < time.monotonic() - began < _GRACE + 3
        assert gateway.process.wait(10) == 0
        states = sorted(row[0] for row in gateway.rows("SELECT state FROM accounts_call"))
        assert states == ["client_gone", "done", "done", "shutdown"]
        assert "Traceback" not in gateway.log()
    finally:
        gateway.stop()
