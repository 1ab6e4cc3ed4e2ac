"""A request as it was sent: headers, path and query before Django has made anything of them."""

from urllib.parse import quote

from django.core.handlers.asgi import ASGIRequest


def sent_headers(request: ASGIRequest) -> dict[str, str]:
    """The caller's headers by lower-case name, repeated ones joined."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in request.scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


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
