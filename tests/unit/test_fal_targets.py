"""fal's proxy protocol: which targets are permitted, which are refused and how, and what a call is to the ledger."""

from collections.abc import Sequence
from time import process_time
from urllib.parse import urlsplit

import httpx
import pytest
import yarl
from hypothesis import example, given, settings
from hypothesis import strategies as st

from providers.adapters.fal_targets import (
    DEFAULT_TARGETS,
    FalRefusal,
    Kind,
    check_request,
    endpoint_of,
    kind_of,
    matches,
    model_of,
    replaced,
)

REQUEST = "https://queue.fal.run/fal-ai/flux/requests/764cabcf-b745-4b3e-ae38-1200304cf45b"
INITIATE = "https://rest.fal.ai/storage/upload/initiate"
V3 = "?storage_type=fal-cdn-v3"

PERMITTED = """
fal.run fal.run/ fal.run?a=b fal.run/a/b fal.run/v1/workflows/abc123/run fal.run/fal-ai/flux/dev/ fal.run/a/.b/..c/d..
fal.run/fal-ai/flux/dev/stream fal.run/a/b%20c/%C3%A9/%c3%a9/x%40y fal.run/a/b?x=1&x=2&u=%2f..%2F&at=a@b:1//..?
queue.fal.run queue.fal.run/ queue.fal.run/fal-ai/flux/dev?fal_webhook=https%3A%2F%2Fexample.com%2Fhook
queue.fal.run/fal-ai/flux/requests/1/status?logs=1
rest.fal.ai/storage/upload/initiate?storage_type=fal-cdn-v3
rest.fal.ai/storage/upload/initiate-multipart?storage_type=fal-cdn-v3
rest.fal.ai/storage/upload/complete-multipart?storage_type=fal-cdn-v3
rest.alpha.fal.ai/storage/upload/initiate rest.alpha.fal.ai/storage/upload/initiate?storage_type=fal-cdn-v3
rest.alpha.fal.ai/storage/upload/initiate-multipart?storage_type=fal-cdn-v3
rest.alpha.fal.ai/storage/upload/complete-multipart?storage_type=fal-cdn-v3
"""
OTHER_HOSTS = r"""
fal.dev queue.fal.dev fal.ai queue.fal.ai rest.beta.fal.ai api.fal.run wma.fal.run falrun.com example.com fal.com fal.io
notfal.run notfal.ai fal.run.evil.com fal.run@evil.com fal.run:x@evil.com evil.com@fal.run @fal.run :@fal.run
evil.com/fal.run evil.com?fal.run evil.com#fal.run fal.run#@evil.com fal.run\@evil.com fal.run\.evil.com
fal.run:443 fal.run:8443 fal.run: fal.run. .fal.run fal..run run fal - fal.run%2eevil.com fal%2erun fal.run%00.evil.com
xn--fal-abc.run xn--fal.run fаl.run ｆal.run fal。run 127.0.0.1 [::1] [fal.run] 169.254.169.254 localhost fal,run
"""
NOT_HTTPS = """
fal.run/a //fal.run/a //evil.com /fal-ai/flux https:fal.run https:/fal.run/a https:///fal.run https:////fal.run https://
https:\\\\fal.run\\a https://?fal.run http://fal.run/a wss://fal.run/a httpss://fal.run/a javascript://fal.run/a
https://https://fal.run/a
"""
PATHS = r"""
. .. ../b ./b b/../c b/.. ..;/b ..;x=1/b .%2e %2E%2e/b %2e/b b%2fc b%2Fc ..%2fb b%5cc %5C..%5C ..\b %00 %0a %0D %7f
%252e%252e %2523 %23 %3f fl%75x %66al %5Fx %7ex /b b//c b// %c0%ae%c0%ae %C0%AF %e0%80%af %ff % %2 %zz %u002e é b# #
b?q=é b?q=% b?q=%zz b?q=<x> b?q="x" b[0] b|c
"""
UPLOADS = """
rest.fal.ai/storage/upload/initiate rest.fal.ai/storage/upload/initiate?storage_type=other rest.fal.ai/tokens/
rest.fal.ai/storage/upload/initiate?storage_type=fal-cdn-v3&storage_type=other rest.fal.ai/storage/upload/initiate?
rest.fal.ai/storage/upload/initiate?storage_type=other&storage_type=fal-cdn-v3 rest.fal.ai/storage
rest.fal.ai/storage/upload/initiate?storage_type=fal%2Dcdn-v3 rest.fal.ai/storage/upload/initiate?Storage_type=x
rest.fal.ai/storage/upload/initiate?storage_type=fal-cdn-v3?
rest.fal.ai/storage/upload/initiate/?storage_type=fal-cdn-v3
rest.fal.ai/storage/upload/initiateXstorage_type=fal-cdn-v3 rest.fal.ai/storage/download?storage_type=fal-cdn-v3
rest.alpha.fal.ai/storage/upload/initiate-multipart rest.alpha.fal.ai/storage/upload/initiate/
rest.alpha.fal.ai/storage/upload/initiate? rest.alpha.fal.ai/storage/upload/initiate?storage_type=gcs
"""
BLANKS = (" ", "\t", "\n", "\r\n", "\x00", "\x0b", "\x7f", "\x85", "\xa0", "\u200b", "\u2028")
REFUSED = [
    *(f"https://{host}/fal-ai/flux" for host in OTHER_HOSTS.split()),
    *NOT_HTTPS.split(),
    *(f"https://fal.run/a/{path}" for path in PATHS.split()),
    *(f"https://{upload}" for upload in UPLOADS.split()),
    *(blank.join(cut) for blank in BLANKS for cut in [("https://fal.run/a", ""), ("", "https://fal.run/a")]),
    *(blank.join(cut) for blank in BLANKS for cut in [("ht", "tps://fal.run"), ("https://fal.", "run"), ("", "")]),
    "https://fal.run//evil.com",
    "https://fal.run/a\r\nx-fal-key: b",
]


