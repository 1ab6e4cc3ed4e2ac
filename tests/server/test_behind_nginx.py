"""Behind a real nginx that ends TLS, under another name: all that a gateway derives from where a request came from.

nginx runs with the configuration of docs/go-live.md. Its clients have addresses of their own, 127.0.0.2 and 127.0.0.3;
the gateway trusts 127.0.0.1, from where nginx speaks to it, and nobody else.
"""

import json
import re
import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager

import httpx
import pytest

from tests.conftest import PROVIDER_KEY
from tests.leaving import wait_until
from tests.mailbox import Mailbox
from tests.nginx import NAME, ORIGIN, FarWire, Guest, House, Nginx, Redirected, forged, program
from tests.serving import fresh
from tests.upstream import Upstream
from tests.vendors.fal import Fal
from tests.vendors.server import KEY
from tests.visitor import person

pytestmark = pytest.mark.nginx
EVIL = "https://evil.example.com"
ROOT_PATHS = [("Daphne-Root-Path", "/admin"), ("daphne-root-path", "admin/"), ("DAPHNE-ROOT-PATH", f"{EVIL}/x")]
ECHO = {"provider": "demo", "prompt": "Hello"}
CHAT = "/ws/chat/"
_LIMITED = (
    "from accounts.models import ApiToken, User; user = User.objects.get(username='admin');"
    "print(ApiToken.objects.issue(user, 'all')[1], ApiToken.objects.issue(user, 'here', addresses=['127.0.0.2'])[1])"
)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    if program() is None:
        pytest.skip("no nginx here")
    folder, mailbox = tmp_path_factory.mktemp("nginx"), Mailbox()
    gateway = fresh(
        folder / "var",
        HTTPS_ONLY="1",
        ALLOWED_HOSTS=NAME,
        TRUSTED_PROXIES="127.0.0.1",
        GATEWAY_MAX_BODY_BYTES="2000000",
        EMAIL_HOST="127.0.0.1",
        EMAIL_PORT=str(mailbox.port),
    )
    nginx = Nginx(folder, gateway.port)
    try:
        house = House(gateway.start(), nginx.start(), mailbox)
        house.token, house.bound = gateway.python(_LIMITED).split()
        yield house
    finally:
        nginx.stop()
        gateway.stop()
        mailbox.stop()


@pytest.fixture(scope="module")
def name(house: House) -> str:
    return person(house.gateway, email="ada@example.com")


@pytest.fixture(scope="module")
def reader(house: House, name: str) -> Guest:
    """Somebody who is signed in, and sent forged headers all along."""
    guest = Guest(house, **forged("198.51.100.1"))
    assert guest.sign_in(name).status_code == 302
    return guest


@pytest.fixture
def provider(house: House, upstream: Upstream) -> str:
    """The name of a provider that points at the scripted upstream."""
    return added(house, "openai", upstream.url, PROVIDER_KEY)


def added(house: House, kind: str, url: str, key: str) -> str:
    name = f"{kind}-{secrets.token_hex(4)}"
    body = {"name": name, "type": kind, "base_url": url, "api_key": key, "allow_private_network": True}
    made = house.nginx.client().post("/api/providers", json=body, headers=bearer(house.token))
    assert made.status_code == 201, made.text
    return name


def test_signing_in(house: House, name: str) -> None:
    guest = Guest(house)
    page = guest.get("/login")
    assert (page.status_code, page.headers.get_list("strict-transport-security")) == (
        200,
        ["max-age=31536000; includeSubDomains; preload"],
    )
    done = guest.sign_in(name, page="/login?next=/usage")
    assert (done.status_code, done.headers["location"]) == (302, "/usage")
    cookies = done.headers.get_list("set-cookie")
    assert {cookie.split("=")[0] for cookie in cookies} == {"__Host-sessionid", "__Host-csrftoken"}
    for cookie in cookies:
        parts = set(cookie.split("; ")[1:])
        assert {"Secure", "Path=/", "HttpOnly", "SameSite=Lax"} <= parts
        assert "domain" not in cookie.lower()
    assert guest.is_signed_in()
    seen = "select address from accounts_signin order by id desc limit 1"
    assert house.gateway.rows(seen) == [("127.0.0.2",)]


@pytest.mark.parametrize("origin", [EVIL, f"http://{NAME}", f"{ORIGIN}:8443", "null"])
def test_a_form_from_another_origin_is_refused(house: House, name: str, origin: str) -> None:
    guest = Guest(house)
    refused = guest.send("/login", {"username": name, "password": "x"}, headers={"Origin": origin})
    assert refused.status_code == 403
    assert "__Host-sessionid" not in str(refused.headers)


