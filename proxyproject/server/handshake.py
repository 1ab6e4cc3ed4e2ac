"""The handshake of a socket, as HTTP has it: what the application is asked, and how a client is refused."""

from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from web import envelope

_REFUSALS = {
    HTTPStatus.FORBIDDEN: ("FORBIDDEN", "This socket is not open to you."),
    HTTPStatus.METHOD_NOT_ALLOWED: ("METHOD_NOT_ALLOWED", "A socket is asked for with GET."),
    HTTPStatus.INTERNAL_SERVER_ERROR: ("INTERNAL_ERROR", "An internal error occurred."),
    HTTPStatus.SERVICE_UNAVAILABLE: ("SERVER_STOPPING", "The server is stopping. Another will take it in a moment."),
}
_MALFORMED = ("INVALID_REQUEST", "This is no handshake of a WebSocket, version 13.")


def scope_of(request: Any) -> dict[str, Any]:
    """The scope of ASGI without subprotocols, from the request as it came: autobahn parses it anew, in its own way."""
    headers = [
        (name.lower(), value)
        for name, values in request.requestHeaders.getAllRawHeaders()
        for value in values
        if b"_" not in name  # a proxy's header with a dash could be forged with it
    ]
    return {
        "type": "websocket",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "ws",
        "path": unquote(request.path.decode("ascii")),
        "raw_path": request.path,
        "root_path": "",
        "query_string": request.query_string,
        "headers": headers,
        "client": request.client_addr,
        "server": request.server_addr,
    }


def refusal(status: int) -> bytes:
    """A whole answer of HTTP that says no, after which the connection is closed."""
    known = HTTPStatus(status)
    code, message = _REFUSALS.get(known, _MALFORMED)
    body = envelope.failure(code, message)
    lines = [
        f"HTTP/1.1 {known.value} {known.phrase}",
        "Connection: close",
        "Sec-WebSocket-Version: 13",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
