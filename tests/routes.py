"""Who may call what: a line for each route of the URLconf, the rows of the matrix of rights."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

VALID = frozenset({"anna", "ben", "staff", "super"})
STAFF = frozenset({"staff", "super"})
BOUNDARY = "b"  # of the forms with files in
_MADE = frozenset({200, 201, 204})
_UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})


@dataclass(frozen=True)
class Route:
    """One method of a route.

    who: may call it; `open` for everybody, `page` (`staff page`, `own page`) for people with a session, `user`,
    `staff`, `own` for the one whose thing it is, or `nobody`. endpoint: what a limited credential must be good for;
    none is, where it is empty. path: an address of it, with what belongs to anna in it. body: a form, where it is text;
    a form with files, where it is bytes; else JSON. provider, model: what it would call; a model that is not known is
    `?`. well: the statuses of an answer to those who may. before: a piece of Python, run beside the server, that makes
    a call by one of them possible again. lasting: whether what it makes or changes has no end, so that no API token
    with an end may.
    """

    who: str
    path: str
    method: str = "GET"
    body: Any = None
    endpoint: str = ""
    provider: str = ""
    model: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, hash=False)
    well: frozenset[int] = _MADE
    before: str = ""
    lasting: bool = False
    by_pass: bool = True  # whether a browser's pass without any limits will do

    def admits(self, state: str, kind: str) -> bool:
        """Whether a caller gets in."""
        if self.who == "open":
            return True
        if kind.startswith("session "):  # without CSRF, or from a foreign page
            return self.method not in _UNSAFE and self.endpoint != "proxy" and self.admits(state, "session")
        if "page" in self.who:
            who = {"page": VALID, "staff page": STAFF, "own page": {"anna"}}[self.who]
            return kind == "session" and state in who
        if kind.startswith("pass") and (not self.endpoint or not self.by_pass or self.who == "staff"):
            return False
        if state == "in grace":
            return self.admits("anna", kind) and not (self.lasting and kind == "token")
        if state.startswith("limited to"):
            return self._admits_limited(state.removeprefix("limited to "))
        wanted: dict[str, frozenset[str]] = {
            "user": VALID,
            "staff": STAFF,
            "own": frozenset({"anna"}),
            "own or staff": STAFF | {"anna"},
        }
        return state in wanted.get(self.who, frozenset())

    def _admits_limited(self, limit: str) -> bool:
        if not self.endpoint or self.who != "user":
            return False
        if limit.startswith("model "):
            return self.model in {"", limit.removeprefix("model ")}
        return self.provider in {"", "demo"} if limit == "a provider" else limit == self.endpoint


def _form(**fields: str) -> bytes:
    """A form with these fields and a picture; the name of that is the field `file`'s."""
    picture = fields.pop("file")
    begin = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="'
    parts = [f'{begin}{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()]
    last = f'{begin}{picture}"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'
    return "".join([*parts, last]).encode() + b"\x89PNG\r\n\x1a\n" + f"\r\n--{BOUNDARY}--\r\n".encode()


Rows = dict[str, list[Route]]
_CHAT = {"model": "upstream/m", "messages": [{"role": "user", "content": "Hello"}]}
_MESSAGES = {**_CHAT, "max_tokens": 20}
_AT_FAL = {"x-fal-target-url": "https://fal.run/fal-ai/things"}
_QUOTA = {"user": "anna", "unit": "requests", "window": "day", "limit": 100000}
_NO_QUOTA = "from accounts.models import Quota; Quota.objects.all().delete()"
_A_QUOTA = (
    f"{_NO_QUOTA}; from accounts.models import User; who = User.objects.get(username='anna');"
    " Quota.objects.create(id=1, user=who, unit='requests', window='day', limit=100000)"
)
_NEW = {"name": "made", "type": "echo"}
_NOT_MADE = "from providers.models import Provider; Provider.objects.filter(name='made').delete()"
_IS_MADE = "from providers.models import Provider; Provider.objects.get_or_create(name='made', type='echo')"


def rows(own: dict[str, Any]) -> Rows:
    """Every route of the URLconf but the admin's, by its pattern."""
    return {**_gateway_lane(), **_api(own["token id"]), **_pages(own["token id"], own["sign-in id"])}


def _aliases() -> Rows:
    return {
        f"api/{alias}{rest}": [
            Route("user", f"/api/{alias}{at}", "POST", {}, "proxy", kind, "?", _AT_FAL if kind == "fa" else {})
        ]
        for alias, kind in (("anthropic", "an"), ("falai", "fa"), ("elevenlabs", "el"))
        for rest, at in (("", ""), ("/", "/"), ("/<path:path>", "/v1/things"))
    }


def _generating(path: str, body: Any, endpoint: str = "openai", provider: str = "upstream", model: str = "m") -> Rows:
    return {path: [Route("user", f"/{path}", "POST", body, endpoint, provider, model)]}


def _gateway_lane() -> Rows:
    picture = _form(message="Hello", model="echo-1", file="image")
    return {
        **{name: [Route("open", f"/{name}")] for name in ("health", "status", "version", "ready")},
        **_generating("api/generate", {"prompt": "Hello", "model": "echo-1"}, "generate", "demo", "echo-1"),
        **_generating("api/chat", {"message": "Hello", "model": "echo-1"}, "chat", "demo", "echo-1"),
        **_generating("api/chat/stream", {"message": "Hello", "model": "echo-1"}, "chat", "demo", "echo-1"),
        **_generating("api/upload", picture, "chat", "demo", "echo-1"),
        **_generating("v1/chat/completions", _CHAT),
        **_generating("v1/responses", {"model": "upstream/m", "input": "Hello"}),
        **_generating("v1/embeddings", {"model": "upstream/m", "input": "a"}),
        **_generating("v1/images/generations", {"model": "upstream/m", "prompt": "a"}),
        **_generating("v1/images/edits", _form(model="upstream/m", prompt="a", file="image")),
        **_generating("v1/audio/speech", {"model": "upstream/m", "input": "a", "voice": "b"}),
        **_generating("v1/audio/transcriptions", _form(model="upstream/m", file="file")),
        **_generating("v1/messages", _MESSAGES, "anthropic"),
        **_generating("v1/messages/count_tokens", _CHAT, "anthropic"),
        "v1/models": [Route("user", "/v1/models", endpoint="openai")],
        "v1/models/<path:model>": [Route("user", "/v1/models/demo", endpoint="openai")],
        "v1/<path:path>": [Route("user", "/v1/nothing", endpoint="openai", well=frozenset({404}))],
        "proxy/<str:name>": [Route("user", "/proxy/upstream", "GET", None, "proxy", "upstream")],
        "proxy/<str:name>/": [Route("user", "/proxy/upstream/", "POST", {}, "proxy", "upstream", "?")],
        "proxy/<str:name>/<path:path>": [
            Route("user", "/proxy/upstream/chat/completions", "POST", {**_CHAT, "model": "m"}, "proxy", "upstream", "m")
        ],
        **_aliases(),
    }


def _api(token: int) -> Rows:
    return {
        "api/providers": [
            Route("user", "/api/providers", endpoint="providers"),
            Route("staff", "/api/providers", "POST", _NEW, "providers", before=_NOT_MADE),
        ],
        "api/providers/<str:name>": [
            Route("user", "/api/providers/demo", endpoint="providers", provider="demo"),
            Route("staff", "/api/providers/upstream", "PUT", {"description": "a"}, "providers"),
            Route("staff", "/api/providers/upstream", "PATCH", {"description": "a"}, "providers"),
            Route("staff", "/api/providers/made", "DELETE", None, "providers", before=_IS_MADE),
        ],
        "api/providers/<str:name>/health": [Route("user", "/api/providers/demo/health", endpoint="providers")],
        "api/providers/<str:name>/test": [Route("staff", "/api/providers/demo/test", "POST", {}, "providers")],
        "api/calls/<str:call_id>/answer": [
            Route("nobody", "/api/calls/00000000-0000-7000-8000-000000000000/answer", endpoint="answers")
        ],
        "api/usage": [Route("user", "/api/usage", endpoint="usage"), Route("staff", "/api/usage?user=late")],
        "api/quota": [Route("user", "/api/quota", endpoint="usage"), Route("staff", "/api/quota?user=late")],
        "api/quotas": [Route("staff", "/api/quotas"), Route("staff", "/api/quotas", "POST", _QUOTA, before=_NO_QUOTA)],
        "api/quotas/<int:id>": [
            Route("staff", "/api/quotas/1", before=_A_QUOTA),
            Route("staff", "/api/quotas/1", "PUT", _QUOTA, before=_A_QUOTA),
            Route("staff", "/api/quotas/1", "PATCH", {}, before=_A_QUOTA),
            Route("staff", "/api/quotas/1", "DELETE", before=_A_QUOTA),
        ],
        "api/schema": [Route("user", "/api/schema")],
        "api/docs": [Route("page", "/api/docs")],
        **{
            # An answer that names what is missing: they were let in as far as anybody is.
            f"api/auth/token{what}": [Route("open", f"/api/auth/token{what}", "POST", {}, well=frozenset({400}))]
            for what in ("", "/refresh", "/revoke")
        },
        "api/auth/browser-token": [
            Route("user", "/api/auth/browser-token", "POST", {"lifetime": 60}, "browser-token", by_pass=False)
        ],
        "api/tokens": [
            Route("user", "/api/tokens"),
            Route("user", "/api/tokens", "POST", {"name": "another"}, lasting=True),
            Route("staff", "/api/tokens?user=late"),
        ],
        "api/tokens/<int:id>": [
            Route("own or staff", f"/api/tokens/{token}"),
            Route("own", f"/api/tokens/{token}", "PATCH", {"name": "another"}, lasting=True),
        ],
        "api/tokens/<int:id>/rotate": [Route("own", f"/api/tokens/{token}/rotate", "POST", {}, lasting=True)],
    }


def _pages(token: int, sign_in: int) -> Rows:
    return {
        "": [Route("open", "/")],
        "login": [Route("open", "/login", well=frozenset({200, 302}))],
        "logout": [Route("nobody", "/logout")],
        "password": [Route("page", "/password")],
        "password/reset": [Route("open", "/password/reset")],
        "password/reset/sent": [Route("open", "/password/reset/sent")],
        "password/reset/<uidb64>/<token>": [Route("open", "/password/reset/MQ/set-password")],
        "signup": [Route("open", "/signup", well=frozenset({404}))],
        "account": [Route("page", "/account")],
        "account/sign-ins/end": [Route("nobody", "/account/sign-ins/end")],
        "account/sign-ins/<int:id>/end": [Route("nobody", f"/account/sign-ins/{sign_in}/end")],
        "usage": [Route("page", "/usage"), Route("staff page", "/usage?user=late")],
        "tokens": [Route("page", "/tokens")],
        "tokens/<int:id>/rotate": [Route("own page", f"/tokens/{token}/rotate", "POST", {})],
        "tokens/<int:id>/revoke": [Route("own page", f"/tokens/{token}/revoke", "POST", {}, well=frozenset({302}))],
    }
