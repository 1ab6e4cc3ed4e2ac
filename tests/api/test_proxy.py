"""The pass-through, for each vendor: what arrives there, and what comes back, compared with what was sent."""

import os

import pytest

from tests.recorder import ARRIVES, CARRIERS, JSON, Caller, Recorder, Says, at
from tests.vendors.server import CANARIES

FREE = [vendor for vendor in CARRIERS if vendor != "fal"]

TARGETS = [
    "",
    "/",
    "/v1/models/",
    "//v1//models//",
    "/files/a%2Fb%2fc",
    "/a%20b/c+d/%E1%88%B0%e1%88%8b%ff",
    "/models/m:generate;x=1/$batch/(a)/!*',@",
    "/x?a=1&b=2&a=3&a&&=&c=%20+%2B%2f",
    "/x?q=%E1%88%B0%zz%&url=https://a.example/?b=c;d&alt=sse",
    "?after=%2F&limit=2",
    "/?",
    '/e"<>{}`|^?a="<>{}`|^',
    "/%41%7e/%25/%3F%23",
]
GIVEN_BODIES = {
    "json": (b'{ "b" : 1.0,\r\n "a":"\\u1230\xe1\x88\xb0", "a": 1e400 }', "application/json; charset=utf-8"),
    "binary": (bytes(range(256)) * 3, "application/octet-stream"),
    "multipart": (
        b'--xYz\r\nContent-Disposition: form-data; name="f"; filename="\xe1\x88\xb0.bin"\r\n\r\n\x00--xYz\n\r\n--xYz--',
        'multipart/form-data; boundary="xYz"',
    ),
    "form": (b"key=a+b&c=%00", "application/x-www-form-urlencoded"),
    "large": (os.urandom(2 * 1024 * 1024), "audio/wav"),
    "untyped": (b"text", ""),
    "empty": (b"", "application/json"),
}
# What may reach a vendor beside its own; each as a client could send it.
WELCOME = [
    ("accept", "application/json, text/event-stream;q=0.5"),
    ("accept-language", "am, en"),
    ("content-language", "am"),
    ("content-type", "application/json"),
    ("idempotency-key", "i-1"),
    ("if-none-match", '"e"'),
    ("range", "bytes=0-9"),
    ("user-agent", "acme/1.0 (\u1230)"),
    ("x-stainless-lang", "python"),
]
OWN = {
    "openai": [("openai-beta", "assistants=v2")],
    "anthropic": [("anthropic-version", "2026-10-21"), ("anthropic-beta", "a, b")],
    "gemini": [("x-goog-api-client", "genai/3")],
    "addis": [("x-addis-client", "addisai-python/1")],
    "elevenlabs": [],
    "fal": [("x-fal-queue-priority", "low")],
}
UNWELCOME = [
    ("Cookie", "sessionid=canary-c0; csrftoken=canary-c1"),
    ("Cookie2", "canary-c2"),
    ("Proxy-Authorization", "Basic canary-c3"),
    ("X-CSRFToken", "canary-c4"),
    ("Forwarded", "for=canary-c5"),
    ("X-Forwarded-For", "canary-c6"),
    ("X-Forwarded-Host", "canary-c7"),
    ("X-Forwarded-Proto", "https"),
    ("X-Real-IP", "canary-c8"),
    ("Via", "1.1 canary-c9"),
    ("Origin", "https://canary-c10.example"),
    ("Referer", "https://canary-c11.example/secret"),
    ("TE", "trailers"),
    ("Keep-Alive", "timeout=9"),
    ("Proxy-Connection", "keep-alive"),
    ("Upgrade", "h2c"),
    ("Connection", "keep-alive, X-Stainless-Hop"),
    ("X-Stainless-Hop", "canary-c12"),
    ("OpenAI-Organization", "canary-c13"),
    ("Sec-Fetch-Site", "canary-c14"),
    ("X-Anything-Else", "canary-c15"),
    ("Accept-Encoding", "br"),
]
CREDENTIALS = ["authorization: Token {}", "Authorization: bearer {}", "Authorization: Key {}"]
CREDENTIALS += ["x-api-key: {}", "X-Goog-Api-Key: {}", "xi-api-key: {}"]


@pytest.mark.parametrize("vendor", FREE)
@pytest.mark.parametrize("target", TARGETS)
def test_path_and_query_arrive_as_they_were_sent(caller: Caller, recorder: Recorder, vendor: str, target: str) -> None:
    recorder.says(Says((b'{"ok":1}',)))
    answer = caller.ask("GET", f"/proxy/via-{vendor}{target}")
    assert (answer.status, answer.body) == (200, b'{"ok":1}')
    assert recorder.arrived.path == "/base" + target.removesuffix("?")
    assert caller.row(answer)["state"] == "done"


