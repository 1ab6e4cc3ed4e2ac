"""Everything that can go wrong with POST /api/generate, as a table: what is sent, and what the caller must be told."""

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Case:
    """One bad call. `body` may hold PROVIDER for the scripted one; bytes are sent as they are."""

    name: str
    status: int
    code: str
    body: Any = field(default_factory=dict)
    method: str = "POST"
    token: str = "user"  # whose: user, revoked, disabled, none, wrong, malformed, basic
    path: str = "/api/generate"

    def content(self, provider: str) -> bytes:
        raw = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        return raw.replace(b"PROVIDER", provider.encode())


def bad(name: str, body: Any) -> Case:
    return Case(name, 400, "INVALID_REQUEST", body)


def upstream(model: str, status: int, code: str, **more: Any) -> Case:
    body = {"provider": "PROVIDER", "model": model, "prompt": "x", **more}
    streamed = "-streamed" if more.get("stream") else ""
    return Case(f"upstream-{model}{streamed}", status, code, body)


PROMPT = {"provider": "PROVIDER", "prompt": "x"}

BAD_INPUT = [
    bad("malformed-json", b'{"prompt": "x"'),
    bad("not-utf8", b'{"prompt": "\xff"}'),
    bad("lone-surrogate", b'{"prompt": "\\ud800"}'),
    bad("nan", b'{"prompt": "x", "temperature": NaN}'),
    bad("deep-nesting", b'{"metadata": ' + b"[" * 5000 + b"]" * 5000 + b"}"),
    bad("nesting-that-could-not-come-back", b'{"prompt": "x", "metadata": {"a": ' + b"[" * 300 + b"]" * 300 + b"}}"),
    bad("empty-body", b""),
    bad("array", b'["prompt"]'),
    bad("string", b'"prompt"'),
    bad("null", b"null"),
    bad("nothing-to-say", {"provider": "PROVIDER"}),
    bad("empty-prompt", {**PROMPT, "prompt": ""}),
    bad("blank-prompt", {**PROMPT, "prompt": " \n"}),
    bad("empty-messages", {"provider": "PROVIDER", "messages": []}),
    bad("blank-messages", {"provider": "PROVIDER", "messages": [{"role": "user", "content": ""}]}),
    bad("prompt-number", {**PROMPT, "prompt": 5}),
    bad("prompt-list", {**PROMPT, "prompt": ["x"]}),
    bad("prompt-null", {**PROMPT, "prompt": None}),
    bad("messages-object", {"provider": "PROVIDER", "messages": {"role": "user"}}),
    bad("message-string", {"provider": "PROVIDER", "messages": ["x"]}),
    bad("message-role", {"provider": "PROVIDER", "messages": [{"role": "robot", "content": "x"}]}),
    bad("message-content", {"provider": "PROVIDER", "messages": [{"role": "user", "content": 5}]}),
    bad("max-tokens-string", {**PROMPT, "max_tokens": "5"}),
    bad("max-tokens-float", {**PROMPT, "max_tokens": 5.5}),
    bad("max-tokens-bool", {**PROMPT, "max_tokens": True}),
    bad("max-tokens-negative", {**PROMPT, "max_tokens": -1}),
    bad("temperature-string", {**PROMPT, "temperature": "0.5"}),
    bad("temperature-high", {**PROMPT, "temperature": 9}),
    bad("stream-string", {**PROMPT, "stream": "yes"}),
    bad("provider-number", {"provider": 5, "prompt": "x"}),
    bad("model-list", {**PROMPT, "model": ["m"]}),
    bad("metadata-string", {**PROMPT, "metadata": "x"}),
    bad("tools-object", {**PROMPT, "tools": {"name": "t"}}),
    bad("tool-without-name", {**PROMPT, "tools": [{"description": "t"}]}),
    bad("tool-schema-list", {**PROMPT, "tools": [{"name": "t", "input_schema": []}]}),
    bad("part-unknown", {**PROMPT, "messages": [{"role": "user", "parts": [{"type": "smell"}]}]}),
    bad("tool-result-without-id", {**PROMPT, "messages": [{"role": "tool", "content": "x"}]}),
    bad("prompt-too-long", {**PROMPT, "prompt": "x" * 400_001}),
]
WHO = [
    Case("no-credential", 401, "UNAUTHORIZED", PROMPT, token="none"),
    Case("wrong-token", 401, "UNAUTHORIZED", PROMPT, token="wrong"),
    Case("malformed-token", 401, "UNAUTHORIZED", PROMPT, token="malformed"),
    Case("basic-scheme", 401, "UNAUTHORIZED", PROMPT, token="basic"),
    Case("revoked-token", 401, "UNAUTHORIZED", PROMPT, token="revoked"),
    Case("disabled-user", 401, "UNAUTHORIZED", PROMPT, token="disabled"),
]
WHERE = [
    Case("unknown-provider", 404, "PROVIDER_NOT_FOUND", {"provider": "nobody", "prompt": "x"}),
    Case("disabled-provider", 503, "PROVIDER_UNAVAILABLE", {"provider": "switched-off", "prompt": "x"}),
    Case("provider-without-key", 503, "PROVIDER_UNAVAILABLE", {"provider": "keyless", "prompt": "x"}),
    Case("unlisted-model", 400, "INVALID_REQUEST", {"provider": "listed", "prompt": "x", "model": "other"}),
    Case("private-address", 502, "GENERATION_ERROR", {"provider": "guarded", "prompt": "x"}),
    Case("refusing-upstream", 502, "GENERATION_ERROR", {"provider": "refusing", "prompt": "x"}),
    *(Case(f"method-{m.lower()}", 405, "METHOD_NOT_ALLOWED", PROMPT, method=m) for m in ("GET", "PUT", "DELETE")),
    Case("unknown-path", 404, "NOT_FOUND", PROMPT, path="/api/generate/more"),
    Case("body-over-the-limit", 413, "PAYLOAD_TOO_LARGE", b'{"prompt": "' + b"x" * 1_100_000 + b'"}'),
]
UPSTREAM = [
    case
    for stream in ({}, {"stream": True})
    for case in (
        upstream("status-400", 400, "INVALID_REQUEST", **stream),
        upstream("status-401", 502, "GENERATION_ERROR", **stream),
        upstream("status-403", 502, "GENERATION_ERROR", **stream),
        upstream("status-404", 502, "GENERATION_ERROR", **stream),
        upstream("status-429", 429, "RATE_LIMITED", **stream),
        upstream("status-500", 502, "GENERATION_ERROR", **stream),
        upstream("status-503", 502, "GENERATION_ERROR", **stream),
        upstream("status-302", 502, "GENERATION_ERROR", **stream),
        upstream("html", 502, "GENERATION_ERROR", **stream),
        upstream("garbage", 502, "GENERATION_ERROR", **stream),
        upstream("no-choices", 502, "GENERATION_ERROR", **stream),
        upstream("error-inside", 502, "GENERATION_ERROR", **stream),
        upstream("content-list", 502, "GENERATION_ERROR", **stream),
        upstream("cut-429", 429, "RATE_LIMITED", **stream),
        upstream("stalled-429", 429, "RATE_LIMITED", **stream),
        upstream("no-http", 502, "GENERATION_ERROR", **stream),
        upstream("hang-up", 502, "GENERATION_ERROR", **stream),
        upstream("cut", 502, "GENERATION_ERROR", **stream),
        upstream("silent", 504, "UPSTREAM_TIMEOUT", **stream),
    )
] + [
    upstream("head-only", 504, "UPSTREAM_TIMEOUT"),
    upstream("dribble", 504, "UPSTREAM_TIMEOUT"),
]
CASES = BAD_INPUT + WHO + WHERE + UPSTREAM
