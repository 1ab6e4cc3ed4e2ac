"""The same code on PostgreSQL, and a cache in Redis: a gateway of its own against real servers."""

import os
import secrets
import time
from pathlib import Path

import pytest

from tests.conftest import PROVIDER_KEY
from tests.gateway import Gateway
from tests.upstream import Upstream


@pytest.mark.postgresql
def test_calls_keys_and_ledger(on_postgresql: Gateway, upstream: Upstream) -> None:
    gateway = on_postgresql
    token = gateway.token("staff", staff=True)
    body = {
        "name": "vendor",
        "type": "openai",
        "base_url": upstream.url,
        "api_key": PROVIDER_KEY,
        "default_model": "m",
        "allow_private_network": True,
    }
    assert gateway.call(token, body, "/api/providers").status_code == 201
    whole = gateway.call(token, {"provider": "vendor", "prompt": "x"})
    assert whole.json()["data"]["content"] == "Answer to: x"
    streamed = gateway.call(token, {"provider": "vendor", "prompt": "x", "stream": True})
    assert streamed.text.endswith("data: [DONE]\n\n")
    failed = gateway.call(token, {"provider": "vendor", "prompt": "x", "model": "status-500"})
    assert failed.status_code == 502
    query = "select state, input_tokens, output_tokens from accounts_call order by opened_at"
    for _ in range(50):
        rows = gateway.rows(query)
        if "open" not in {row[0] for row in rows}:
            break
        time.sleep(0.05)
    assert rows == [("done", 7, 5), ("done", 9, 4), ("upstream_error", 0, 0)]
    assert gateway.rows("select count(*) from accounts_attempt") == [(3,)]
    assert PROVIDER_KEY not in str(gateway.rows("select secret from providers_providerkey"))
    assert gateway.call(token, {"provider": "demo", "prompt": "x"}).status_code == 200


@pytest.mark.redis
def test_the_cache_is_in_redis(tmp_path: Path) -> None:
    url = os.environ.get("TEST_REDIS_URL", "")
    if not url:
        pytest.skip("needs a Redis server: TEST_REDIS_URL=redis://…")
    gateway = Gateway(tmp_path / "var", REDIS_URL=url)
    key = secrets.token_hex(8)
    write = f"from django.core.cache import cache; cache.set('{key}', 'kept', 60)"
    gateway.python(write)
    read = f"from django.core.cache import cache; print(cache.get('{key}')); cache.delete('{key}')"
    assert gateway.python(read).strip() == "kept"