def test_redirects_stay_on_this_name(house: House) -> None:
    for headers in ({}, forged("198.51.100.1"), forged("127.0.0.1", "https")):
        found = Guest(house, **headers).client.get("/usage", follow_redirects=True)
        assert (found.status_code, str(found.url)) == (200, f"{ORIGIN}/login?next=/usage")


def test_a_link_in_a_mail(house: House, name: str) -> None:
    guest = Guest(house, **forged("198.51.100.1"))
    assert guest.send("/password/reset", {"email": "ada@example.com"}).status_code == 302
    mail = house.mailbox.next().get_content()
    links = re.findall(r"https?://\S+", mail)
    assert len(links) == 1
    assert links[0].startswith(f"{ORIGIN}/password/reset/")
    assert guest.client.get(links[0], follow_redirects=True).status_code == 200
    assert "evil" not in mail


def test_addresses_in_answers_and_on_pages(house: House, reader: Guest) -> None:
    made = reader.send("/tokens", {"name": "one", "lifetime": "30"})
    assert f"curl {ORIGIN}/api/generate" in made.text, made.text
    fal = Fal(queued=True).start()
    try:
        provider = added(house, "fal", fal.url, KEY)
        path = f"/proxy/{provider}/queue.fal.run/fal-ai/flux"
        headers = bearer(house.token) | forged("198.51.100.1")
        told = house.nginx.client().post(path, json={"prompt": "p"}, headers=headers).json()
    finally:
        fal.stop()
    assert told["status_url"].startswith(f"{ORIGIN}/proxy/{provider}/queue.fal.run/fal-ai/flux/requests/")


def test_a_session_in_the_gateway_lane(reader: Guest) -> None:
    own = {"X-CSRFToken": reader.form_token("/account")}
    for headers, status in (
        (own, 200),
        ({}, 403),
        ({**own, "Origin": EVIL}, 403),
        ({**own, "Origin": f"http://{NAME}"}, 403),
    ):
        assert reader.client.post("/api/generate", json=ECHO, headers=headers).status_code == status, headers


def test_the_chat_s_socket(house: House, reader: Guest) -> None:
    cookie = f"Cookie: __Host-sessionid={reader.session}"
    for origin in (EVIL, f"http://{NAME}", f"{ORIGIN}:8443", "null"):
        with house.nginx.wire() as wire:
            assert wire.status(CHAT, cookie, f"Origin: {origin}") == 403, origin
    with house.nginx.wire() as wire:
        lines = [f"{key}: {value}" for key, value in forged("198.51.100.1").items()]
        assert wire.status(CHAT, cookie, f"Origin: {ORIGIN}", *lines) == 101
        wire.say(json.dumps({"type": "ask", "id": "q", "messages": [{"role": "user", "content": "Hello"}]}))
        kinds = [json.loads(wire.next().payload)["type"] for _ in range(3)]
    assert kinds == ["started", "delta", "done"]


def test_too_many_tries_are_counted_by_the_client_s_own_address(house: House) -> None:
    """Nobody gets more of them by naming others, and nobody else's are used up."""
    name = person(house.gateway)

    def tried(source: str, password: str, told: str) -> int:
        given = {"username": name, "password": password}
        return house.nginx.client(source).post("/api/auth/token", json=given, headers=forged(told)).status_code

    statuses = [tried("127.0.0.2", "wrong", f"127.0.{number}.3") for number in range(5)]
    assert statuses == [401, 401, 401, 401, 429]
    assert tried("127.0.0.2", "wrong", "127.0.0.1") == 429
    assert tried("127.0.0.3", "a long enough pass phrase", "127.0.0.2") == 200


def test_a_token_that_is_bound_to_an_address(house: House) -> None:
    def status(client: httpx.Client, **headers: str) -> int:
        return client.post("/api/generate", json=ECHO, headers=bearer(house.bound) | headers).status_code

    for round_nginx in (house.nginx.client, house.straight):
        for says in ({}, forged("127.0.0.2", "https"), forged("127.0.0.2, 127.0.0.1"), forged("127.0.0.3")):
            assert (status(round_nginx("127.0.0.2"), **says), status(round_nginx("127.0.0.3"), **says)) == (200, 403)
    for source, expected in (("127.0.0.2", 101), ("127.0.0.3", 403)):
        with house.nginx.wire(source) as wire:
            assert wire.status(CHAT, f"Authorization: Bearer {house.bound}", "X-Forwarded-For: 127.0.0.2") == expected


