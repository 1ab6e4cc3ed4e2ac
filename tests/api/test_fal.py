"""fal's server-proxy protocol through the gateway, by header and by path, and that its key reaches nobody else."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.gateway import Gateway
from tests.recorder import JSON, Caller, Canary, Got, Recorder, Says, provider
from tests.vendors.server import KEY

ENTRANCES = ["/api/falai", "/api/falai/", "/proxy/0-fal", "/proxy/0-fal/"]
V3 = "?storage_type=fal-cdn-v3"
ID = "764cabcf-b745-4b3e-ae38-1200304cf45b"
REQUEST = f"queue.fal.run/fal-ai/flux/requests/{ID}"

PERMITTED = f"""
fal.run fal.run/ fal.run/a/b queue.fal.run queue.fal.run/ queue.fal.run/a/b FAL.RUN/a/B Queue.Fal.Run/a/b
fal.run/fal-ai/flux/dev fal.run/fal-ai/flux/dev/stream fal.run/workflows/o/w
fal.run/a/b?x=1&x=2&u=%2f..%2F&at=a@b:1//..?
queue.fal.run/fal-ai/flux/dev?fal_webhook=https%3A%2F%2Fexample.com%2Fhook {REQUEST} {REQUEST}/status?logs=1
rest.fal.ai/storage/upload/initiate{V3} rest.fal.ai/storage/upload/complete-multipart{V3}
rest.fal.ai/storage/upload/initiate-multipart{V3} rest.alpha.fal.ai/storage/upload/initiate{V3}
"""
# fal's own conformance cases, then the rest of what a target could be.
DENIED = r"""
https://fal.dev https://queue.fal.dev https://fal.ai https://queue.fal.ai https://example.com https://fal.com
https://fal.io https://api.fal.run https://notfal.run https://fal.run.evil.com https://rest.beta.fal.ai
https://rest.fal.ai/storage/upload/initiate https://rest.fal.ai/storage/upload/initiate?storage_type=other
https://rest.fal.ai/storage/upload/initiate/x?storage_type=fal-cdn-v3 https://rest.fal.ai/storage/other
https://rest.fal.ai/storage/upload/initiate?storage_type=fal-cdn-v3&x=1 https://rest.fal.ai/tokens/
http://fal.run/a/b HTTP://queue.fal.run/a ws://fal.run/a //fal.run/a fal.run/a /fal-ai/flux https:/fal.run/a
https:fal.run ftp://fal.run/a javascript:fal.run https:///fal.run/a https://
https://user@fal.run/a https://user:pass@fal.run/a https://@fal.run/a https://:@fal.run/a https://fal.run@evil.com/a
https://fal.run:443/a https://fal.run:8443/a https://fal.run:/a https://fal.run./a https://queue.fal.run./a
https://fаl.run/a https://ｆal.run/a https://fal。run/a https://xn--fl-7kc.run/a https://xn--fal.run/a
https://fa1.run/a https://fal-run.com/a https://fal.run-evil.com/a https://evilfal.run/a https://queue-fal.run/a
https://fal.run%2eevil.com/a https://fal%2erun/a https://fal.run%2f.evil.com/a https://fal.run%00.evil.com/a
https://fal.run/a%2fb https://fal.run/a%2Fb https://fal.run/a%5cb https://fal.run/%2e%2e/a https://fal.run/a/../b
https://fal.run//a https://fal.run/a//b https://fal.run/a%252fb https://fal.run/a#b https://fal.run#@evil.com/
https://fal.run\@evil.com/ https://evil.com\.fal.run/ https://evil.com?fal.run/ https://evil.com/fal.run/a
https://evil.com#.fal.run/ https://127.0.0.1/a https://[::1]/a https://localhost/a https://169.254.169.254/a
"""
HOSTILE = r"""
http://127.0.0.1:{0}/a https://127.0.0.1:{0}/a //127.0.0.1:{0}/a 127.0.0.1:{0}/a https://localhost:{0}/a http://[::1]:{0}/a
https://fal.run@127.0.0.1:{0}/a https://fal.run:x@127.0.0.1:{0}/a http://fal.run@127.0.0.1:{0}/a
https://127.0.0.1:{0}#@fal.run/a https://127.0.0.1:{0}?@fal.run/a https://127.0.0.1:{0}\@fal.run/a
https://fal.run\@127.0.0.1:{0}/a https://fal.run%40127.0.0.1:{0}/a https://127.0.0.1:{0}%2f.fal.run/a
https://127.0.0.1%3A{0}/a https://127.0.0.1:{0}/fal.run/a https://2130706433:{0}/a https://0x7f.1:{0}/a
https://127.1:{0}/a https://fal.run:{0}@127.0.0.1:{0}/a https://127.0.0.1:{0}/.fal.run https://127.0.0.1:{0}%00.fal.run/
https://fal.run;@127.0.0.1:{0}/a https://fal.run,127.0.0.1:{0}/a https://fal.run&@127.0.0.1:{0}/a
"""
HOSTILE_PATHS = r"""
/127.0.0.1:{0}/a //127.0.0.1:{0}/a /@127.0.0.1:{0}/a /fal.run@127.0.0.1:{0}/a /fal.run%40127.0.0.1:{0}/a /fal.run:{0}/a
/.fal.run@127.0.0.1:{0} /http://127.0.0.1:{0}/a /https:/127.0.0.1:{0}/a /localhost:{0}/a /evil.com/a /fal.run.evil.com/a
/fal.run\@127.0.0.1:{0}/a /queue.fal.run;@127.0.0.1:{0}/a /..@127.0.0.1:{0}/a /%40127.0.0.1:{0}/a
/fal.run#@127.0.0.1:{0}/
"""


@pytest.fixture(scope="module")
def caller(gateway: Gateway, user_token: str, staff_token: str, recorder: Recorder) -> Iterator[Caller]:
    """With `0-fal`, whose name makes it the first of its type; its calls go to the recorder instead of to fal."""
    limited = {"allowed_endpoints": ["fal-ai/flux/dev", "fal-ai/fast-*", "*/upscale", "beta-org/**"]}
    others: dict[str, dict[str, Any]] = {"closed": {"config": {"allowed_targets": []}}, "limited": {"config": limited}}
    others |= {"wider": {"config": {"allowed_targets": ["rest.fal.ai/tokens/", "evil.com/**", "*.evil.com/**"]}}}
    others |= {"guarded": {"allow_private_network": False}}
    with ExitStack() as stack:
        stack.enter_context(provider(gateway, staff_token, "0-fal", "fal", recorder.url))
        for name, fields in others.items():
            stack.enter_context(provider(gateway, staff_token, f"1-{name}", "fal", recorder.url, **fields))
        for name, private in {"1-direct": False, "1-inward": True}.items():
            stack.enter_context(provider(gateway, staff_token, name, "fal", "", allow_private_network=private))
        yield Caller(gateway, user_token)


def named(target: str) -> tuple[tuple[str, str], ...]:
    return (*JSON, ("x-fal-target-url", target))


def assert_refused(caller: Caller, recorder: Recorder, got: Got, status: int) -> None:
    """In fal's shape, with nothing sent."""
    assert got.status == status, got.body
    said = json.loads(got.body)
    assert isinstance(said["detail"], str)
    assert said["error_type"]
    assert KEY not in repr(got)
    assert recorder.requests == []
    assert caller.row(got)["state"] == "refused"


