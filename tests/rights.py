"""Everybody who might call, with every credential that there is, good and bad: the columns of the matrix of rights."""

import json
import secrets
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any

from tests.gateway import Gateway
from tests.routes import Route

SECRET_HEADERS = {
    "token": "Authorization",
    "x-api-key": "x-api-key",
    "x-goog-api-key": "x-goog-api-key",
    "xi-api-key": "xi-api-key",
}
_CSRF = "a" * 32

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
    return jwt.encode(content, settled["SIGNING_KEY"], algorithm=settled["ALGORITHM"]), sign_in

def browser_pass(who, expires=3600, endpoints=(), providers=()):
    limits = {"providers": [*providers], "models": [], "endpoints": [*endpoints], "origin": ""}
    return web_token("browser", who, expires, **limits)

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
    found = []
    if session := secret_of.get("session"):
        cookies = {"Cookie": f"sessionid={session}; csrftoken={_CSRF}", "X-CSRFToken": _CSRF}
        found.append(Credential(state, "session", cookies))
    bearers = {kind: f"Bearer {secret_of[kind]}" for kind in ("jwt", "pass") if kind in secret_of}
    found += [Credential(state, kind, {"Authorization": bearer}) for kind, bearer in bearers.items()]
    for kind, header in SECRET_HEADERS.items():
        value = f"Token {secret_of['token']}" if kind == "token" else secret_of["token"]
        found.append(Credential(state, kind, {header: value}))
    return found


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
        is_form = isinstance(route.body, str)
        body = route.body if route.body is None or is_form else json.dumps(route.body)
        kind = "application/x-www-form-urlencoded" if is_form else "application/json"
        headers = {"Content-Type": kind, **credential.headers}
        self._connection.request(route.method, path, body, headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read().decode(), answer.headers.get("location", "")
