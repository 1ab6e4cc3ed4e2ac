"""The pass-through's answers: of every status, from their first byte on, to their end or where they break off."""

import http.client
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from tests.recorder import CARRIERS, JSON, Caller, Recorder, Says, at
from tests.vendors.server import KEY, LEAK

_SSE = [("Content-Type", "text/event-stream")]
_AUDIO = [("Content-Type", "audio/mpeg")]
# In two halves each; what is in them is for no meter, only for the byte.
KINDS = {
    "events": Says((b'event: a\ndata: {"x":1}\n\n: ping\r\nda', b'ta: {"y":2}\n\n'), headers=_SSE, framing="chunked"),
    "audio": Says((b"\xff\xfb\x90\x00" * 40, b"\x00\xff" * 999), headers=_AUDIO, framing="chunked"),
    "document": Says((b'{"text": "\xe1\x88', b'\xb0"}'), headers=JSON),
    "until-the-end": Says((b"ID3\x04", b"\x00" * 50), headers=_AUDIO, framing="close"),
}


@pytest.mark.parametrize("vendor", CARRIERS)
@pytest.mark.parametrize("status", [201, 202, 204, 206, 304])
def test_successes_keep_their_status(caller: Caller, recorder: Recorder, vendor: str, status: int) -> None:
    recorder.says(Says((b'{"a":1}',), status, [*JSON, ("ETag", '"e"')]))
    answer = caller.ask("GET", at(vendor), JSON)
    assert (answer.status, answer.headers["etag"]) == (status, '"e"')
    assert answer.body == (b"" if status in {204, 304} else b'{"a":1}')
    assert caller.row(answer)["state"] == "done"


@pytest.mark.parametrize("vendor", CARRIERS)
@pytest.mark.parametrize("status", [400, 402, 404, 409, 413, 422, 429, 500, 503, 529])
def test_errors_come_back_as_they_are(caller: Caller, recorder: Recorder, vendor: str, status: int) -> None:
    body = b'{"error": {"message" : "no such \xe1\x88\xb0"} }\n'
    recorder.says(Says((body[:9], body[9:]), status, [*JSON, ("Retry-After", "7"), ("x-should-retry", "false")]))
    answer = caller.ask("POST", at(vendor), JSON, b'{"model": "m-1"}')
    assert (answer.status, answer.body) == (status, body)
    assert (answer.headers["retry-after"], answer.headers["x-should-retry"]) == ("7", "false")
    assert answer.headers["content-type"] == "application/json"
    row = caller.row(answer)
    assert (row["state"], row["statuses"], row["input_tokens"], row["estimated"]) == (
        "upstream_error",
        str(status),
        0,
        0,
    )
    assert row["provider"] == f"via-{vendor}"


@pytest.mark.parametrize("status", [200, 404, 429, 500])
def test_head_tells_what_get_would(caller: Caller, recorder: Recorder, status: int) -> None:
    recorder.says(Says((b"x" * 2345,), status, [*JSON, ("Retry-After", "7")]))
    answer = caller.ask("HEAD", at("openai"))
    assert (answer.status, answer.body) == (status, b"")
    assert (answer.headers["content-length"], answer.headers["retry-after"]) == ("2345", "7")


@pytest.mark.parametrize("vendor", CARRIERS)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 401, 403])
def test_what_is_between_gateway_and_vendor_stays_there(
    caller: Caller, recorder: Recorder, vendor: str, status: int
) -> None:
    for words in (b'{"error": "%b: %b is wrong"}' % (LEAK.encode(), KEY.encode()), LEAK.encode(), b""):
        recorder.says(Says((words,), status, [*JSON, ("Location", f"https://{LEAK}"), ("WWW-Authenticate", LEAK)]))
        answer = caller.ask("POST", at(vendor), JSON, b"{}")
        assert answer.status == 502
        assert LEAK not in repr(answer)
        assert KEY not in repr(answer)
        assert caller.row(answer)["statuses"] == str(status)
        assert len(recorder.requests) == 1, "no redirect is followed"


