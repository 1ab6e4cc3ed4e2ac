"""The vendors' browser clients, on pages of another origin, through the gateway.

What they send is what CE.SDK's plugins for text, pictures and sound send to their `proxyUrl`. No request is routed or
mocked in the browser: Playwright would then answer the preflights itself.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.site import BUILDS
from tests.browser.stage import Stage, Visitor, open_stage
from tests.vendors import elevenlabs, fal
from tests.vendors.server import ACCOUNT, KEY, Vendor

pytestmark = pytest.mark.browser

VOICE = "21m00Tcm4TlvDq8ikWAM"
PICTURE = "https://v3.fal.media/files/a/b.png"  # what the scripted vendor makes
# What clients send that no page here shows, beside what pages can always send.
OTHER_CLIENTS = {
    "openai": ("openai-organization", "openai-project", "openai-beta", "x-stainless-helper-method", "idempotency-key"),
    "openai, polling": ("x-stainless-poll-helper", "x-stainless-custom-poll-interval"),
    "anthropic": ("anthropic-beta", "anthropic-user-profile-id", "anthropic-workspace-id", "x-stainless-helper"),
    "gemini": ("x-goog-api-key", "x-goog-api-client", "x-server-timeout"),
    "elevenlabs": (
        "xi-api-key",
        *(f"x-fern-{name}" for name in ("language", "sdk-name", "sdk-version", "runtime", "runtime-version")),
    ),
    "addis": ("x-api-key", "x-addis-client", "idempotency-key"),
    "the gateway": ("x-request-id", "x-csrftoken"),
}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with open_stage(tmp_path_factory.mktemp("browser")) as running:
        yield running


@pytest.fixture(autouse=True)
def nothing_leaks(stage: Stage) -> Iterator[None]:
    """Vendors as new; and whatever a page asks for, no vendor sees a preflight, the page's token or its address."""
    for vendor in stage.vendors:
        vendor.requests.clear()
        vendor.go_on.clear()
        vendor.paced, vendor.streams_sent = False, 0
    for kept in (stage.fal.asked, stage.fal.inputs, stage.fal.cancelled):
        kept.clear()
    yield
    for vendor in stage.vendors:
        for arrived in vendor.requests:
            assert arrived.method != "OPTIONS"
            assert stage.token not in f"{arrived.path} {arrived.pairs} {arrived.body!r}"
            assert not {"origin", "referer", "cookie"} & arrived.headers.keys()


@pytest.fixture(scope="module")
def clients() -> None:
    """Browser builds of the vendors' clients, made from tests/node where they are missing or old."""
    folder, builds = BUILDS.parent, [BUILDS / "fal.js", BUILDS / "anthropic.js"]
    sources = [folder / "bundle.mjs", folder / "node_modules" / ".package-lock.json"]
    npm = shutil.which("npm")
    if npm is None or not all(source.is_file() for source in sources):
        pytest.skip("no packages in tests/node; `npm ci` there brings them")
    made = [build.stat().st_mtime for build in builds if build.is_file()]
    if len(made) < len(builds) or min(made) < max(source.stat().st_mtime for source in sources):
        subprocess.run([npm, "run", "bundle", "--offline"], cwd=folder, check=True, capture_output=True, timeout=60)


@pytest.fixture
def visitor(page: Page, stage: Stage) -> Visitor:
    return Visitor(page, stage)


def _asked(vendor: Vendor) -> list[str]:
    return [f"{arrived.method} {arrived.path}" for arrived in vendor.requests]


@pytest.mark.node
@pytest.mark.parametrize("proxy", ["/api/falai", "/api/falai/"])
def test_picture_from_the_queue(clients: None, visitor: Visitor, proxy: str) -> None:
    visitor.open("pictures", proxy)
    visitor.press("Generate")
    assert visitor.texts("#progress li") == fal.STAGES
    assert visitor.text("#result") == PICTURE
    assert visitor.text("#request") == "req-1", "the page can read fal's id of the request"
    vendor, request = visitor.stage.fal, "/fal-ai/flux/requests/req-1"
    assert _asked(vendor) == ["POST /fal-ai/flux/dev", *[f"GET {request}/status?logs=1"] * 3, f"GET {request}"]
    assert vendor.requests[0].json == {"prompt": "A fox"}
    assert visitor.stage.answers("OPTIONS", proxy)[-1] == 200
    assert visitor.stage.answers("GET", proxy)[-1] == 200, "and no redirect for a slash"


@pytest.mark.node
def test_picture_in_the_making(clients: None, visitor: Visitor) -> None:
    vendor = visitor.stage.fal
    vendor.paced = True
    visitor.open("pictures", "/api/falai")
    visitor.press("Preview", "Working")
    expect(visitor.page.locator("#progress li")).to_have_text(['{"progress":1}'])
    assert vendor.streams_sent == 0, "the first event is shown before the last was sent"
    vendor.go_on.set()
    expect(visitor.page.get_by_role("status")).to_have_text("Done")
    assert visitor.texts("#progress li")[:2] == ['{"progress":1}', '{"progress":2}']
    assert visitor.text("#result") == PICTURE
    assert vendor.last.headers["accept"] == "text/event-stream"


