"""Content encodings on their way through: what a client that honours them reads is what the vendor meant.

The vendor is asked for none, and some compress all the same, or say so and do not.
"""

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.gateway import Gateway
from tests.recorder import JSON, Caller, Recorder, Says, provider
from tests.vendors.server import KEY

CHAT = "/proxy/encoded/chat/completions"
STATUSES = [200, 400, 429, 500]
USAGE = {"prompt_tokens": 30, "completion_tokens": 12, "total_tokens": 42}
CHOICE = {"index": 0, "message": {"role": "assistant", "content": "\u1230\u120b\u121d"}, "finish_reason": "stop"}
PLAIN = json.dumps({"model": "m-1", "choices": [CHOICE], "usage": USAGE}, ensure_ascii=False).encode()
AMHARIC = '{"\u1218\u120d\u1235":"\u1230\u120b\u121d"}'.encode()

BODIES = [PLAIN, AMHARIC, b"<html></html>", b"[]", b"{}", b"null", b" \n {}", b"upstream connect error or disconnect"]


def deflated(data: bytes, window: int = 15) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, window)
    return packer.compress(data) + packer.flush()


def brotli(data: bytes) -> bytes:
    """RFC 7932, section 9: one block that is not compressed, after a window of 16 bits, and an empty last one."""
    header = (len(data) - 1) << 4 | 1 << 20  # window, not last, four nibbles of length; then: not compressed
    return header.to_bytes(3, "little") + data + b"\x03"


def zstandard(data: bytes) -> bytes:
    """RFC 8878, section 3.1.1: a frame of one raw block, its size in four bytes."""
    block = (len(data) << 3 | 1).to_bytes(3, "little")
    return b"\x28\xb5\x2f\xfd\xa0" + len(data).to_bytes(4, "little") + block + data


TRUE: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "GZIP": gzip.compress,
    " gzip ": gzip.compress,
    "deflate": deflated,
    "Deflate": lambda data: deflated(data, -15),
    "br": brotli,
    "zstd": zstandard,
    "gzip, br": lambda data: brotli(gzip.compress(data)),
    "gzip,gzip": lambda data: gzip.compress(gzip.compress(data)),
    "deflate, gzip": lambda data: gzip.compress(deflated(data)),
    "gzip, identity": gzip.compress,
}
LIES = [
    "gzip",
    "GZip",
    "x-gzip",
    "deflate",
    "br",
    "BR",
    "zstd",
    "gzip, br",
    "br, gzip",
    "identity",
    "Identity",
    "x-own",
]


@pytest.fixture(scope="module")
def caller(gateway: Gateway, user_token: str, staff_token: str, recorder: Recorder) -> Iterator[Caller]:
    with provider(gateway, staff_token, "encoded", "openai", recorder.url):
        yield Caller(gateway, user_token)


def encoded(coding: str) -> tuple[tuple[str, str], ...]:
    return (*JSON, ("Content-Encoding", coding))


def as_a_client_reads_it(caller: Caller, url: str = CHAT) -> httpx.Response:
    """With httpx, which takes the encodings away that it knows and leaves the others."""
    headers = {"Authorization": f"Bearer {caller.token}"}
    with httpx.Client(verify=False, timeout=15) as client:
        return client.post(caller.gateway.url + url, json={"model": "m-1"}, headers=headers)


@pytest.mark.parametrize(("status", "framing"), [*((status, "length") for status in STATUSES), (200, "chunked")])
@pytest.mark.parametrize("coding", TRUE)
def test_what_is_encoded_stays_so(caller: Caller, recorder: Recorder, coding: str, status: int, framing: str) -> None:
    wire = TRUE[coding](PLAIN)
    recorder.says(Says((wire[:7], wire[7:]), status, encoded(coding), framing))
    answer = caller.ask("POST", CHAT, JSON, b"{}")
    assert (answer.status, answer.body) == (status, wire)
    assert answer.headers["content-encoding"] == coding.strip()
    row = caller.row(answer)
    assert row["state"] == ("done" if status == 200 else "upstream_error")
    if status == 200:
        read = "br" not in coding and coding != "zstd"
        assert row["estimated"] == (0 if read else 1), "no decoder is here for the others"
        assert not read or (row["input_tokens"], row["output_tokens"]) == (30, 12)


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("coding", ["gzip", "GZIP", "deflate", "deflate, gzip"])
def test_a_client_reads_the_plain_bytes(caller: Caller, recorder: Recorder, coding: str, status: int) -> None:
    recorder.says(Says((TRUE[coding](PLAIN),), status, encoded(coding)))
    answer = as_a_client_reads_it(caller)
    assert (answer.status_code, answer.content) == (status, PLAIN)


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("coding", LIES)
def test_what_only_claims_to_be_encoded_arrives_plain(
    caller: Caller, recorder: Recorder, coding: str, status: int
) -> None:
    for body in BODIES if status == 200 else BODIES[:2]:
        recorder.says(Says((body,), status, encoded(coding)))
        answer = as_a_client_reads_it(caller)
        assert (answer.status_code, answer.content) == (status, body)
        assert "content-encoding" not in answer.headers
        assert answer.headers["content-length"] == str(len(body))


