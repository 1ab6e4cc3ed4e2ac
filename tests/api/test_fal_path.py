"""fal by path, as its clients reach it that have a host to set and no proxy: /proxy/{name}/{host}/{owner}/{alias}."""

import json
from collections.abc import Iterator

import pytest

from tests.gateway import Gateway
from tests.recorder import JSON, Caller, Recorder, Says, provider
from tests.vendors.server import KEY

ID = "764cabcf-b745-4b3e-ae38-1200304cf45b"
AT_FAL = f"https://queue.fal.run/fal-ai/flux/requests/{ID}"
QUEUED = {
    "status": "IN_QUEUE",
    "request_id": ID,
    "response_url": AT_FAL,
    "status_url": f"{AT_FAL}/status",
    "cancel_url": f"{AT_FAL}/cancel",
    "queue_position": 0,
    "logs": None,
    "metrics": {"inference_time": 0.125, "status_url": "https://queue.fal.run/inner"},
    "note": '\u1230 " \\ https://queue.fal.run/x',
}


@pytest.fixture(scope="module")
def caller(gateway: Gateway, user_token: str, staff_token: str, recorder: Recorder) -> Iterator[Caller]:
    with provider(gateway, staff_token, "0-fal", "fal", recorder.url):
        yield Caller(gateway, user_token)


@pytest.mark.parametrize("entrance", ["/api/falai", "/proxy/0-fal"])
@pytest.mark.parametrize(
    ("path", "arrives"),
    [
        ("/fal.run/fal-ai/flux", "/fal-ai/flux"),
        ("/fal-ai/flux/dev", "/fal-ai/flux/dev"),
        ("/fal-ai/flux/dev/", "/fal-ai/flux/dev/"),
        ("/queue.fal.run/fal-ai/flux?fal_webhook=https%3A%2F%2Fa.example&x=%20+", None),
        ("/Queue.Fal.Run/fal-ai/flux/dev", "/fal-ai/flux/dev"),
        ("/rest.fal.ai/storage/upload/initiate?storage_type=fal-cdn-v3", None),
        ("/fal.run/a/b?key=canary-q&x=1", "/a/b?x=1"),
        ("/fal.run", ""),
    ],
)
def test_paths(caller: Caller, recorder: Recorder, entrance: str, path: str, arrives: str | None) -> None:
    recorder.says(Says((b'{"a": 1.0}',)))
    answer = caller.ask("POST", f"{entrance}{path}", JSON, b'{"prompt" : "p"}')
    assert (answer.status, answer.body) == (200, b'{"a": 1.0}')
    assert recorder.arrived.path == "/base" + (
        path[1:].partition("/")[2].join(("/", "")) if arrives is None else arrives
    )
    assert recorder.arrived.headers["authorization"] == f"Key {KEY}"
    assert recorder.arrived.body == b'{"prompt" : "p"}'


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/evil.com/a", 412),
        ("POST", "/fal.dev/a", 412),
        ("POST", "/fal.run//a", 412),
        ("POST", "/fal.run/a%2fb", 412),
        ("POST", "/fal.run/a/../b", 400),
        ("POST", "/fal.run./a", 200),  # no host, so a path at fal.run
        ("POST", "/rest.fal.ai/tokens/", 412),
        ("DELETE", "/fal.run/a/b", 405),
    ],
)
def test_refused_paths(caller: Caller, recorder: Recorder, method: str, path: str, status: int) -> None:
    recorder.says(Says())
    answer = caller.ask(method, f"/proxy/0-fal{path}", JSON, b"{}")
    assert answer.status == status
    assert len(recorder.requests) == (status == 200)
    assert status == 200 or json.loads(answer.body)["detail"]


@pytest.mark.parametrize("entrance", ["/api/falai", "/proxy/0-fal"])
def test_a_queue_s_answer_leads_back_here(caller: Caller, recorder: Recorder, entrance: str) -> None:
    for method, path in (("POST", "/queue.fal.run/fal-ai/flux/dev"), ("GET", f"{AT_FAL[7:]}/status?logs=1")):
        recorder.says(Says((json.dumps(QUEUED, indent=1).encode(),), headers=[*JSON, ("x-fal-request-id", "r")]))
        answer = caller.ask(method, f"{entrance}{path}", JSON, b"{}" if method == "POST" else b"")
        assert (answer.status, answer.headers["x-fal-request-id"]) == (200, "r")
        ours = f"{caller.gateway.url}{entrance}/queue.fal.run/fal-ai/flux/requests/{ID}"
        urls = {"response_url": ours, "status_url": f"{ours}/status", "cancel_url": f"{ours}/cancel"}
        said = json.loads(answer.body)
        assert said == {**QUEUED, **urls}
        assert list(said) == list(QUEUED)
        assert caller.row(answer)["estimated"] == 0

    recorder.says(Says((b"{}",)))
    for method, url in (("GET", said["response_url"]), ("GET", said["status_url"]), ("PUT", said["cancel_url"])):
        recorder.requests.clear()
        assert caller.ask(method, url.removeprefix(caller.gateway.url)).status == 200
        assert recorder.arrived.path == f"/base{url.partition('queue.fal.run')[2]}"