@pytest.mark.node
def test_upload_is_begun_through_the_proxy_and_goes_straight_to_storage(clients: None, visitor: Visitor) -> None:
    content = bytes(range(256))
    visitor.open("pictures", "/api/falai")
    picture: Any = {"name": "fox.png", "mimeType": "image/png", "buffer": content}
    visitor.page.get_by_label("File").set_input_files(files=[picture])
    visitor.press("Upload")
    assert visitor.text("#result") == fal.UPLOAD["file_url"]
    assert visitor.stage.site.uploads == {"/upload/1": content}
    assert _asked(visitor.stage.fal) == ["POST /storage/upload/initiate?storage_type=fal-cdn-v3"]
    assert visitor.stage.fal.last.json == {"content_type": "image/png", "file_name": "fox.png"}
    assert visitor.stage.fal.last.headers["x-fal-object-lifecycle"] == '{"expiration_duration_seconds":86400}'


@pytest.mark.node
def test_queued_with_every_option_and_cancelled(clients: None, visitor: Visitor) -> None:
    visitor.open("pictures", "/api/falai")
    visitor.press("Queue")
    sent = {name: value for name, value in visitor.stage.fal.last.headers.items() if name.startswith("x-fal-")}
    del sent["x-fal-target-url"]
    assert sent == {
        "x-fal-queue-priority": "low",
        "x-fal-runner-hint": "warm",
        "x-fal-request-timeout": "30",
        "x-fal-object-lifecycle-preference": '{"expiration_duration_seconds":3600}',
        "x-fal-no-retry": "1",
        "x-fal-store-io": "0",
    }
    visitor.press("Cancel")
    assert _asked(visitor.stage.fal)[-1] == "PUT /fal-ai/flux/requests/req-1/cancel"
    assert visitor.stage.fal.cancelled == ["req-1"]


@pytest.mark.node
def test_time_limit_of_the_user_is_not_tried_again(clients: None, visitor: Visitor) -> None:
    """The client tries a 504 again unless it can read whose limit it was."""
    visitor.open("pictures", "/api/falai", model="fal-ai/status-504")
    visitor.press("Run", "Failed")
    assert visitor.error.startswith("ApiError 504")
    assert visitor.error.endswith("(your own time limit)")
    assert visitor.stage.answers("POST", "/api/falai")[-2:].count(504) == 1


@pytest.mark.node
@pytest.mark.parametrize("proxy", ["/api/anthropic/", "/proxy/our-anthropic"])
def test_text_is_written_piece_by_piece(clients: None, visitor: Visitor, proxy: str) -> None:
    vendor = visitor.stage.anthropic
    vendor.paced = True
    visitor.open("writing", proxy)
    visitor.press("Write", "Working")
    expect(visitor.page.locator("#pieces li")).to_have_text(["Answer"])
    assert vendor.streams_sent == 0, "the first piece is shown before the last was sent"
    vendor.go_on.set()
    expect(visitor.page.get_by_role("status")).to_have_text("Done")
    assert visitor.texts("#pieces li") == ["Answer", "to:", "Say", "it", "again"]
    assert visitor.text("#text") == "Answer to: Say it again"
    assert vendor.last.json == {
        "model": "claude-3-7-sonnet-20250219",
        "max_tokens": 8192,
        "temperature": 0.1,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Say it again"}]}],
        "stream": True,
    }
    itself = {name for name in vendor.last.headers if name.startswith("x-stainless-")}
    described = ("lang", "package-version", "os", "arch", "runtime", "runtime-version", "retry-count", "timeout")
    assert itself == {f"x-stainless-{name}" for name in described}
    assert vendor.last.headers["x-stainless-package-version"] == "0.39.0"
    assert visitor.stage.answers("OPTIONS", f"{proxy.rstrip('/')}/v1/messages")[-1] == 200


@pytest.mark.node
def test_text_with_the_clients_own_helper_and_the_token_as_its_key(clients: None, visitor: Visitor) -> None:
    visitor.open("writing", "/api/anthropic")
    visitor.press("Watch it being written")
    assert visitor.text("#text") == "Answer to: Say it again"
    assert visitor.text("#request") == "req_1, 7 tokens"
    sent = visitor.stage.anthropic.last.headers
    assert (sent["x-stainless-helper-method"], sent["x-api-key"]) == ("stream", KEY)
    assert sent["anthropic-beta"] == "output-128k-2025-02-19"


