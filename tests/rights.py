"""Everybody who might call, with every credential that there is, good and bad: the columns of the matrix of rights."""

import json
import secrets
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any

from tests.gateway import Gateway
from tests.routes import BOUNDARY, Route
from tests.vendors.openai import OpenAI
from tests.vendors.server import Answer, Arrived, as_json

SECRET_HEADERS = {
    "token": "Authorization",
    "x-api-key": "x-api-key",
    "x-goog-api-key": "x-goog-api-key",
    "xi-api-key": "xi-api-key",
}
PAGE = "https://app.example.com"  # the origin that a pass is limited to
_CSRF = "a" * 32
_KINDS = {"ben": {"session", "token"}, "super": {"session", "token"}}  # others call with each kind that they have

# Makes the cast inside the server's database, and prints their credentials.
_MAKE = """
import datetime, json, time
import jwt
from django.conf import settings
from django.test import Client
from django.utils import timezone
from accounts.models import ApiToken, Session, SignIn, User
from accounts.models.sign_in import expiry

def user(name, **more):
    found, _ = User.objects.get_or_create(username=name, defaults=more)
    return found

def session(who):
    browser = Client(HTTP_HOST="localhost")
    browser.force_login(who)
    return browser.cookies[settings.SESSION_COOKIE_NAME].value

def web_token(kind, who, expires=3600, **claims):
    settled = settings.SIMPLE_JWT
    sign_in = SignIn.objects.create(user=who, kind="jwt", expires_at=expiry(days=1))
    now = int(time.time())
    content = {"token_type": kind, "user_id": str(who.pk), "jti": f"{kind}-{time.time_ns()}", "sid": sign_in.pk,
               "iat": now - 9000, "exp": now + expires, "iss": settled["ISSUER"], **claims}
    content = {name: value for name, value in content.items() if value is not None}
    return jwt.encode(content, settled["SIGNING_KEY"], algorithm=settled["ALGORITHM"]), sign_in

def browser_pass(who, expires=3600, endpoints=(), providers=(), models=(), origin="", **claims):
    limits = {"providers": [*providers], "models": [*models], "endpoints": [*endpoints], "origin": origin}
    return web_token("browser", who, expires, **limits, **claims)

made = {}
def equip(state, who):
    made[state] = {
        "user": who.pk,
        "session": session(who),
        "jwt": web_token("access", who)[0],
        "pass": browser_pass(who)[0],
        "token": ApiToken.objects.issue(who, state)[1],
    }

for name in ("anna", "ben"):
    equip(name, user(name))
equip("staff", user("clerk", is_staff=True))
equip("super", user("chief", is_staff=True, is_superuser=True))
disabled = user("gone")
equip("disabled", disabled)
disabled.is_active = False
disabled.save()
late = user("late")
token, clear = ApiToken.objects.issue(late, "expired", expires_at=timezone.now() - datetime.timedelta(seconds=1))
key = session(late)
Session.objects.filter(session_key=key).update(expire_date=timezone.now() - datetime.timedelta(seconds=1))
made["expired"] = {"user": late.pk, "session": key, "token": clear, "jwt": web_token("access", late, -1)[0],
                   "pass": browser_pass(late, -1)[0]}
lost = user("lost")
token, clear = ApiToken.objects.issue(lost, "revoked")
token.revoke()
key, (access, first), (passed, second) = session(lost), web_token("access", lost), browser_pass(lost)
lost.sign_ins.all().end()
made["revoked"] = {"user": lost.pk, "session": key, "token": clear, "jwt": access, "pass": passed}
clerk = user("clerk")
for endpoint in ("usage", "proxy"):
    made[f"limited to {endpoint}"] = {
        "user": clerk.pk,
        "token": ApiToken.objects.issue(clerk, endpoint, endpoints=[endpoint])[1],
        "pass": browser_pass(clerk, endpoints=[endpoint])[0],
    }
made["limited to a provider"] = {
    "user": clerk.pk,
    "token": ApiToken.objects.issue(clerk, "provider", providers=["demo"])[1],
    "pass": browser_pass(clerk, providers=["demo"])[0],
}
for model in ("m", "echo-1"):
    made[f"limited to model {model}"] = {
        "user": clerk.pk,
        "token": ApiToken.objects.issue(clerk, model, models=[model])[1],
        "pass": browser_pass(clerk, models=[model])[0],
    }
anna = User.objects.get(username="anna")
made["of one page"] = {"user": anna.pk, "pass": browser_pass(anna, origin="https://app.example.com")[0]}
for state, grace in (("in grace", 3600), ("replaced", 0)):
    token, clear = ApiToken.objects.issue(anna, state)
    handed_out = browser_pass(anna, tid=token.pk, tsn=token.secret_number, sid=None)[0]
    token.rotate(datetime.timedelta(seconds=grace))
    made[state] = {"user": anna.pk, "token": clear, "pass": handed_out}
far = ApiToken.objects.issue(clerk, "far", addresses=["203.0.113.0/24"])[1]
made["from elsewhere"] = {"user": clerk.pk, "token": far}
made["own"] = {
    "token id": ApiToken.objects.issue(User.objects.get(username="anna"), "kept")[0].pk,
    "sign-in id": User.objects.get(username="anna").sign_ins.open().first().pk,
}
print(json.dumps(made))
"""


