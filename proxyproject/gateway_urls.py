"""The gateway lane's URLs. proxyproject/urls.py includes them too, so that the schema and reverse() see every route."""

from collections.abc import Callable
from typing import Any

from django.urls import URLPattern, path

from providers.api import anthropic_v1, openai_v1, proxy
from providers.api.chat import ChatStreamView, ChatView, UploadView
from providers.api.generate import GenerateView
from providers.api.system import HealthView, ReadyView, StatusView, VersionView


def _with_everything_below(route: str, view: Callable[..., Any], name: str) -> list[URLPattern]:
    """A route without a slash at its end, with one, and with a path after it; none redirects to another."""
    return [path(route, view, name=name), path(f"{route}/", view), path(f"{route}/<path:path>", view)]


urlpatterns = [
    path("health", HealthView.as_view(), name="health"),
    path("status", StatusView.as_view(), name="status"),
    path("version", VersionView.as_view(), name="version"),
    path("ready", ReadyView.as_view(), name="ready"),
    path("api/generate", GenerateView.as_view(), name="generate"),
    path("api/chat", ChatView.as_view(), name="chat"),
    path("api/chat/stream", ChatStreamView.as_view(), name="chat-stream"),
    path("api/upload", UploadView.as_view(), name="upload"),
    path("v1/chat/completions", openai_v1.chat_completions, name="chat-completions"),
    path("v1/responses", openai_v1.relayed("/responses", "responses"), name="responses"),
    path("v1/embeddings", openai_v1.relayed("/embeddings", "embeddings"), name="embeddings"),
    path("v1/images/generations", openai_v1.relayed("/images/generations", "images"), name="images"),
    path("v1/images/edits", openai_v1.relayed("/images/edits", "images"), name="image-edits"),
    path("v1/audio/speech", openai_v1.relayed("/audio/speech", "speech"), name="speech"),
    path("v1/audio/transcriptions", openai_v1.relayed("/audio/transcriptions", "transcription"), name="transcription"),
    path("v1/messages", anthropic_v1.messages, name="messages"),
    path("v1/messages/count_tokens", anthropic_v1.count_tokens, name="count-tokens"),
    path("v1/models", openai_v1.models, name="models"),
    path("v1/models/<path:model>", openai_v1.models, name="model"),
    path("v1/<path:path>", openai_v1.nothing, name="v1-nothing"),
    *_with_everything_below("proxy/<str:name>", proxy.named, "proxy"),
    *_with_everything_below("api/anthropic", proxy.alias("anthropic"), "proxy-anthropic"),
    *_with_everything_below("api/falai", proxy.alias("fal"), "proxy-falai"),
    *_with_everything_below("api/elevenlabs", proxy.alias("elevenlabs"), "proxy-elevenlabs"),
]

# The part of each route before its first parameter; so a route added above is in the lane without a second list.
_PREFIXES = tuple("/" + str(pattern.pattern).partition("<")[0] for pattern in urlpatterns)


def is_gateway_path(path: str) -> bool:
    """Whether a path is served by the gateway lane."""
    return path.startswith(_PREFIXES)