@pytest.mark.node
def test_errors_reach_the_client_on_the_page(clients: None, visitor: Visitor) -> None:
    visitor.open("writing", "/api/anthropic", token="nobodys")
    visitor.press("Write", "Failed")
    assert visitor.error.startswith("AuthenticationError 401")
    assert visitor.stage.anthropic.requests == []
    visitor.open("writing", "/api/anthropic", model="status-429")
    visitor.press("Write", "Failed")
    assert visitor.error.startswith("RateLimitError 429")
    assert visitor.error.endswith("Again in 7 s.")


def test_speech_and_sound_are_blobs(visitor: Visitor) -> None:
    for button, path in (("Speak", f"/v1/text-to-speech/{VOICE}"), ("Make a sound", "/v1/sound-generation")):
        visitor.open("voices", "/api/elevenlabs")
        visitor.press(button)
        audio = b"".join(elevenlabs.AUDIO)
        assert visitor.text("#result") == f"audio/mpeg, {len(audio)} bytes"
        assert visitor.text("#cost") == elevenlabs.COST, "the page can read what it cost"
        with visitor.page.expect_download() as download:
            visitor.page.locator("#result").click()
        assert download.value.path().read_bytes() == audio
        assert visitor.stage.elevenlabs.last.path == path
        assert visitor.stage.elevenlabs.last.headers["accept"] == "audio/mpeg"
        assert visitor.stage.answers("OPTIONS", f"/api/elevenlabs{path}") == [200]


def test_what_went_wrong_is_read_on_the_page(visitor: Visitor) -> None:
    failures: tuple[tuple[str, dict[str, str], str], ...] = (
        ("/api/elevenlabs", {"model": "status-429"}, "too_many_concurrent_requests"),
        ("/api/elevenlabs", {"voice": "no-such-voice"}, "voice_not_found"),
        ("/api/elevenlabs", {"token": "nobodys"}, "This is not a token of this gateway."),
        ("/proxy/with-a-wrong-key", {}, '"code":"generation_error"'),
        ("/proxy/no-such-provider", {}, "no-such-provider"),
        ("/nowhere", {}, '"code":"NOT_FOUND"'),
    )
    for proxy, fields, said in failures:
        visitor.open("voices", proxy, **fields)
        visitor.press("Speak", "Failed")
        assert said in visitor.error
        assert KEY not in visitor.error
        assert ACCOUNT not in visitor.error
    paths = [f"{proxy}/v1/text-to-speech/{VOICE}" for proxy in ("/proxy/with-a-wrong-key", "/nowhere")]
    assert [visitor.stage.answers("POST", path) for path in paths] == [[502], [404]]


def test_chat_in_openais_format(visitor: Visitor) -> None:
    visitor.open("chat", "/proxy/our-openai")
    visitor.press("Ask")
    assert visitor.text("#text") == "Answer to: Say it again"
    assert re.fullmatch(r"[\w-]{8,}", visitor.text("#request"))
    assert visitor.stage.openai.last.path == "/v1/chat/completions"
    assert visitor.stage.openai.last.headers["authorization"] == f"Bearer {KEY}"
    visitor.open("chat", "/proxy/our-openai", token="dummy-key")
    visitor.press("Ask", "Failed")
    assert visitor.error


def test_headers_of_other_clients_pass(visitor: Visitor) -> None:
    visitor.open("chat", "/status")
    refused = []
    for client, names in OTHER_CLIENTS.items():
        for name in names:
            script = "([url, name]) => fetch(url, {headers: {[name]: 'x'}}).then((r) => r.status, String)"
            if visitor.page.evaluate(script, [f"{visitor.stage.gateway.url}/status?{name}", name]) != 200:
                refused.append((client, name))
    assert refused == []


def test_page_of_another_site_gets_nothing(visitor: Visitor) -> None:
    said: list[str] = []
    visitor.page.on("console", lambda message: said.append(message.text))
    stage, path = visitor.stage, f"/v1/text-to-speech/{VOICE}x"
    visitor.open_at(stage.stranger, "voices", "/api/elevenlabs", voice=f"{VOICE}x")
    visitor.press("Speak", "Failed")
    assert visitor.error == "TypeError: Failed to fetch"
    assert any("blocked by CORS policy" in line and "Access-Control-Allow-Origin" in line for line in said)
    assert stage.answers("OPTIONS", f"/api/elevenlabs{path}") == [200]
    assert stage.answers("POST", f"/api/elevenlabs{path}") == [], "the browser did not even send it"
    assert stage.elevenlabs.requests == []


@pytest.mark.parametrize("origin", ["stranger", "site"])
def test_preflight_on_the_wire(stage: Stage, origin: str) -> None:
    headers = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    url = stage.site.url if origin == "site" else stage.stranger.url
    for path in ("/api/falai", "/api/anthropic/v1/messages", "/api/providers"):
        answer = httpx.options(stage.gateway.url + path, headers={**headers, "Origin": url})
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers.get("access-control-allow-origin") == (url if origin == "site" else None)
        assert "access-control-allow-credentials" not in answer.headers, "a page acts with its token, not with a cookie"
