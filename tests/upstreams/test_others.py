"""POST /api/generate against upstreams that others wrote: aimock, and the one that the benchmarks use."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.gateway import ROOT, Gateway, free_port

_AIMOCK = ROOT / "tests/node/node_modules/@copilotkit/aimock/dist/cli.js"
_FIXTURES = {
    "fixtures": [
        {"match": {"userMessage": "hello"}, "response": {"content": "Hello! How can I help you today?"}},
        {"match": {"userMessage": "ሰላም"}, "response": {"content": "ሰላም! እንዴት ልርዳዎት?"}},
    ]
}


def run(command: list[str], port: int) -> Iterator[str]:
    """Runs an upstream until the test is over; yields its base URL once it accepts connections."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 15
        while True:
            try:
                httpx.get(f"http://127.0.0.1:{port}/stats", timeout=1)
                break
            except httpx.TransportError:
                assert time.monotonic() < deadline, f"{command[0]} does not answer"
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def aimock(tmp_path: Path) -> Iterator[str]:
    node = shutil.which("node")
    if node is None or not _AIMOCK.exists():
        pytest.skip("needs Node.js and `npm ci` in tests/node")
    (tmp_path / "fixtures.json").write_text(json.dumps(_FIXTURES), encoding="utf-8")
    port = free_port()
    arguments = ["--port", str(port), "--fixtures", str(tmp_path / "fixtures.json"), "--latency", "60", "-c", "6"]
    yield from run([node, str(_AIMOCK), *arguments], port)


@pytest.fixture
def bench() -> Iterator[str]:
    script = os.environ.get("BENCH_UPSTREAM", "")
    if not Path(script).is_file():
        pytest.skip("needs the bench upstream: BENCH_UPSTREAM=…/upstream.py")
    port = free_port()
    yield from run([sys.executable, script, "--port", str(port), "--chunks", "20", "--interval-ms", "30"], port)


def add(gateway: Gateway, staff_token: str, base_url: str) -> str:
    """A provider for an upstream; returns its name."""
    name = f"other{base_url.split(':')[2].split('/')[0]}"
    body = {
        "name": name,
        "type": "openai",
        "base_url": base_url,
        "api_key": "sk-some-key-for-an-upstream",
        "default_model": "gpt-4o-mini",
        "allow_private_network": True,
    }
    assert gateway.call(staff_token, body, "/api/providers").status_code == 201
    return name


def stream(gateway: Gateway, token: str, body: dict[str, Any]) -> tuple[list[dict[str, Any]], list[float], str]:
    """A streamed call: its events, the moment each came, and the last line."""
    events, moments, last = [], [], ""
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.stream("POST", f"{gateway.url}/api/generate", json=body | {"stream": True}, headers=headers) as answer:
        assert answer.status_code == 200
        for line in answer.iter_lines():
            if line:
                last = line
            if line.startswith("data: {"):
                events.append(json.loads(line.removeprefix("data: ")))
                moments.append(time.monotonic())
    return events, moments, last


@pytest.mark.node
def test_aimock_whole(gateway: Gateway, staff_token: str, user_token: str, aimock: str) -> None:
    name = add(gateway, staff_token, aimock)
    answer = gateway.call(user_token, {"provider": name, "prompt": "hello", "max_tokens": 50, "temperature": 0.7})
    data = answer.json()["data"]
    assert (data["content"], data["provider"]) == ("Hello! How can I help you today?", name)
    usage = data["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    messages = [{"role": "system", "content": "Be kind"}, {"role": "user", "content": "ሰላም"}]
    answer = gateway.call(user_token, {"provider": name, "messages": messages})
    assert answer.json()["data"]["content"] == "ሰላም! እንዴት ልርዳዎት?"


@pytest.mark.node
def test_aimock_streamed(gateway: Gateway, staff_token: str, user_token: str, aimock: str) -> None:
    name = add(gateway, staff_token, aimock)
    events, moments, last = stream(gateway, user_token, {"provider": name, "prompt": "hello"})
    assert "".join(event["content"] for event in events) == "Hello! How can I help you today?"
    assert events[-1]["usage"]["total_tokens"] > 0
    assert last == "data: [DONE]"
    assert moments[-1] - moments[0] > 0.2, "the pieces came as they were sent"


@pytest.mark.bench
def test_bench_whole(gateway: Gateway, staff_token: str, user_token: str, bench: str) -> None:
    name = add(gateway, staff_token, bench)
    limited = gateway.call(user_token, {"provider": name, "prompt": "hello there", "max_tokens": 10}).json()["data"]
    assert limited["finish_reason"] == "length"
    assert limited["usage"] == {"prompt_tokens": 11, "completion_tokens": 10, "total_tokens": 21}
    messages = [{"role": "user", "content": "hello there"}]
    data = gateway.call(user_token, {"provider": name, "messages": messages}).json()["data"]
    assert data["content"].startswith("A canned answer")
    assert data["usage"] == {"prompt_tokens": 11, "completion_tokens": 24, "total_tokens": 35}


@pytest.mark.bench
def test_bench_streamed(gateway: Gateway, staff_token: str, user_token: str, bench: str) -> None:
    """Each chunk's text is the moment it was sent, on the clock that this process reads too."""
    name = add(gateway, staff_token, bench)
    events, moments, last = stream(gateway, user_token, {"provider": name, "prompt": "count"})
    sent = [int(event["content"]) / 1e9 for event in events if event["content"]]
    assert len(sent) == 20
    assert moments[0] < sent[-1], "the first event was here before the last was sent"
    assert max(came - went for came, went in zip(moments, sent, strict=False)) < 0.2
    assert events[-1]["usage"]["completion_tokens"] == 20
    assert last == "data: [DONE]"