@pytest.mark.parametrize(
    ("target", "arrives"),
    [
        ("/x?a=1&key=canary-q&b=2", "/x?a=1&b=2"),
        ("/x?API_KEY=canary-q", "/x"),
        ("/x?a=%6Bey&%6Bey=canary-q", "/x?a=%6Bey"),
        ("/x?access_token=canary-q&a=key", "/x?a=key"),
    ],
)
def test_a_query_arrives_without_credentials(caller: Caller, recorder: Recorder, target: str, arrives: str) -> None:
    recorder.says(Says())
    assert caller.ask("GET", f"/proxy/via-gemini{target}").status == 200
    assert recorder.arrived.path == f"/base{arrives}"


@pytest.mark.parametrize(
    "below",
    [
        "/../x",
        "/a/..",
        "/./x",
        "/a/%2e%2e/x",
        "/a/%2E./x",
        "/%5c..%5cx",
        "/a%2f..%2fx",
        "/..",
        "/.",
        "/%2e%2e",
        "/a;x/..;/b",
        "/%2e%2e;/x",
        "/..%3b/x",
        "/.;x",
    ],
)
def test_no_path_climbs_out_of_the_base_address(caller: Caller, recorder: Recorder, below: str) -> None:
    recorder.says(Says())
    answer = caller.ask("GET", f"/proxy/via-elevenlabs{below}")
    assert answer.status == 400
    assert b'"detail"' in answer.body, "in the vendor's shape"
    assert recorder.requests == []
    assert caller.rows(answer.request_id) == []


@pytest.mark.parametrize("target", ["/proxy%2Fvia-openai/v1/x", "/proxy/via-openai%2Fv1/x", "/proxy/via%2dopenai%2f/x"])
def test_an_escaped_slash_parts_no_segments_of_ours(caller: Caller, recorder: Recorder, target: str) -> None:
    """Else the name would be read from another path than what is below it."""
    recorder.says(Says())
    assert caller.ask("GET", target).status in {400, 404}
    assert recorder.requests == []


@pytest.mark.parametrize("vendor", CARRIERS)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"])
def test_methods(caller: Caller, recorder: Recorder, vendor: str, method: str) -> None:
    recorder.says(Says((b'{"a":', b"1}"), headers=[*JSON, ("ETag", '"e"')]))
    answer = caller.ask(method, at(vendor), JSON, b"" if method in {"GET", "HEAD"} else b'{"b": 2}')
    if vendor == "fal" and method in {"PATCH", "DELETE", "HEAD"}:
        assert answer.status == 405
        assert recorder.requests == []
        assert caller.row(answer)["state"] == "refused"
        return
    assert (answer.status, answer.headers["etag"], answer.headers["content-length"]) == (200, '"e"', "7")
    assert answer.body == (b"" if method == "HEAD" else b'{"a":1}')
    assert (recorder.arrived.method, recorder.arrived.path) == (method, ARRIVES[vendor])
    assert caller.row(answer)["state"] == "done"


@pytest.mark.parametrize(
    ("vendor", "kind"),
    # fal's protocol takes JSON only; tests/api/test_fal.py asserts the refusal of all else.
    [(vendor, kind) for vendor in CARRIERS for kind in GIVEN_BODIES if vendor != "fal" or kind in {"json", "empty"}],
)
def test_bodies_arrive_to_the_byte(caller: Caller, recorder: Recorder, vendor: str, kind: str) -> None:
    body, content_type = GIVEN_BODIES[kind]
    recorder.says(Says((body or b"{}",), headers=[("Content-Type", content_type or "text/plain")]))
    answer = caller.ask("POST", at(vendor), [("Content-Type", content_type)] if content_type else [], body)
    assert (answer.status, answer.body) == (200, body or b"{}")
    arrived = recorder.arrived
    assert arrived.body == body
    assert arrived.headers["content-length"] == str(len(body))
    wanted = "application/json" if vendor == "fal" else content_type
    assert arrived.headers.get("content-type", "") == wanted


def test_a_body_within_the_gateway_s_own_limit(caller: Caller, recorder: Recorder) -> None:
    recorder.says(Says())
    body = os.urandom(8 * 1024 * 1024)
    assert caller.ask("POST", at("openai"), [("Content-Type", "audio/wav")], body).status == 200
    assert recorder.arrived.body == body