def test_a_lie_about_a_stream(caller: Caller, recorder: Recorder) -> None:
    events = (b'data: {"choices":[{"delta":{"content":"\xe1\x88\xb0"}}]}\n\n', b"data: [DONE]\n\n")
    headers = [("Content-Type", "text/event-stream"), ("Content-Encoding", "br")]
    recorder.says(Says(events, headers=headers, framing="chunked"))
    answer = caller.ask("POST", CHAT, JSON, b'{"stream":true}')
    assert answer.body == b"".join(events)
    assert "content-encoding" not in answer.headers
    assert caller.row(answer)["state"] == "done"


@pytest.mark.parametrize("coding", ["gzip", "br", "gzip, br", "zstd", "identity"])
def test_nothing_can_be_encoded_too(caller: Caller, recorder: Recorder, coding: str) -> None:
    """HEAD, and a body of no bytes."""
    recorder.says(Says((), 200, encoded(coding)))
    assert caller.ask("POST", CHAT, JSON, b"{}").body == b""
    recorder.says(Says((b"x" * 9,), 200, encoded(coding)))
    answer = caller.ask("HEAD", "/proxy/encoded/models")
    assert answer.headers.get("content-encoding") == (None if coding == "identity" else coding)
    assert answer.headers["content-length"] == "9"


@pytest.mark.parametrize("coding", ["gzip", "deflate", "Deflate", "deflate, gzip", "gzip,gzip", "x-gzip"])
def test_an_encoded_error_that_quotes_the_key(caller: Caller, recorder: Recorder, coding: str) -> None:
    wire = TRUE[coding](b'{"error": "%b has no access to this model"}' % KEY.encode())
    recorder.says(Says((wire,), 400, encoded(coding)))
    answer = as_a_client_reads_it(caller)
    assert answer.status_code == 502
    assert KEY not in answer.text


def test_usage_in_an_encoded_stream(caller: Caller, recorder: Recorder) -> None:
    """With events and their encoded bytes cut anywhere."""
    said = [{"choices": [{"index": 0, "delta": {"content": "\u1230"}}]}, {"choices": [], "usage": USAGE}]
    plain = b"".join(f"data: {json.dumps(one)}\n\n".encode() for one in said) + b"data: [DONE]\n\n"
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    wire = b"".join(packer.compress(plain[i : i + 40]) + packer.flush(zlib.Z_SYNC_FLUSH) for i in range(0, 200, 40))
    wire += packer.compress(plain[200:]) + packer.flush()
    pieces = [wire[i : i + 50] for i in range(0, len(wire), 50)]
    headers = [("Content-Type", "text/event-stream"), ("Content-Encoding", "gzip")]
    recorder.says(Says(pieces, headers=headers, framing="chunked"))
    answer = caller.ask("POST", CHAT, JSON, b'{"stream":true}')
    assert (answer.body, answer.headers["content-encoding"]) == (wire, "gzip")
    row = caller.row(answer)
    assert (row["state"], row["input_tokens"], row["output_tokens"], row["estimated"]) == ("done", 30, 12, 0)


def test_a_bomb_is_passed_on_as_it_is(caller: Caller, recorder: Recorder) -> None:
    """10 KB that become 10 MB, eight at a time: nobody here keeps what is in them, nor goes on for long."""
    bomb = gzip.compress(b'{"usage": "' + b" " * (10 * 1024 * 1024) + b'"}', 9)
    assert len(bomb) < 11_000
    before = _most_memory(caller)
    for status in (200, 400):
        recorder.says(Says((bomb,), status, encoded("gzip")))
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: caller.ask("POST", CHAT, JSON, b"{}"), range(16)))
        assert {(answer.status, answer.body == bomb) for answer in answers} == {(status, True)}
        assert {answer.headers["content-encoding"] for answer in answers} == {"gzip"}
    assert _most_memory(caller) - before < 8 * 1024, "KiB"
    assert {caller.row(answer)["state"] for answer in answers} == {"upstream_error"}


def _most_memory(caller: Caller) -> int:
    """The most that the gateway's process ever had in memory, in KiB (proc(5), VmHWM)."""
    assert caller.gateway.process is not None
    status = Path(f"/proc/{caller.gateway.process.pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0])