def check(target: str, method: str = "POST", **lists: Sequence[str]) -> str:
    return check_request(method, "application/json", b"{}", target, **lists)


def refusal(
    target: str | None, method: str = "POST", content_type: str = "application/json", **lists: Sequence[str]
) -> int:
    with pytest.raises(FalRefusal) as raised:
        check_request(method, content_type, b"{}", target, **lists)
    assert not target or len(target) < 9 or target not in str(raised.value)
    return raised.value.status


@pytest.mark.parametrize("target", PERMITTED.split())
def test_permitted_and_returned_byte_for_byte(target: str) -> None:
    assert check(f"https://{target}") == f"https://{target}"


@pytest.mark.parametrize("target", REFUSED)
def test_refused(target: str) -> None:
    assert refusal(target) == 412


def test_scheme_and_host_are_returned_in_lower_case_and_the_rest_is_left_alone() -> None:
    assert check("HTTPS://Queue.FAL.RUN/Owner/App?Q=%c3%A9") == "https://queue.fal.run/Owner/App?Q=%c3%A9"
    assert kind_of("GET", REQUEST.replace("queue.fal.run", "QUEUE.FAL.RUN")) is Kind.RESULT
    assert refusal("https://FAL.RUN.EVIL.COM/") == 412
    assert refusal("https://FAL.RUN/owner/dear", allowed_endpoints=["owner/cheap"]) == 400
    assert refusal(INITIATE.upper() + V3) == 412


def test_statuses_in_their_order() -> None:
    assert [refusal(None, method) for method in ("DELETE", "PATCH", "HEAD", "OPTIONS", "post", "")] == [405] * 6
    assert refusal(None) == refusal("") == 400
    assert refusal("https://evil.com", "POST", "text/plain") == 412
    with pytest.raises(FalRefusal, match="no user name, no password and no port"):
        check("https://fal.run:443/a")
    endpoint, cheap = "https://fal.run/owner/dear", ["owner/cheap"]
    for content_type in ("", "text/plain", "application/jsonp", "multipart/form-data; boundary=application/json"):
        assert refusal(endpoint, "POST", content_type, allowed_endpoints=cheap) == 415
        assert refusal(f"{REQUEST}/cancel", "PUT", content_type) == 415
        for method, body in (("POST", b""), ("PUT", b""), ("GET", b""), ("GET", b"not forwarded")):
            assert check_request(method, content_type, body, endpoint) == endpoint
    assert check_request("POST", "Application/JSON ; charset=utf-8", b"{}", endpoint) == endpoint
    assert refusal(endpoint, allowed_endpoints=cheap) == 400