@pytest.mark.parametrize("vendor", CARRIERS)
@pytest.mark.parametrize("credential", CREDENTIALS)
def test_only_what_is_listed_reaches_the_vendor(
    caller: Caller, recorder: Recorder, vendor: str, credential: str
) -> None:
    recorder.says(Says())
    later = CREDENTIALS[max(3, CREDENTIALS.index(credential) + 1) :]  # the first present decides who is calling
    headers = [*WELCOME, *OWN[vendor], *UNWELCOME, *((line.partition(":")[0], f"t-{caller.token}") for line in later)]
    answer = caller.ask("POST", at(vendor), headers, b"{}", credential=credential.format(caller.token))
    assert answer.status == 200, answer.body
    arrived = recorder.arrived
    assert caller.token not in repr(arrived)
    assert "canary-c" not in repr(arrived)
    sent = [*WELCOME, *OWN[vendor]]
    if vendor == "fal":  # whose protocol fixes the others
        sent = [("accept", "text/event-stream"), ("content-type", "application/json"), WELCOME[7], *OWN[vendor]]
    ours = [("host", f"127.0.0.1:{recorder.port}"), ("accept-encoding", "identity"), ("content-length", "2")]
    received = [(name.lower(), value.encode("latin-1").decode()) for name, value in arrived.pairs]
    assert sorted(received) == sorted([*sent, *ours, CARRIERS[vendor]])


@pytest.mark.parametrize("credential", ["", "Authorization: Bearer nobody", "Authorization: Basic {}", "Cookie: t={}"])
def test_without_a_credential_nothing_is_relayed(caller: Caller, recorder: Recorder, credential: str) -> None:
    recorder.says(Says())
    target = f"{at('openai')}?key={caller.token}&access_token={caller.token}"
    answer = caller.ask("POST", target, JSON, b"{}", credential=credential.format(caller.token))
    assert answer.status == 401
    assert recorder.requests == []
    assert caller.rows(answer.request_id) == []


@pytest.mark.parametrize("value", [b"a\r\n x-api-key: b", b"a\rx-api-key: b", b"a\nx-api-key: b", b"a\0b", b"caf\xe9"])
def test_a_header_that_is_none_goes_no_further(caller: Caller, recorder: Recorder, value: bytes) -> None:
    recorder.says(Says())
    answer = caller.ask("POST", at("openai"), [*JSON, ("X-Stainless-Odd", value)], b"{}")
    assert answer.status in {200, 400}
    for arrived in recorder.requests:
        assert "x-api-key" not in arrived.headers
        assert all("\n" not in sent and "\0" not in sent for _, sent in arrived.pairs)


@pytest.mark.parametrize("vendor", CARRIERS)
@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_only_what_is_listed_comes_back(caller: Caller, recorder: Recorder, vendor: str, framing: str) -> None:
    own = {"openai": "openai-processing-ms", "anthropic": "anthropic-ratelimit-tokens-limit", "addis": "x-addis-p"}
    own |= {"elevenlabs": "character-cost", "fal": "x-fal-request-id", "gemini": "x-ratelimit-limit-requests"}
    listed = {
        "content-type": "application/json; charset=UTF-8",
        "cache-control": "private, max-age=7",
        "content-disposition": 'attachment; filename="\u1230.mp3"',
        "etag": 'W/"1"',
        "retry-after": "3",
        "vary": "Accept",
        "x-ratelimit-remaining-tokens": "12",
        own[vendor]: "5",
    }
    private = [("Location", "https://elsewhere.example"), ("Connection", "X-Ratelimit-Hop"), ("X-Ratelimit-Hop", "1")]
    private += [("Server", "canary"), ("WWW-Authenticate", "canary"), ("Alt-Svc", "canary"), ("X-Powered-By", "canary")]
    told = [*listed.items(), *CANARIES.items(), *private, ("X-Request-ID", "of-the-vendor"), ("Trailer", "canary")]
    pieces = (b'{"a" : "\xe1\x88', b'\xb0", "b":1.50}\n')
    recorder.says(Says(pieces, headers=told, framing=framing))
    answer = caller.ask("POST", at(vendor), JSON, b"{}")
    assert (answer.status, answer.body) == (200, recorder.script.body)
    ours = {"x-request-id", "x-call-id", "x-upstream-request-id", "x-accel-buffering"}
    ours |= {"content-security-policy", "x-content-type-options"}
    allowed = ours | {"transfer-encoding", "content-length"}
    assert answer.headers.keys() == (answer.headers.keys() & allowed) | listed.keys()
    assert len(answer.pairs) == len(answer.headers), "each once"
    got = {name: answer.headers[name].encode("latin-1").decode() for name in listed}
    assert got.pop("vary").partition(",")[0] == listed.pop("vary"), "ours may follow the vendor's"
    assert got == listed
    assert answer.headers["x-upstream-request-id"] == "of-the-vendor"
    assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'", "a browser runs nothing of it"
    assert answer.headers["x-request-id"] == answer.request_id
    assert caller.row(answer)["state"] == "done"