def test_an_answer_comes_piece_by_piece_and_ends_with_its_client(
    house: House, upstream: Upstream, provider: str
) -> None:
    body = {"provider": provider, "model": "hold-middle", "prompt": "count", "stream": True}

    def asked(client: httpx.Client) -> AbstractContextManager[httpx.Response]:
        return client.stream("POST", "/api/generate", json=body, headers=bearer(house.token))

    with house.nginx.client() as client, asked(client) as answer:
        pieces = answer.iter_text()
        assert "One" in next(pieces)
        assert not upstream.go_on.is_set()
        upstream.go_on.set()
        rest = "".join(pieces)
    assert "four" in rest
    assert rest.endswith("data: [DONE]\n\n")
    upstream.go_on.clear()
    with house.nginx.client() as client, asked(client) as answer:
        next(answer.iter_text())
    wait_until(lambda: upstream.hung_up == 1, 3, lambda: upstream.hung_up)


def test_paths_and_bodies_pass_as_they_are(house: House, upstream: Upstream, provider: str) -> None:
    client, headers = house.nginx.client(), bearer(house.token)
    client.post(
        f"/proxy/{provider}/a%2Fb//c/d?x=%2F&y=a+b",
        json={"model": "m", "messages": [{"content": ""}]},
        headers=headers,
    )
    assert upstream.calls[-1].path == "/v1/a%2Fb//c/d?x=%2F&y=a+b"
    large = client.post("/api/generate", json={**ECHO, "prompt": "x" * 2_000_000}, headers=headers)
    assert (large.status_code, large.json()["error"]["code"]) == (413, "PAYLOAD_TOO_LARGE")


def test_plain_http_leads_to_https(house: House) -> None:
    plain = httpx.Client(base_url=f"http://{NAME}", transport=Redirected(house.nginx.plain_port, None))
    for client in (plain, house.straight()):
        for says in ({}, forged("127.0.0.1", "https")):
            led = client.get("/usage?group_by=day", headers=says)
            assert (led.status_code, led.headers["location"]) == (301, f"{ORIGIN}/usage?group_by=day")
            assert "set-cookie" not in led.headers


def test_a_load_balancer_s_own_question(house: House) -> None:
    with house.straight("127.0.0.1") as client:
        assert client.get("/ready").status_code == 200
        assert client.get("/ready", headers={"Host": "elsewhere.example.com"}).status_code == 400


def test_who_goes_round_nginx_is_who_it_is(house: House) -> None:
    """At the socket, the scheme is seen in which origin is its own."""
    for origin, proto, expected in (
        (f"http://{NAME}", "http", 101),
        (f"http://{NAME}", "https", 101),
        (ORIGIN, "https", 403),
        (ORIGIN, "wss", 403),
    ):
        with FarWire(house.gateway.port) as wire:
            lines = (f"Origin: {origin}", f"X-Forwarded-Proto: {proto}", f"Authorization: Bearer {house.token}")
            assert wire.status(CHAT, *lines) == expected, (origin, proto)


@pytest.mark.parametrize("sent", ROOT_PATHS)
def test_no_header_moves_the_paths(house: House, reader: Guest, sent: tuple[str, str]) -> None:
    header = dict([sent])
    for client in (house.nginx.client(), house.straight("127.0.0.1"), house.straight()):
        said = header | forged("198.51.100.1") if client.base_url.scheme == "http" else header
        for path in ("/ready", "/usage", "/admin/", "/api/providers"):
            without, moved = client.get(path), client.get(path, headers=said)
            assert (moved.status_code, moved.headers.get("location")) == (
                without.status_code,
                without.headers.get("location"),
            ), path
        assert client.post("/api/generate", json=ECHO, headers=said | bearer(house.token)).status_code == 200
    links = re.compile(r'(?:href|action|src)="([^"]+)"')
    for page in ("/account", "/tokens"):
        assert links.findall(reader.client.get(page, headers=header).text) == links.findall(reader.get(page).text)
    for wire in (house.nginx.wire(), FarWire(house.gateway.port, "127.0.0.1"), FarWire(house.gateway.port)):
        with wire:
            assert wire.status(CHAT, f"Authorization: Bearer {house.token}", f"{sent[0]}: {sent[1]}") == 101
        with FarWire(house.gateway.port) as elsewhere:
            assert elsewhere.status("/elsewhere/", f"Authorization: Bearer {house.token}", f"{sent[0]}: {CHAT}") == 403