def test_lists_of_targets() -> None:
    target = "https://fal.run/own/app/run"
    assert check(target, allowed_targets=["fal.run/own/**"]) == target
    assert refusal("https://fal.run/other/app", allowed_targets=["fal.run/own/**"]) == 412
    assert refusal(target, allowed_targets=[]) == 412
    for host in ("fal.ai", "fal.dev", "queue.fal.ai", "queue.falrun.com"):
        assert check(f"https://{host}/a/b", allowed_targets=[*DEFAULT_TARGETS, f"{host}/**"]) == f"https://{host}/a/b"
    # No pattern sends the key to somebody else.
    for host in ("evil.com", "notfal.run", "fal.run.evil.com", "localhost"):
        assert refusal(f"https://{host}/a", allowed_targets=["**", f"{host}/**", "*/**"]) == 412
    for host in (".fal.run", "a..fal.run", "a,b.fal.run", "a%2e.fal.run", "evil.com:x.fal.run", "evil.com&.fal.run"):
        assert refusal(f"https://{host}/a", allowed_targets=["**"]) == 412


def test_lists_of_endpoints() -> None:
    cheap = ["owner/cheap/**", "runware/*"]
    for target in ("https://queue.fal.run/owner/cheap/fast?a=b", "https://fal.run/runware/x", INITIATE + V3):
        assert check(target, allowed_endpoints=cheap) == target
    for target in ("fal.run/owner/dear?/owner/cheap/x", "queue.fal.run/owner/dear", "fal.run/runware/x/y", "fal.run"):
        for method in ("POST", "GET", "PUT"):
            assert refusal(f"https://{target}", method, allowed_endpoints=cheap) == 400
    assert refusal(f"{REQUEST}/status", "POST", allowed_endpoints=cheap) == 400
    tokens = "https://rest.fal.ai/tokens/"
    assert check(tokens, allowed_endpoints=cheap, allowed_targets=["rest.fal.ai/tokens/"]) == tokens
    # These name only owner and alias, so a list of full ids would shut them out.
    for method, tail in (("GET", ""), ("GET", "/status?logs=1"), ("GET", "/status/stream"), ("PUT", "/cancel")):
        assert check(f"{REQUEST}{tail}", method, allowed_endpoints=["fal-ai/flux/dev"]) == f"{REQUEST}{tail}"


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("fal.run/exact", "fal.run/exact", "fal.run/exact/more fal.run/other fal.run/exact/ fal.run/exact?x fal.run"),
        ("fal.run/*/path", "fal.run/x/path", "fal.run/x/y/path fal.run/path fal.run//path fal.run/x?/path"),
        ("fal.run/**", "fal.run fal.run/ fal.run/a fal.run/a/b/c fal.run/a?b=/c", "notfal.run/a fal.runx/a fal.ru"),
        (r"fal.run/p\?q=v", "fal.run/p?q=v", "fal.run/pXq=v fal.run/p fal.run/p? fal.run/p?q=v&r fal.run/p?q=V"),
        ("fal.run/p?q", "fal.run/pXq", "fal.run/p/q fal.run/pq fal.run/p?q fal.run/pXYq"),
        (r"fal.run/p\?q=*&r=?", "fal.run/p?q=&r=1 fal.run/p?q=a/b&r=1", "fal.run/p?q=a fal.run/x?q=1&r=1"),
        (r"fal.run/p\?*", "fal.run/p?q fal.run/p?", "fal.run/p"),
        ("fal-ai/flux-dev", "fal-ai/flux-dev", "fal-ai/other fal-ai/flux-dev/extra fal-ai"),
        ("fal-ai/*", "fal-ai/flux-dev fal-ai/x?y", "fal-ai/flux/dev fal-ai fal-ai/"),
        ("*/flux-dev", "fal-ai/flux-dev other/flux-dev", "flux-dev a/b/flux-dev"),
        ("fal-ai/**", "fal-ai fal-ai/flux/dev fal-ai/flux/requests/1/status", "fal-aix runware/x x/fal-ai"),
        ("fal-ai/fast-*", "fal-ai/fast-sdxl fal-ai/fast-", "fal-ai/fast-sdxl/x fal-ai/lora fal-ai/fast"),
        ("a/f*-*x", "a/f-x a/f1-2-3x", "a/fx a/f-xy a/f1-2/x a/f?-x"),
        ("**/status", "status a/status a/b/status", "a/status/b a?/status xstatus"),
        ("a/**/b/**/c", "a/b/c a/x/b/y/z/c a/b/b/c/c", "a/c a/b a/c/b a/x/c"),
        ("**/b/**/b/**", "b/b b/x/b a/b/b/c", "b a/b b/a"),
        ("a/***", "a/b", "a/b/c a"),
        ("**", "fal.run/a ?x", ""),
        ("", "", "a"),
        (r"a\*", "a*", "ab a*?x"),
        ("a[bc]{d,e}!", "a[bc]{d,e}!", "ab abd!"),
        ("A", "A", "a"),
    ],
)
def test_patterns(pattern: str, yes: str, no: str) -> None:
    assert [text for text in yes.split() if not matches(pattern, text)] == []
    assert [text for text in no.split() if matches(pattern, text)] == []


