"""Which endpoint of accounts/scopes.py a route belongs to: by the beginning of its pattern, the longest first.

What is not listed here is closed to every credential that is limited in any way.
"""

from django.urls import ResolverMatch

_ENDPOINTS = {
    "api/generate": "generate",
    "api/chat": "chat",
    "api/upload": "chat",
    "ws/chat/": "chat",
    "v1/messages": "anthropic",
    "v1/": "openai",
    "proxy/": "proxy",
    "api/anthropic": "proxy",
    "api/falai": "proxy",
    "api/elevenlabs": "proxy",
    "api/usage": "usage",
    "api/quota": "usage",
    "api/quotas": None,  # everybody's
    "api/providers": "providers",
    "api/calls/": "answers",
    "api/auth/browser-token": "browser-token",
}
_LONGEST_FIRST = sorted(_ENDPOINTS.items(), key=lambda pair: -len(pair[0]))


def endpoint_of(match: ResolverMatch | None) -> str | None:
    """The endpoint that a route belongs to; None for any other. Looks at the route's pattern, not at what was sent."""
    route = match.route if match is not None else ""
    return next((endpoint for beginning, endpoint in _LONGEST_FIRST if route.startswith(beginning)), None)