@pytest.mark.parametrize("vendor", CARRIERS)
@pytest.mark.parametrize("status", [400, 422, 500])
def test_an_error_that_quotes_the_key(caller: Caller, recorder: Recorder, vendor: str, status: int) -> None:
    recorder.says(Says((b'{"error": "the key %b may not do this"}' % KEY.encode(),), status))
    answer = caller.ask("POST", at(vendor), JSON, b"{}")
    assert answer.status == 502
    assert KEY not in repr(answer)
    assert caller.row(answer)["state"] == "upstream_error"


@pytest.mark.parametrize("target", ["/proxy/nobody", "/proxy/nobody/", "/proxy/nobody/v1/x/"])
def test_a_provider_that_is_not_there(caller: Caller, target: str) -> None:
    answer = caller.ask("POST", target, JSON, b"{}")
    assert answer.status == 404
    assert "location" not in answer.headers
    assert caller.rows(answer.request_id) == []


@pytest.mark.parametrize("vendor", CARRIERS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_first_byte_comes_before_the_last_is_sent(
    caller: Caller, recorder: Recorder, vendor: str, kind: str
) -> None:
    script = KINDS[kind]
    recorder.says(replace(script, pause=1))
    with caller.open("POST", at(vendor), JSON, b'{"stream": true}') as answer:
        begun = b""
        while len(begun) < len(script.pieces[0]):
            begun += answer.some()
        assert begun == script.pieces[0]
        assert not recorder.go_on.is_set()
        recorder.go_on.set()
        assert begun + answer.rest() == script.body
        assert answer.headers.get("content-length") == (str(len(script.body)) if script.framing == "length" else None)
    row = caller.row(answer)
    assert (row["state"], row["streamed"]) == ("done", 1)


@pytest.mark.parametrize("vendor", CARRIERS)
@pytest.mark.parametrize("kind", ["events", "audio", "document"])
def test_an_answer_that_breaks_off_looks_broken(caller: Caller, recorder: Recorder, vendor: str, kind: str) -> None:
    script = KINDS[kind]
    recorder.says(replace(script, length=len(script.body) + 9, cut=True))
    with caller.open("POST", at(vendor), JSON, b"{}") as answer:
        assert answer.status == 200
        with pytest.raises(http.client.IncompleteRead) as broken:
            answer.rest()
        assert script.body.startswith(broken.value.partial)
    assert caller.row(answer)["state"] == "truncated"


@pytest.mark.parametrize("vendor", CARRIERS)
def test_an_answer_that_breaks_off_before_its_first_byte(caller: Caller, recorder: Recorder, vendor: str) -> None:
    recorder.says(Says((), length=9, cut=True))
    answer = caller.ask("POST", at(vendor), JSON, b"{}")
    assert answer.status == 502
    assert caller.row(answer)["state"] == "truncated"


@pytest.mark.parametrize("status", [400, 429, 500])
def test_an_error_that_breaks_off(caller: Caller, recorder: Recorder, status: int) -> None:
    recorder.says(Says((b'{"error": "',), status, length=99, cut=True))
    answer = caller.ask("POST", at("openai"), JSON, b"{}")
    assert answer.status == 502
    assert caller.row(answer)["state"] == "truncated"


@pytest.mark.parametrize("vendor", CARRIERS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_client_that_leaves_ends_the_upstream(caller: Caller, recorder: Recorder, vendor: str, kind: str) -> None:
    recorder.says(replace(KINDS[kind], pause=1))
    with caller.open("POST", at(vendor), JSON, b"{}") as answer:
        assert answer.some()
    deadline = time.monotonic() + 2
    while not recorder.hung_up:
        assert time.monotonic() < deadline, "the upstream is still open"
        time.sleep(0.01)
    row = caller.row(answer)
    assert (row["state"], row["estimated"], row["statuses"]) == ("client_gone", 1, "-")


def test_calls_side_by_side_do_not_mix(caller: Caller, recorder: Recorder) -> None:
    """Each over connections that others have used before."""
    recorder.says(Says((b"a" * 5, b"b" * 5), headers=_AUDIO, framing="chunked"))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda place: caller.ask("POST", f"{at('openai')}/{place}", JSON, b"{}"), range(40)))
    assert {answer.body for answer in answers} == {b"aaaaabbbbb"}
    assert sorted(one.path for one in recorder.requests) == sorted(f"/base/v9/things/{place}" for place in range(40))
    assert {caller.row(answer)["state"] for answer in answers} == {"done"}
