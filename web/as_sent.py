"""A request as it was sent: headers, path and query before Django has made anything of them."""

from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import quote

from django.core.handlers.asgi import ASGIRequest

_KEPT = "gateway.sent_headers"  # in the scope, where servers and applications put what is theirs


def sent_headers(request: ASGIRequest) -> Mapping[str, str]:
    """The caller's headers by lower-case name, repeated ones joined. Kept in the scope, since several ask for them."""
    scope = cast("dict[str, Any]", request.scope)
    kept: dict[str, str] | None = scope.get(_KEPT)
    if kept is None:
        kept = scope[_KEPT] = {}
        for raw_name, raw_value in request.scope["headers"]:
            name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
            separator = "; " if name == "cookie" else ", "
            kept[name] = f"{kept[name]}{separator}{value}" if name in kept else value
    return kept


def raw_path(request: ASGIRequest) -> str:
    """The path as it was sent, with its escapes."""
    sent: bytes | None = request.scope.get("raw_path")
    if sent is None:
        return quote(request.scope["path"], safe="/:@-._~!$&'()*+,;=%")
    return sent.decode("latin-1").partition("?")[0]


def query_string(request: ASGIRequest) -> str:
    """The query as it was sent."""
    sent: bytes = request.scope["query_string"]
    return sent.decode("latin-1")
