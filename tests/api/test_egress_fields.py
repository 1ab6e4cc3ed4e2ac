"""The whole corpus of addresses in every field that takes one: none of them leads to the canary, or to anybody else."""

import re
from typing import Any

import httpx
import pytest

from tests.egress_calls import CALLS, KINDS, Call, asking
from tests.egress_site import Canary, Site, proxied_to
from tests.egress_urls import fal_targets, urls
from tests.upstream import Upstream

pytest_plugins = ["tests.egress_fixtures"]
TARGET = "x-fal-target-url"


def two_of(kind: str, number: int) -> list[Call]:
    """Two calls of those that ask a provider, others for each number."""
    calls = [call for call in asking(kind) if call.route != "admin"]
    return [calls[number % len(calls)], calls[(7 * number + 3) % len(calls)]]


def refused_when_saved(answer: httpx.Response) -> bool:
    if answer.status_code != 400:
        return False
    error = answer.json()["error"]
    assert error["code"] == "INVALID_REQUEST"
    assert re.match(r"base_url: .+\.", error["message"]), answer.text
    return True


def test_no_address_of_the_corpus_gets_anywhere_when_added(site: Site, untouched: Canary) -> None:
    """Refused when it is saved, or when it is called."""
    saved = 0
    for number, (address, url) in enumerate(urls(untouched.port).items()):
        kind, name = KINDS[number % len(KINDS)], f"added-{number}"
        made = site.add(name, kind, url)
        if not refused_when_saved(made):
            assert made.status_code == 201, (address, made.text)
            assert made.json()["data"]["healthy"] is False, address
            saved += 1
            for call in two_of(kind, number):
                answer = call.make(site, name, "")
                assert answer.status_code == call.status, (address, str(call), answer.text)
            site.delete(name)
        assert site.went_nowhere(), address
    assert saved > 60, "most can be saved, so that it is the guard that refuses them"


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_nor_when_it_is_given_to_a_provider_that_was_sound(site: Site, untouched: Canary, method: str) -> None:
    name = f"changed-{method.lower()}"
    for kind in ("openai", "fal"):
        assert site.add(name, kind, f"http://public.test:{untouched.port}").status_code == 201
        site.connections()
        for number, (address, url) in enumerate(urls(untouched.port).items()):
            if number % 2 == (kind == "fal"):
                continue
            changed = site.call(method, f"/api/providers/{name}", {"base_url": url})
            assert refused_when_saved(changed) or changed.json()["data"]["healthy"] is False, (address, changed.text)
            assert site.went_nowhere(), address
        site.delete(name)


def test_nor_when_it_is_saved_in_the_admin(site: Site, untouched: Canary) -> None:
    row, name = "", "in-the-admin"
    button = next(call for call in CALLS if call.route == "admin")
    for number, (address, url) in enumerate(urls(untouched.port).items()):
        # A form's input has no line breaks, and blanks around it are cut off.
        kept = site.save(row if number % 5 else "", f"{name}-{number // 5}", KINDS[0], url)
        row = kept if not number % 5 or kept else row
        if kept and number % 3 == 0:
            assert "does not work" in button.make(site, name, kept).text, address
        assert site.went_nowhere(), address


def test_nor_as_a_target_at_fal(site: Site, untouched: Canary, other: Canary) -> None:
    """Where the provider has no address of its own, the target is called; where it has one, only that is."""
    targets = fal_targets(untouched.port)
    for address_of_its_own in ("", other.url):
        made = site.add("fal-targets", "fal", address_of_its_own, allow_private_network=True)
        assert made.status_code == 201, made.text
        asked = len(other.requests)
        for number, (address, target) in enumerate(targets.items()):
            path = ("/api/falai", "/proxy/fal-targets", "/api/falai/", "/api/falai/fal-ai/x")[number % 4]
            method = ("POST", "GET", "PUT")[number % 3]
            try:
                answer = site.call(method, path, None, headers={TARGET: target.encode()})
            except httpx.LocalProtocolError:
                continue  # this is no header's value
            assert answer.status_code == 412, (address, answer.text)
        assert len(other.requests) == asked
        site.connections()
        sound = site.call("POST", "/api/falai", {"a": 1}, headers={TARGET: "https://fal.run/fal-ai/x"})
        assert (sound.status_code, len(other.requests) - asked) == ((200, 1) if address_of_its_own else (502, 0))
        site.delete("fal-targets")