def slowly_matches(pattern: Sequence[str], text: Sequence[str]) -> bool:
    """The rule for paths as plainly as it can be put: over a list's segments, and over the characters of a segment."""
    if not pattern:
        return not text
    if pattern[0] == ("*" if isinstance(pattern, str) else "**"):
        return any(slowly_matches(pattern[1:], text[i:]) for i in range(len(text) + 1))
    if not text:
        return False
    if isinstance(pattern, str):
        fits = pattern[0] in ("?", text[0])
    else:
        fits = text[0] != "" if pattern[0] == "*" else slowly_matches(pattern[0], text[0])
    return fits and slowly_matches(pattern[1:], text[1:])


SEGMENTS = st.sampled_from(["**", "**", "*", "", "a", "b", "?", "a*", "*a", "a*b", "*a*", "?*b", "*a?*b", "a*a*b"])


@settings(max_examples=1500)
@given(st.lists(SEGMENTS, min_size=1, max_size=7), st.lists(st.text("ab", max_size=5), min_size=1, max_size=7))
def test_patterns_match_as_the_plain_rule_says(pattern: list[str], segments: list[str]) -> None:
    assert matches("/".join(pattern), "/".join(segments)) is slowly_matches(pattern, segments)


PIECES = [*OTHER_HOSTS.split(), *NOT_HTTPS.split(), *PATHS.split(), *PERMITTED.split(), *BLANKS, V3, *"/:@#?&;\\"]
STARTS = st.sampled_from(["", "https://", "HTTPS://Fal.run", "https://queue.fal.run/", INITIATE])


@settings(max_examples=3000)
@given(STARTS, st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=3)), max_size=5).map("".join))
@example("https://", "queue.fal.run/a/b?x=@evil.com/%2e%2e:80")
def test_what_is_accepted_names_one_host_to_every_parser(start: str, text: str) -> None:
    try:
        address = check(start + text)
    except FalRefusal:
        return
    split, hx, ya = urlsplit(address), httpx.URL(address), yarl.URL(address, encoded=True)
    host = split.hostname or ""
    assert host in {"fal.run", "queue.fal.run", "rest.fal.ai", "rest.alpha.fal.ai"}
    assert host == split.netloc == hx.netloc.decode() == ya.raw_authority == yarl.URL(address).raw_authority
    assert split.scheme == hx.scheme == ya.scheme == "https"
    assert address == f"https://{host}{(start + text)[len('https://') + len(host) :]}"
    # For an address that ends with its host they put the slash.
    assert (split.path or "/") == ya.raw_path == hx.raw_path.decode().partition("?")[0]
    assert split.query == ya.raw_query_string


