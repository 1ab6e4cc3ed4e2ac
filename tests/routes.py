"""Who may call what: a line for each route of the URLconf, the rows of the matrix of rights."""

from dataclasses import dataclass
from typing import Any

VALID = frozenset({"anna", "ben", "staff", "super"})
STAFF = frozenset({"staff", "super"})
_UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})


@dataclass(frozen=True)
class Route:
    """One method of a route.

    who: may call it; `open` for everybody, `page` (`staff page`, `own page`) for people with a session, `user`,
    `staff`, `own` for the one whose thing it is, or `nobody`. endpoint: what a limited credential must be good for;
    none is, where it is empty. path: an address of it, with what belongs to anna in it. provider: the one that it
    would call.
    """

    who: str
    path: str
    method: str = "GET"
    body: Any = None
    endpoint: str = ""
    provider: str = ""
    by_pass: bool = True  # whether a browser's pass without any limits will do

    def admits(self, state: str, kind: str) -> bool:
        """Whether a caller gets in."""
        if self.who == "open":
            return True
        if kind.startswith("session "):  # without CSRF, or from a foreign page
            return self.method not in _UNSAFE and self.admits(state, "session")
        if "page" in self.who:
            who = {"page": VALID, "staff page": STAFF, "own page": {"anna"}}[self.who]
            return kind == "session" and state in who
        if kind == "pass" and (not self.endpoint or not self.by_pass or self.who == "staff"):
            return False
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
        return self.provider in {"", "demo"} if limit == "a provider" else limit == self.endpoint


Rows = dict[str, list[Route]]
_CHAT = {"model": "upstream/m", "messages": [{"role": "user", "content": "Hello"}]}
_MESSAGES = {**_CHAT, "max_tokens": 20}
_QUOTA = {"user": "anna", "unit": "requests", "window": "day", "limit": 100000}
_NEW = {"name": "made", "type": "echo"}


def rows(own: dict[str, Any]) -> Rows:
    """Every route of the URLconf but the admin's, by its pattern."""
    return {**_gateway_lane(), **_api(own["token id"]), **_pages(own["token id"], own["sign-in id"])}


def _aliases() -> Rows:
    return {
        f"api/{alias}{rest}": [Route("user", f"/api/{alias}{at}", "POST", {}, "proxy", kind)]
        for alias, kind in (("anthropic", "an"), ("falai", "fa"), ("elevenlabs", "el"))
        for rest, at in (("", ""), ("/", "/"), ("/<path:path>", "/v1/things"))
    }


def _gateway_lane() -> Rows:
    return {
        **{name: [Route("open", f"/{name}")] for name in ("health", "status", "version", "ready")},
        "api/generate": [Route("user", "/api/generate", "POST", {"prompt": "Hello"}, "generate")],
        "api/chat": [Route("user", "/api/chat", "POST", {"message": "Hello"}, "chat")],
        "api/chat/stream": [Route("user", "/api/chat/stream", "POST", {"message": "Hello"}, "chat")],
        "api/upload": [Route("user", "/api/upload", "POST", {}, "chat")],
        "v1/chat/completions": [Route("user", "/v1/chat/completions", "POST", _CHAT, "openai", "upstream")],
        "v1/responses": [
            Route("user", "/v1/responses", "POST", {"model": "upstream/m", "input": "Hello"}, "openai", "upstream")
        ],
        "v1/embeddings": [
            Route("user", "/v1/embeddings", "POST", {"model": "upstream/m", "input": "a"}, "openai", "upstream")
        ],
        "v1/images/generations": [
            Route(
                "user", "/v1/images/generations", "POST", {"model": "upstream/m", "prompt": "a"}, "openai", "upstream"
            )
        ],
        "v1/images/edits": [Route("user", "/v1/images/edits", "POST", {}, "openai")],
        "v1/audio/speech": [
            Route(
                "user",
                "/v1/audio/speech",
                "POST",
                {"model": "upstream/m", "input": "a", "voice": "b"},
                "openai",
                "upstream",
            )
        ],
        "v1/audio/transcriptions": [Route("user", "/v1/audio/transcriptions", "POST", {}, "openai")],
        "v1/messages": [Route("user", "/v1/messages", "POST", _MESSAGES, "anthropic", "upstream")],
        "v1/messages/count_tokens": [
            Route("user", "/v1/messages/count_tokens", "POST", _CHAT, "anthropic", "upstream")
        ],
        "v1/models": [Route("user", "/v1/models", endpoint="openai")],
        "v1/models/<path:model>": [Route("user", "/v1/models/demo/echo-1", endpoint="openai")],
        "v1/<path:path>": [Route("user", "/v1/nothing", endpoint="openai")],
        "proxy/<str:name>": [Route("user", "/proxy/upstream", "GET", None, "proxy", "upstream")],
        "proxy/<str:name>/": [Route("user", "/proxy/upstream/", "POST", {}, "proxy", "upstream")],
        "proxy/<str:name>/<path:path>": [
            Route("user", "/proxy/upstream/chat/completions", "POST", _CHAT, "proxy", "upstream")
        ],
        **_aliases(),
    }