@dataclass(frozen=True)
class Credential:
    """What a caller sends. state: who it is, or what is wrong with the credential; kind: what the credential is."""

    state: str
    kind: str
    headers: dict[str, str] = field(default_factory=dict, hash=False)
    query: str = ""

    def __str__(self) -> str:
        return f"{self.state}, {self.kind}"


ANONYMOUS = Credential("anonymous", "nothing")
Rights = tuple[Gateway, list[Credential], dict[str, Any]]  # a server, who calls it, and what belongs to anna


def cast(gateway: Gateway) -> tuple[list[Credential], dict[str, Any]]:
    """All credentials, and the ids of what belongs to `anna`."""
    made = json.loads(gateway.python(_MAKE))
    own = made.pop("own")
    found = [ANONYMOUS, Credential("anonymous", "nonsense", {"Authorization": f"Bearer agw_{secrets.token_hex(23)}"})]
    of_page = {"Authorization": f"Bearer {made.pop('of one page')['pass']}"}
    found.append(Credential("anna", "pass from its page", {**of_page, "Origin": PAGE}))
    found.append(Credential("from another page", "pass", {**of_page, "Origin": f"{PAGE}:8443"}))
    found.append(Credential("from no page", "pass", of_page))
    for state, secret_of in made.items():
        found += _credentials(state, secret_of)
    anna = made["anna"]
    for name in ("token", "api_key", "key", "access_token", "x-api-key"):
        found.append(Credential("anonymous", f"?{name}=", query=f"{name}={anna['token']}"))
    cookie = f"sessionid={anna['session']}; csrftoken={_CSRF}"
    found.append(Credential("anna", "session without CSRF", {"Cookie": cookie}))
    foreign = {"Cookie": cookie, "X-CSRFToken": _CSRF, "Origin": "https://evil.example.com"}
    found.append(Credential("anna", "session from a foreign page", foreign))
    return found, own


def _credentials(state: str, secret_of: dict[str, Any]) -> list[Credential]:
    secret_of = {kind: secret for kind, secret in secret_of.items() if kind in _KINDS.get(state, secret_of)}
    found = []
    if session := secret_of.get("session"):
        cookies = {"Cookie": f"sessionid={session}; csrftoken={_CSRF}", "X-CSRFToken": _CSRF}
        found.append(Credential(state, "session", cookies))
    bearers = {kind: f"Bearer {secret_of[kind]}" for kind in ("jwt", "pass") if kind in secret_of}
    found += [Credential(state, kind, {"Authorization": bearer}) for kind, bearer in bearers.items()]
    headers = SECRET_HEADERS if state == "anna" else {"token": SECRET_HEADERS["token"]}
    for kind, header in headers.items():
        if "token" not in secret_of:
            continue
        value = f"Token {secret_of['token']}" if kind == "token" else secret_of["token"]
        found.append(Credential(state, kind, {header: value}))
    return found


class Obliging(OpenAI):
    """A vendor of all kinds: OpenAI's API, and at any other path all is well."""

    def key_in(self, arrived: Arrived) -> str:
        carried = (arrived.headers.get(name, "") for name in ("authorization", "x-api-key", "xi-api-key"))
        return next(filter(None, carried), "").removeprefix("Bearer ").removeprefix("Key ")

    def reply(self, arrived: Arrived) -> Answer:
        answer = super().reply(arrived)
        return as_json({"usage": {}}) if answer.status == 404 else answer


class Browser:
    """One connection over which a request costs little; it keeps no cookies."""

    def __init__(self, gateway: Gateway) -> None:
        self._connection = HTTPConnection("127.0.0.1", gateway.port, timeout=20)

    def close(self) -> None:
        self._connection.close()

    def ask(self, route: Route, credential: Credential) -> tuple[int, str, str]:
        """Status, body and Location."""
        path = route.path
        if credential.query:
            path += ("&" if "?" in path else "?") + credential.query
        body, kind = _body_of(route)
        headers = {"Content-Type": kind, **route.headers, **credential.headers}
        self._connection.request(route.method, path, body, headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace"), answer.headers.get("location", "")


def _body_of(route: Route) -> tuple[str | bytes | None, str]:
    """The body to send, and its type."""
    if isinstance(route.body, bytes):
        return route.body, f"multipart/form-data; boundary={BOUNDARY}"
    if isinstance(route.body, str):
        return route.body, "application/x-www-form-urlencoded"
    return None if route.body is None else json.dumps(route.body), "application/json"