@pytest.mark.parametrize("part", ["a", "a/", "/", "ab/b/", "%2e", "%C3%A9", "%", "?", "*a", ".", ";", "é", "@", ":"])
@pytest.mark.parametrize("start", ["https://fal.run/", "https://fal.run?", "https://"])
def test_long_targets_are_judged_quickly(start: str, part: str) -> None:
    target = start + part * (65_536 // len(part))
    hostile = ["fal.run/**/a/**/b/**/c", f"fal.run/{'*a' * 20}b", "**/?*?*?*x/**", rf"fal.run\?{'*a' * 20}b"]
    began = process_time()
    assert refusal(target, allowed_targets=[*DEFAULT_TARGETS[2:], *hostile]) == 412
    assert process_time() - began < 0.1


# Method, kind, model, target. In the last part, what only looks like a free call: it may run a model.
LEDGER = """
POST RUN     fal-ai/flux/dev                 fal.run/fal-ai/flux/dev?x=/requests/1
POST RUN     fal-ai/flux/dev                 fal.run/fal-ai/flux/dev/stream
POST RUN     comfy/me/flow                   fal.run/comfy/me/flow/stream
POST RUN     owner/stream                    fal.run/owner/stream
POST SUBMIT  fal-ai/flux/dev                 queue.fal.run/fal-ai/flux/dev
POST SUBMIT  comfy/me/flow/sub               queue.fal.run/comfy/me/flow/sub
GET  SUBMIT  fal-ai/flux                     queue.fal.run/fal-ai/flux?prompt=x
GET  RESULT  fal-ai/flux                     queue.fal.run/fal-ai/flux/requests/1
GET  RESULT  fal-ai/flux                     queue.fal.run/fal-ai/flux/requests/1/response
GET  RESULT  workflows/me/flow               queue.fal.run/workflows/me/flow/requests/1
GET  STATUS  fal-ai/flux                     queue.fal.run/fal-ai/flux/requests/1/status?logs=0
GET  STATUS  fal-ai/flux                     queue.fal.run/fal-ai/flux/requests/1/status/stream
PUT  CANCEL  fal-ai/flux                     queue.fal.run/fal-ai/flux/requests/1/cancel
POST STORAGE -                               rest.fal.ai/storage/upload/initiate?storage_type=fal-cdn-v3
POST STORAGE -                               rest.alpha.fal.ai/storage/upload/initiate

POST RUN     -                               fal.run
GET  RUN     fal-ai/flux                     fal.run/fal-ai/flux/requests/1/status
POST RUN     tokens                          rest.fal.ai/tokens/
POST RUN     storage/upload                  fal.run/storage/upload
POST SUBMIT  fal-ai/flux                     queue.fal.run/fal-ai/flux/requests/1/status
PUT  SUBMIT  fal-ai/flux                     queue.fal.run/fal-ai/flux/requests/1/status
GET  SUBMIT  fal-ai/flux                     queue.fal.run/fal-ai/flux/requests/1/status/more
GET  SUBMIT  fal-ai/flux/dev/requests/1      queue.fal.run/fal-ai/flux/dev/requests/1
GET  SUBMIT  requests/flux/dev/1             queue.fal.run/requests/flux/dev/1
GET  SUBMIT  fal-ai/flux/requests            queue.fal.run/fal-ai/flux/requests/
GET  SUBMIT  fal-ai/flux                     queue.fal.run/fal-ai/flux/?x=requests/1
PUT  SUBMIT  workflows/me/requests/1/cancel  queue.fal.run/workflows/me/requests/1/cancel
"""


@pytest.mark.parametrize("row", [row for row in LEDGER.splitlines() if row])
def test_what_a_call_is_to_the_ledger(row: str) -> None:
    method, kind, model, target = row.replace(" -  ", ' "" ').split()
    assert kind_of(method, f"https://{target}").name == kind
    assert model_of(f"https://{target}") == model.strip('"')
    assert Kind[kind].runs_model is (kind in {"SUBMIT", "RUN"})


def test_endpoints() -> None:
    assert endpoint_of("https://fal.run/fal-ai/flux/dev?some_param=/value") == "fal-ai/flux/dev"
    assert endpoint_of("https://queue.fal.run/fal-ai/flux-dev/requests/abc123") == "fal-ai/flux-dev/requests/abc123"
    assert endpoint_of("https://fal.run/") == endpoint_of("https://fal.run") == endpoint_of("https://fal.run?a=b") == ""


def test_scheme_and_host_replaced() -> None:
    query = "x=%2F&x=%C3%a9?"
    assert replaced(f"https://fal.run/a/b?{query}", "http://localhost:8080") == f"http://localhost:8080/a/b?{query}"
    assert replaced("https://queue.fal.run/a/b/", "https://mirror.example/fal/") == "https://mirror.example/fal/a/b/"
    assert replaced("https://fal.run?", "https://mirror.example/fal") == "https://mirror.example/fal?"