def _api(token: int) -> Rows:
    return {
        "api/providers": [
            Route("user", "/api/providers", endpoint="providers"),
            Route("staff", "/api/providers", "POST", _NEW, "providers"),
        ],
        "api/providers/<str:name>": [
            Route("user", "/api/providers/demo", endpoint="providers", provider="demo"),
            Route("staff", "/api/providers/upstream", "PUT", {"description": "a"}, "providers"),
            Route("staff", "/api/providers/upstream", "PATCH", {"description": "a"}, "providers"),
            Route("staff", "/api/providers/made", "DELETE", None, "providers"),
        ],
        "api/providers/<str:name>/health": [Route("user", "/api/providers/demo/health", endpoint="providers")],
        "api/providers/<str:name>/test": [Route("staff", "/api/providers/demo/test", "POST", {}, "providers")],
        "api/calls/<str:call_id>/answer": [
            Route("nobody", "/api/calls/00000000-0000-7000-8000-000000000000/answer", endpoint="answers")
        ],
        "api/usage": [Route("user", "/api/usage", endpoint="usage"), Route("staff", "/api/usage?user=late")],
        "api/quota": [Route("user", "/api/quota", endpoint="usage"), Route("staff", "/api/quota?user=late")],
        "api/quotas": [Route("staff", "/api/quotas"), Route("staff", "/api/quotas", "POST", _QUOTA)],
        "api/quotas/<int:id>": [
            Route("staff", "/api/quotas/1"),
            Route("staff", "/api/quotas/1", "PUT", {}),
            Route("staff", "/api/quotas/1", "PATCH", {}),
            Route("staff", "/api/quotas/1", "DELETE"),
        ],
        "api/schema": [Route("user", "/api/schema")],
        "api/docs": [Route("page", "/api/docs")],
        "api/auth/token": [Route("open", "/api/auth/token", "POST", {"username": "nobody", "password": "wrong"})],
        "api/auth/token/refresh": [Route("open", "/api/auth/token/refresh", "POST", {"refresh": "wrong"})],
        "api/auth/token/revoke": [Route("open", "/api/auth/token/revoke", "POST", {"refresh": "wrong"})],
        "api/auth/browser-token": [
            Route("user", "/api/auth/browser-token", "POST", {"lifetime": 60}, "browser-token", by_pass=False)
        ],
        "api/tokens": [
            Route("user", "/api/tokens"),
            Route("user", "/api/tokens", "POST", {"name": "another"}),
            Route("staff", "/api/tokens?user=late"),
        ],
        "api/tokens/<int:id>": [
            Route("own or staff", f"/api/tokens/{token}"),
            Route("own", f"/api/tokens/{token}", "PATCH", {"name": "another"}),
        ],
        "api/tokens/<int:id>/rotate": [Route("own", f"/api/tokens/{token}/rotate", "POST", {})],
    }


def _pages(token: int, sign_in: int) -> Rows:
    return {
        "": [Route("open", "/")],
        "login": [Route("open", "/login")],
        "logout": [Route("nobody", "/logout")],
        "password": [Route("page", "/password")],
        "password/reset": [Route("open", "/password/reset")],
        "password/reset/sent": [Route("open", "/password/reset/sent")],
        "password/reset/<uidb64>/<token>": [Route("open", "/password/reset/MQ/set-password")],
        "signup": [Route("open", "/signup")],
        "account": [Route("page", "/account")],
        "account/sign-ins/end": [Route("nobody", "/account/sign-ins/end")],
        "account/sign-ins/<int:id>/end": [Route("nobody", f"/account/sign-ins/{sign_in}/end")],
        "usage": [Route("page", "/usage"), Route("staff page", "/usage?user=late")],
        "tokens": [Route("page", "/tokens")],
        "tokens/<int:id>/rotate": [Route("own page", f"/tokens/{token}/rotate", "POST", {})],
        "tokens/<int:id>/revoke": [Route("own page", f"/tokens/{token}/revoke", "POST", {})],
    }
