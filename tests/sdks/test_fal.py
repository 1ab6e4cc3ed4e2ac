"""The `fal-client` package, through TLS, as it knows nothing else."""

import json
import os
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.gateway import ROOT, Gateway
from tests.sdks.tls import Terminator, self_signed
from tests.sdks.ways import Way, check_what_arrived
from tests.serving import fresh
from tests.vendors import fal as vendor
from tests.vendors.fal import Fal
from tests.vendors.server import KEY, Vendor

MODEL = f"{vendor.APP}/dev"
INPUT = {"prompt": "a cat"}


@dataclass(frozen=True)
class Program:
    """Runs fal_program against a way. `hosts` are those for direct runs and for the queue."""

    way: Way
    hosts: tuple[str, str]
    trusted: Path

    def __call__(self, action: str, application: str = MODEL, key: str = "", **arguments: Any) -> dict[str, Any]:
        environment = {
            **os.environ,
            "FAL_RUN_HOST": self.hosts[0],
            "FAL_QUEUE_RUN_HOST": self.hosts[1],
            "FAL_KEY": key or self.way.key,
            "SSL_CERT_FILE": str(self.trusted),
            # An address that was not rewritten is fal's own: nothing that goes wrong here may get out.
            "HTTPS_PROXY": "http://127.0.0.1:9",
            "NO_PROXY": "127.0.0.1",
        }
        ran = subprocess.run(
            [sys.executable, "-W", "error", "-m", "tests.sdks.fal_program", action, application, json.dumps(arguments)],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        told: dict[str, Any] = json.loads(ran.stdout)
        return told


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that believes who stands in front of it that callers came by https."""
    server = fresh(tmp_path_factory.mktemp("secure") / "var", TRUSTED_PROXIES="127.0.0.1").start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def user_token(gateway: Gateway) -> str:
    return gateway.token("ordinary")


@pytest.fixture(scope="module")
def staff_token(gateway: Gateway) -> str:
    return gateway.token("staff", staff=True)


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    return self_signed(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(params=["direct", "proxy"])
def program(
    request: pytest.FixtureRequest,
    fal_vendor: Fal,
    gateway: Gateway,
    user_token: str,
    make_provider: Callable[[str, Vendor], str],
    certified: tuple[Path, ssl.SSLContext],
) -> Iterator[Program]:
    """The client, to the vendor itself or through the gateway."""
    trusted, context = certified
    direct = request.param == "direct"
    terminator = Terminator(tls=context, behind=fal_vendor.port if direct else gateway.port).start()
    host = f"127.0.0.1:{terminator.port}"
    if direct:
        way, hosts = Way("direct", fal_vendor, host, KEY), (host, host)
    else:
        host = f"{host}/proxy/{make_provider('fal', fal_vendor)}"
        way = Way("proxy", fal_vendor, host, user_token)
        hosts = (f"{host}/fal.run", f"{host}/queue.fal.run")
    yield Program(way, hosts, trusted)
    terminator.stop()
    check_what_arrived(way)


def test_run(program: Program) -> None:
    assert program("run", **INPUT) == {"done": vendor.RESULT}
    assert program.way.vendor.last.json == INPUT
    assert program.way.vendor.last.path == f"/{MODEL}"


def test_stream(program: Program) -> None:
    assert program("stream", **INPUT)["done"] == [{"progress": 1}, {"progress": 2}, vendor.RESULT]


@pytest.mark.parametrize("program", ["proxy"], indirect=True)
def test_queue(program: Program, fal_vendor: Fal) -> None:
    """The addresses in the queue's answers lead back to the gateway, or the client would go round it."""
    fal_vendor.queued = True
    told = program("queue", **INPUT)["done"]
    assert told["states"] == ["Queued", "InProgress", "Completed"]
    assert told["result"] == vendor.RESULT
    base = f"https://{program.hosts[1]}/{vendor.APP}/requests/req-1"
    assert told["urls"] == [base, f"{base}/status", f"{base}/cancel"]


@pytest.mark.parametrize("program", ["proxy"], indirect=True)
def test_cancel(program: Program, fal_vendor: Fal) -> None:
    fal_vendor.queued = True
    assert program("cancel", **INPUT) == {"done": "req-1"}
    assert fal_vendor.cancelled == ["req-1"]


@pytest.mark.parametrize(
    ("application", "arguments", "status"),
    [
        (MODEL, {"steps": 1}, 422),
        ("fal-ai/no-such-model", INPUT, 404),
        ("fal-ai/status-500", INPUT, 500),
        ("fal-ai/status-503", INPUT, 503),
    ],
)
def test_errors(program: Program, application: str, arguments: dict[str, Any], status: int) -> None:
    told = program("run", application, **arguments)
    assert (told["error"], told["status"]) == ("FalClientHTTPError", status)


def test_wrong_key(program: Program) -> None:
    told = program("run", key="wrong", **INPUT)
    assert (told["error"], told["status"]) == ("FalClientHTTPError", 401)
