"""The cast of every test: a gateway process, an upstream that others could have written, and who calls."""

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.gateway import Gateway
from tests.ledger_processes import scratch
from tests.sdks.tls import self_signed
from tests.serving import fresh, gateway_on, running
from tests.upstream import Upstream

PROVIDER_KEY = "sk-live-canary-4f2a9c77d01e5b36"


@pytest.fixture(scope="session", autouse=True)
def one_certificate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The one that clients in this process trust: reading everybody's takes longer than most calls, for each client."""
    trusted, _ = self_signed(tmp_path_factory.mktemp("trusted"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(trusted))
        yield


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway on SQLite that the whole run shares."""
    server = Gateway(tmp_path_factory.mktemp("gateway") / "var", UPSTREAM_TEST_KEY="sk-from-the-environment").start()
    yield server
    server.stop()


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """A scripted upstream for one test."""
    server = Upstream().start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def user_token(gateway: Gateway) -> str:
    """A token of somebody who may call and not change anything."""
    return gateway.token("ordinary")


@pytest.fixture(scope="session")
def staff_token(gateway: Gateway) -> str:
    """A token of somebody who may change providers."""
    return gateway.token("staff", staff=True)


@pytest.fixture
def provider(gateway: Gateway, staff_token: str, upstream: Upstream, request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of an `openai` provider that points at the scripted upstream, with short time limits.

    It is gone after the test: the gateway reads all providers anew after each change of one.
    """
    name = "p" + str(upstream.port)
    body = {
        "name": name,
        "type": "openai",
        "base_url": upstream.url,
        "api_key": PROVIDER_KEY,
        "default_model": "m",
        "allow_private_network": True,
        "connect_timeout": 1.0,
        "first_byte_timeout": 0.7,
        "gap_timeout": 0.7,
    }
    made = gateway.call(staff_token, body, "/api/providers")
    assert made.status_code == 201, made.text
    yield name
    gateway.call(staff_token, None, f"/api/providers/{name}", method="DELETE")


@pytest.fixture
def on_postgresql(tmp_path: Path) -> Iterator[Gateway]:
    """A gateway of a test's own, on PostgreSQL."""
    with scratch("postgresql", tmp_path / "var") as database:
        server = gateway_on(database)
        with running(server):
            yield server


def temporary_gateway(tmp_path: Path, **settings: str) -> Gateway:
    """A gateway of a test's own; the test stops it."""
    return fresh(tmp_path / "var", **settings)


# Tests with these markers need something that not every machine has.
_NEEDS = {"postgresql", "redis", "node", "browser", "nginx", "bench"}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where REQUIRE_EVERYTHING is set, as in CI, a test that was skipped for want of something has failed."""
    report = yield
    if report.skipped and os.environ.get("REQUIRE_EVERYTHING") and _NEEDS & {mark.name for mark in item.iter_markers()}:
        report.outcome = "failed"
    return report
