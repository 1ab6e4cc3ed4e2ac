"""Every way in which a caller, an administrator or a probe makes the gateway connect to a provider: one row each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from providers.adapters.base import HttpAdapter
from providers.adapters.registry import TYPES, adapter_for
from tests.egress_site import Site

KINDS = [name for name in TYPES if isinstance(adapter_for(name), HttpAdapter)]
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(64))
_HELLO = [{"role": "user", "content": "Hello"}]


def everyone(kind: str) -> bool:
    return kind in KINDS


def who_writes(kind: str) -> bool:
    return TYPES[kind].makes_text


def who_does_not(kind: str) -> bool:
    return everyone(kind) and not who_writes(kind)


def only(*kinds: str) -> Callable[[str], bool]:
    return lambda kind: kind in kinds


@dataclass(frozen=True)
class Call:
    """One call. NAME in it stands for the provider's name, ROW for its number in the admin.

    asks: the types of providers whose vendor is asked. refused: a part of what is told when the address is refused.
    """

    route: str
    path: str
    asks: Callable[[str], bool]
    body: Any = None
    method: str = "POST"
    form: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, tuple[str, bytes, str]] = field(default_factory=dict)
    status: int = 502
    refused: str = "address is in a private network"

    def make(self, site: Site, name: str, row: str) -> httpx.Response:
        path = self.path.replace("NAME", name).replace("ROW", row)
        form = {field: text.replace("NAME", name).replace("ROW", row) for field, text in self.form.items()}
        if self.route == "admin":
            return site.admin(path, form)
        if self.files:
            return site.call("POST", path, data=form, files=self.files)
        return site.call(self.method, path, _with_name(self.body, name))

    def __str__(self) -> str:
        streamed = ", streamed" if isinstance(self.body, dict) and self.body.get("stream") else ""
        return f"{self.method} {self.path}{streamed}{', an action' if 'action' in self.form else ''}"


def _with_name(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return {key: _with_name(inner, name) for key, inner in value.items()}
    return value.replace("NAME", name) if isinstance(value, str) else value


_GENERATE = {"provider": "NAME", "prompt": "Hello"}
_CHAT = {"provider": "NAME", "message": "Hello"}
_COMPLETION = {"model": "NAME/m", "messages": _HELLO}
_MESSAGES = {**_COMPLETION, "max_tokens": 5}
_UNHEALTHY: Any = {"status": 200, "refused": '"healthy":false'}
_PICTURE = ("a.png", PNG, "image/png")
_ACTION = {"action": "test_connection", "_selected_action": "ROW"}

CALLS = [
    Call("generate", "/api/generate", who_writes, _GENERATE),
    Call("generate", "/api/generate", who_writes, {**_GENERATE, "stream": True}),
    Call("chat", "/api/chat", who_writes, _CHAT),
    Call("chat-stream", "/api/chat/stream", who_writes, _CHAT),
    Call("upload", "/api/upload", who_writes, form=_CHAT, files={"image": _PICTURE}),
    Call("chat-completions", "/v1/chat/completions", who_writes, _COMPLETION),
    Call("chat-completions", "/v1/chat/completions", who_writes, {**_COMPLETION, "stream": True}),
    Call("responses", "/v1/responses", only("openai"), {"model": "NAME/m", "input": "Hello"}),
    Call("responses", "/v1/responses", only("openai"), {"model": "NAME/m", "input": "Hello", "stream": True}),
    Call("embeddings", "/v1/embeddings", only("openai", "gemini"), {"model": "NAME/m", "input": "Hello"}),
    Call("images", "/v1/images/generations", only("openai"), {"model": "NAME/m", "prompt": "A cat"}),
    Call("image-edits", "/v1/images/edits", only("openai"), form={"model": "NAME/m"}, files={"image": _PICTURE}),
    Call(
        "speech",
        "/v1/audio/speech",
        only("openai", "elevenlabs", "addis"),
        {"model": "NAME/m", "input": "Hello", "voice": "v"},
    ),
    Call(
        "transcription",
        "/v1/audio/transcriptions",
        only("openai", "elevenlabs", "addis"),
        form={"model": "NAME/m"},
        files={"file": ("a.wav", b"RIFF", "audio/wav")},
    ),
    Call("messages", "/v1/messages", who_writes, _MESSAGES),
    Call("messages", "/v1/messages", who_writes, {**_MESSAGES, "stream": True}),
    Call("count-tokens", "/v1/messages/count_tokens", only("anthropic"), _COMPLETION),
    Call("proxy", "/proxy/NAME/fal-ai/x", everyone, {"a": 1}),
    Call("proxy", "/proxy/NAME/fal-ai/x?a=b", everyone, method="GET"),
    Call("proxy", "/proxy/NAME/fal-ai/x", everyone, {"a": 1}, method="PUT"),
    Call("proxy-anthropic", "/api/anthropic/v1/messages", only("anthropic"), _MESSAGES),
    Call("proxy-falai", "/api/falai/fal-ai/x", only("fal"), {"a": 1}),
    Call("proxy-elevenlabs", "/api/elevenlabs/v1/text-to-speech/x", only("elevenlabs"), {"text": "Hello"}),
    Call("provider-test", "/api/providers/NAME/test", who_writes, {}),
    Call("provider-test", "/api/providers/NAME/test", who_does_not, {}, status=503),
    Call("provider-health", "/api/providers/NAME/health", everyone, method="GET", status=200),
    Call("provider-detail", "/api/providers/NAME", everyone, {"description": "patched"}, "PATCH", **_UNHEALTHY),
    Call("provider-detail", "/api/providers/NAME", everyone, {"description": "put"}, "PUT", **_UNHEALTHY),
    Call("admin", "/admin/providers/provider/ROW/test/", everyone, status=200),
    Call("admin", "/admin/providers/provider/", everyone, form=_ACTION, status=200),
]
# These probe only what nobody has asked about since it was saved.
READERS = [
    Call("provider-list", "/api/providers", everyone, method="GET", **_UNHEALTHY),
    Call("provider-detail", "/api/providers/NAME", everyone, method="GET", **_UNHEALTHY),
    Call("health", "/health", everyone, method="GET", status=200),
]
# Routes that ask no provider anything and take no address.
OTHERS = {
    *("status", "version", "ready", "models", "model", "v1-nothing", "start", "schema", "docs"),
    *("usage", "usage-page", "quota", "quota-list", "quota-detail", "kept-answer"),
    *("jwt", "jwt-refresh", "jwt-revoke", "browser-token", "token-list", "token-detail", "token-rotation"),
    *(
        "tokens",
        "tokens-rotate",
        "tokens-revoke",
        "account",
        "sign-in-end",
        "sign-ins-end",
        "login",
        "logout",
        "signup",
    ),
    *("password-change", "password-reset", "password-reset-sent", "password-reset-confirm"),
}


def asking(kind: str) -> list[Call]:
    """The calls with which a provider of that type is asked."""
    return [call for call in (*CALLS, *READERS) if call.asks(kind)]