def test_named_in_the_header_nothing_is_changed(caller: Caller, recorder: Recorder) -> None:
    body = json.dumps(QUEUED, indent=1).encode()
    recorder.says(Says((body,)))
    headers = [*JSON, ("x-fal-target-url", "https://queue.fal.run/fal-ai/flux/dev")]
    assert caller.ask("POST", "/proxy/0-fal", headers, b"{}").body == body


def test_a_long_log_of_a_run(caller: Caller, recorder: Recorder) -> None:
    status = {**QUEUED, "logs": [{"message": "x" * 2_000_000}]}
    recorder.says(Says((json.dumps(status).encode(),)))
    answer = caller.ask("GET", f"/proxy/0-fal{AT_FAL[7:]}/status?logs=1")
    assert json.loads(answer.body)["logs"] == status["logs"]


def test_a_status_as_it_changes(caller: Caller, recorder: Recorder) -> None:
    """A stream is passed on as it comes."""
    pieces = (b'data: {"status": "IN_QUEUE"}\n\n', b'data: {"status": "COMPLETED"}\n\n')
    recorder.says(Says(pieces, headers=[("Content-Type", "text/event-stream")], framing="chunked", pause=1))
    accepts = [("Accept", "text/event-stream")]
    with caller.open("GET", f"/proxy/0-fal{AT_FAL[7:]}/status/stream", accepts) as answer:
        assert answer.some() == pieces[0]
        recorder.go_on.set()
        assert answer.rest() == pieces[1]
    assert recorder.arrived.headers["accept"] == "text/event-stream"
    assert caller.row(answer)["state"] == "done"


@pytest.mark.parametrize(
    "body", [b"[]", b"not json", b'{"status_url": "https://a:b"}', b'{"status_url": 7', b'{"a":1e999}']
)
def test_a_queue_that_answers_oddly(caller: Caller, recorder: Recorder, body: bytes) -> None:
    recorder.says(Says((body,)))
    answer = caller.ask("POST", "/proxy/0-fal/queue.fal.run/a/b", JSON, b"{}")
    assert answer.status == 502
    assert json.loads(answer.body)["error_type"] == "generation_error"
    assert caller.row(answer)["state"] == "upstream_error"


@pytest.mark.parametrize(
    ("units", "measures", "estimated"),
    [("2.5", {"billable_units": 2.5, "images": 2.0}, 0), ("", {"images": 2.0}, 1), ("-1", {"images": 2.0}, 1)],
)
@pytest.mark.parametrize(
    ("method", "path", "model"),
    [
        ("GET", AT_FAL[7:], "fal-ai/flux"),
        ("GET", f"{AT_FAL[7:]}/response", "fal-ai/flux"),
        ("POST", "/fal.run/fal-ai/flux/dev", "fal-ai/flux/dev"),
    ],
)
def test_what_a_run_cost(
    caller: Caller,
    recorder: Recorder,
    method: str,
    path: str,
    model: str,
    units: str,
    measures: dict[str, float],
    estimated: int,
) -> None:
    body = b'{"images": [{"url": "https://a.example/1"}, {}], "seed": 1}'
    recorder.says(Says((body,), headers=[*JSON, ("x-fal-billable-units", units)]))
    answer = caller.ask(method, f"/proxy/0-fal{path}", JSON, b"{}" if method == "POST" else b"")
    assert answer.body == body
    row = caller.row(answer)
    assert (row["model"], json.loads(row["measures"]), row["estimated"]) == (model, measures, estimated)


def test_a_run_as_a_stream(caller: Caller, recorder: Recorder) -> None:
    pieces = (b'data: {"images": []}\n\nda', b'ta: {"done": true}\n\n')
    headers = [("Content-Type", "text/event-stream"), ("x-fal-billable-units", "3")]
    recorder.says(Says(pieces, headers=headers, framing="chunked"))
    answer = caller.ask(
        "POST", "/proxy/0-fal/fal.run/fal-ai/flux/stream", [*JSON, ("Accept", "text/event-stream")], b"{}"
    )
    assert answer.body == b"".join(pieces)
    row = caller.row(answer)
    assert (row["state"], row["model"], row["measures"], row["estimated"]) == (
        "done",
        "fal-ai/flux",
        '{"billable_units": 3.0}',
        0,
    )