@pytest.mark.parametrize("entrance", ENTRANCES)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_methods(caller: Caller, recorder: Recorder, entrance: str, method: str) -> None:
    """On every entrance, without a redirect to another."""
    recorder.says(Says((b'{"a" : 1}',)))
    answer = caller.ask(method, entrance, named(f"https://{REQUEST}/cancel"), b'{"b" : 2}')
    assert (answer.status, answer.body) == (200, b'{"a" : 1}')
    arrived = recorder.arrived
    assert (arrived.method, arrived.path) == (method, f"/base/fal-ai/flux/requests/{ID}/cancel")
    assert arrived.body == (b"" if method == "GET" else b'{"b" : 2}')
    assert arrived.headers["authorization"] == f"Key {KEY}"
    assert caller.row(answer)["provider"] == "0-fal"


@pytest.mark.parametrize("target", PERMITTED.split())
def test_permitted_targets(caller: Caller, recorder: Recorder, target: str) -> None:
    recorder.says(Says())
    for scheme in ("https", "HTTPS"):
        recorder.requests.clear()
        answer = caller.ask("POST", "/api/falai", named(f"{scheme}://{target}"), b"{}")
        assert answer.status == 200
        below = target.partition("/")[1] + target.partition("/")[2]
        assert recorder.arrived.path == f"/base{below}"
        assert recorder.arrived.headers["authorization"] == f"Key {KEY}"
    assert caller.row(answer)["state"] == "done"