BELOW = (
    "/CANARY/",
    "//CANARY/",
    "/http://CANARY/",
    "/@CANARY/",
    "/:80@CANARY/",
    "/%2f%2fCANARY/",
    "/%5cCANARY/",
    "/%40CANARY/",
    "/..%2f..%2fCANARY/",
    "/.CANARY/",
    "?@CANARY/",
    "?url=http://CANARY/",
    "/;@CANARY/",
    "/x%00@CANARY/",
    "/x%0d%0aHost:%20CANARY/",
)


@pytest.mark.parametrize("kind", KINDS)
def test_nor_by_the_path_below_a_provider(site: Site, untouched: Canary, other: Canary, kind: str) -> None:
    name = f"below-{kind}"
    assert site.add(name, kind, other.url, allow_private_network=True).status_code == 201
    aliases = {"anthropic": "/api/anthropic", "fal": "/api/falai", "elevenlabs": "/api/elevenlabs"}
    for below in BELOW:
        path = below.replace("CANARY", f"127.0.0.1:{untouched.port}")
        for before in filter(None, (f"/proxy/{name}", aliases.get(kind))):
            headers = {"X-Forwarded-Host": f"127.0.0.1:{untouched.port}", "Referer": untouched.url}
            site.call("GET", httpx.URL(site.gateway.url + before + path), headers=headers)
    assert {line.split()[1] for line in site.connections()} <= {str(other.port)}
    assert all(asked.headers["host"] == f"127.0.0.1:{other.port}" for asked in other.requests)
    assert len(other.requests) > 5


def with_picture(name: str, url: str) -> list[tuple[str, dict[str, Any]]]:
    """The same picture in the words of each route that takes messages."""
    text, source = {"type": "text", "text": "What is this?"}, {"type": "url", "url": url}
    image = {"type": "image", "source": source}
    chat = [{"role": "user", "content": [text, {"type": "image_url", "image_url": {"url": url}}]}]
    return [
        ("/v1/chat/completions", {"model": f"{name}/m", "messages": chat}),
        (
            "/v1/messages",
            {"model": f"{name}/m", "messages": [{"role": "user", "content": [text, image]}], "max_tokens": 5},
        ),
        ("/api/generate", {"provider": name, "messages": [{"role": "user", "parts": [text, image]}]}),
    ]


@pytest.mark.parametrize("kind", [*KINDS, "echo"])
def test_no_picture_is_fetched(site: Site, untouched: Canary, upstream: Upstream, other: Canary, kind: str) -> None:
    """A picture's address is the vendor's to fetch: the gateway passes it on as text."""
    name = f"looking-{kind}"
    there = upstream.url if kind == "openai" else "" if kind == "echo" else other.url
    assert site.add(name, kind, there, allow_private_network=True).status_code == 201
    passed_on = 0
    step = 1 if kind in {"openai", "echo"} else 4
    for number, (address, url) in enumerate(list(urls(untouched.port).items())[::step]):
        path, body = with_picture(name, url)[number % 3]
        answer = site.call("POST", path, {**body, "stream": number % 2 == 1})
        assert answer.status_code in ({200, 400} if step == 1 else {200, 400, 404, 502}), (address, answer.text)
        if answer.status_code == 200 and kind == "openai":
            assert url in str(upstream.calls[-1].json) or repr(url)[1:-1] in str(upstream.calls[-1].json), address
        passed_on += answer.status_code == 200
    assert step > 1 or passed_on > 100
    assert {line.split()[1] for line in site.connections()} <= {str(upstream.port), str(other.port)}


def test_the_proxy_of_the_environment_would_be_the_canary(canary: Canary, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the server's environment asks for, and a client that believes it."""
    for name, value in proxied_to(canary).items():
        monkeypatch.setenv(name, value)
    before = len(canary.requests)
    assert httpx.get("http://public.test/").status_code == 200
    assert len(canary.requests) == before + 1