@pytest.mark.parametrize("target", DENIED.split())
def test_denied_targets(caller: Caller, recorder: Recorder, target: str) -> None:
    recorder.says(Says())
    assert_refused(caller, recorder, caller.ask("POST", "/api/falai/", named(target), b"{}"), 412)


@pytest.mark.parametrize("entrance", ENTRANCES)
@pytest.mark.parametrize("headers", [JSON, named(""), named(" ")])
def test_no_target(caller: Caller, recorder: Recorder, entrance: str, headers: tuple[tuple[str, str], ...]) -> None:
    recorder.says(Says())
    assert_refused(caller, recorder, caller.ask("POST", entrance, headers, b"{}"), 400)


@pytest.mark.parametrize("entrance", ENTRANCES)
@pytest.mark.parametrize("method", ["DELETE", "PATCH"])
def test_other_methods(caller: Caller, recorder: Recorder, entrance: str, method: str) -> None:
    recorder.says(Says())
    assert_refused(caller, recorder, caller.ask(method, entrance, named("https://fal.run/a/b"), b"{}"), 405)
    assert caller.ask("HEAD", entrance, named("https://fal.run/a/b")).status == 405


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/jsonp", "text/json", "multipart/form-data; boundary=x"]
)
def test_bodies_that_are_no_json(caller: Caller, recorder: Recorder, method: str, kind: str) -> None:
    recorder.says(Says())
    headers = [("X-Fal-Target-Url", "https://fal.run/a/b"), *([("Content-Type", kind)] if kind else [])]
    assert_refused(caller, recorder, caller.ask(method, "/api/falai", headers, b"{}"), 415)


@pytest.mark.parametrize("kind", ["", "text/plain", "application/json; charset=utf-8", "Application/JSON"])
def test_a_type_without_a_body_does_not_matter(caller: Caller, recorder: Recorder, kind: str) -> None:
    headers = [("X-Fal-Target-Url", "https://fal.run/a/b"), *([("Content-Type", kind)] if kind else [])]
    for method, body in {"PUT": b"", "POST": b"", "GET": b"text"}.items():
        recorder.says(Says())
        answer = caller.ask(method, "/api/falai", headers, body)
        assert answer.status == 200
        assert recorder.arrived.body == b""


def test_the_order_of_refusals(caller: Caller, recorder: Recorder) -> None:
    recorder.says(Says())
    text = [("Content-Type", "text/plain")]
    assert_refused(caller, recorder, caller.ask("PATCH", "/api/falai", text, b"x"), 405)
    assert_refused(caller, recorder, caller.ask("POST", "/api/falai", text, b"x"), 400)
    evil = [*text, ("x-fal-target-url", "https://evil.com/a")]
    assert_refused(caller, recorder, caller.ask("POST", "/api/falai", evil, b"x"), 412)


@pytest.mark.parametrize("credential", ["", "Authorization: Key nobody", "Authorization: Basic dTpw", "Cookie: a=b"])
def test_nobody(caller: Caller, recorder: Recorder, credential: str) -> None:
    recorder.says(Says())
    for entrance in ENTRANCES:
        answer = caller.ask("POST", entrance, named("https://evil.com"), b"{}", credential=credential)
        assert answer.status == 401
        assert json.loads(answer.body)["detail"]
        assert caller.rows(answer.request_id) == []
    assert recorder.requests == []


@pytest.mark.parametrize("credential", ["Key {}", "Bearer {}", "Token {}"])
def test_what_reaches_fal(caller: Caller, recorder: Recorder, credential: str) -> None:
    recorder.says(Says())
    headers = [("x-fal-queue-priority", "low"), ("User-Agent", "ua/1"), ("Accept", "text/html"), ("Cookie", "canary")]
    headers += [("x-fal-object-lifecycle-preference", '{"a":1}'), ("Accept-Language", "canary"), ("Range", "canary")]
    line = f"authorization: {credential.format(caller.token)}"
    assert (
        caller.ask("POST", "/api/falai", [*named("https://fal.run/a/b"), *headers], b"{}", credential=line).status
        == 200
    )
    received = {name.lower(): value for name, value in recorder.arrived.pairs}
    assert received == {
        "host": f"127.0.0.1:{recorder.port}",
        "authorization": f"Key {KEY}",
        "accept": "application/json",
        "accept-encoding": "identity",
        "content-type": "application/json",
        "content-length": "2",
        "user-agent": "ua/1",
        "x-fal-target-url": "https://fal.run/a/b",
        "x-fal-queue-priority": "low",
        "x-fal-object-lifecycle-preference": '{"a":1}',
    }


@pytest.mark.parametrize("status", [200, 400, 404, 422, 500, 503, 504])
def test_what_comes_back(caller: Caller, recorder: Recorder, status: int) -> None:
    body = b'{"detail" : [{"loc": ["body"], "msg": "no", "type": "t"}]}'
    told = {"x-fal-error-type": "bad_request", "x-fal-retryable": "false", "x-fal-request-id": "r"}
    recorder.says(Says((body,), status, [*JSON, *told.items(), ("Set-Cookie", "canary"), ("Server", "canary")]))
    answer = caller.ask("POST", "/api/falai", named("https://fal.run/a/b"), b"{}")
    assert (answer.status, answer.body) == (status, body)
    assert {name: answer.headers.get(name) for name in told} == told
    assert "canary" not in repr(answer)


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("https://fal.run/fal-ai/flux/dev", 200),
        ("https://queue.fal.run/fal-ai/flux/dev", 200),
        ("https://fal.run/fal-ai/flux/dev?x=1", 200),
        ("https://fal.run/fal-ai/flux/dev/more", 400),
        ("https://fal.run/fal-ai/flux", 400),
        ("https://fal.run/fal-ai/fast-sdxl", 200),
        ("https://fal.run/fal-ai/slow-sdxl", 400),
        ("https://fal.run/anybody/upscale", 200),
        ("https://fal.run/any/body/upscale", 400),
        ("https://fal.run/beta-org", 200),
        ("https://queue.fal.run/beta-org/x/requests/1/status", 200),
        ("https://fal.run/", 400),
        (f"https://rest.fal.ai/storage/upload/initiate{V3}", 200),
    ],
)
def test_models_that_are_listed(caller: Caller, recorder: Recorder, target: str, status: int) -> None:
    recorder.says(Says())
    answer = caller.ask("POST", "/proxy/1-limited", named(target), b"{}")
    if status == 200:
        assert (answer.status, len(recorder.requests)) == (200, 1)
    else:
        assert_refused(caller, recorder, answer, status)


@pytest.mark.parametrize(
    ("name", "target", "status"),
    [
        ("1-closed", "https://fal.run/a/b", 412),
        ("1-wider", "https://rest.fal.ai/tokens/", 200),
        ("1-wider", "https://fal.run/a/b", 412),
        ("1-wider", "https://evil.com/a", 412),
        ("1-wider", "https://fal.run.evil.com/a", 412),
    ],
)
def test_targets_that_are_listed(caller: Caller, recorder: Recorder, name: str, target: str, status: int) -> None:
    """Whatever the list says, the key stays with fal."""
    recorder.says(Says())
    answer = caller.ask("POST", f"/proxy/{name}", named(target), b"{}")
    assert answer.status == status
    assert len(recorder.requests) == (status == 200)


def test_the_key_reaches_no_other_host(caller: Caller, recorder: Recorder) -> None:
    """Whether the provider has an address of its own or not, and a right to private addresses or not."""
    canary = Canary()
    try:
        recorder.says(Says())
        for name in ("0-fal", "1-direct", "1-inward"):
            for target in HOSTILE.format(canary.port).split():
                assert_refused(caller, recorder, caller.ask("POST", f"/proxy/{name}", named(target), b"{}"), 412)
        for path in HOSTILE_PATHS.format(canary.port).split():
            recorder.says(Says())
            answer = caller.ask("POST", f"/proxy/0-fal{path}", JSON, b"{}")
            assert answer.status in {200, 400, 412}
            assert len(recorder.requests) == (answer.status == 200), "if anywhere, then below the provider's address"
        assert canary.connections() == 0
        socket.create_connection(("127.0.0.1", canary.port)).close()
        assert canary.connections() == 1, "it would have seen one"
    finally:
        canary.close()


def test_an_address_that_is_not_allowed(caller: Caller, recorder: Recorder) -> None:
    """The provider's own, where it is private and its settings do not allow that."""
    recorder.says(Says())
    before = recorder.connections
    answer = caller.ask("POST", "/proxy/1-guarded", named("https://fal.run/a/b"), b"{}")
    assert answer.status == 502
    assert json.loads(answer.body)["error_type"] == "generation_error"
    assert recorder.connections == before
