"""What stands round both lanes: the request id, the access log and the recovery from whatever escapes."""

import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import quote

from web import answer_headers, envelope, problems, request_id

Scope = dict[str, Any]
Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApplication = Callable[[Scope, Receive, Send], Awaitable[None]]

access_log = logging.getLogger("gateway.access")
error_log = logging.getLogger("gateway.errors")

_REQUEST_ID = request_id.HEADER.lower().encode()
_RESET_PATH = "/password/reset/"
_SECRET = re.compile(r"(?<=^/password/reset/)[^/]+/.+")  # with which anybody could set a password


class RequestLog:
    """Wraps an ASGI application: gives each request an id, logs one line for it, and turns a crash into an answer.

    The line is written when the request was served: `[id] METHOD path status bytes duration`. That is when the response
    ends or the client leaves; but where the provider's answer is read on without the client, when that is over. For a
    socket, whose method is WS, it is written when its application has ended.
    """

    def __init__(self, application: ASGIApplication) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._application(scope, receive, send)
            return
        scope["root_path"] = ""  # daphne takes it from a header that any client may send
        exchange = _Exchange(scope, send)
        token = request_id.current.set(exchange.id)
        headers_token = answer_headers.current.set(exchange.added)
        try:
            await self._application(scope, receive, exchange.send)
        except Exception:
            error_log.exception("The request could not be served.")
            if not exchange.may_fail:
                raise  # too late for an answer: the server must break the connection, so that it looks broken
            await exchange.fail()
        finally:
            exchange.write_line()
            answer_headers.current.reset(headers_token)
            request_id.current.reset(token)


async def send_problem(problem: problems.Problem, send: Send) -> None:
    """Answers with an error from outside both lanes."""
    body = envelope.failure(problem.code, problem.message)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class _Exchange:
    """One request and what was sent in answer to it."""

    __slots__ = ("_is_socket", "_scope", "_send", "_started", "added", "id", "size", "status")

    def __init__(self, scope: Scope, send: Send) -> None:
        offered = next((value for name, value in scope["headers"] if name == _REQUEST_ID), None)
        self.id = request_id.choose(offered.decode("latin-1") if offered is not None else None)
        self.added: answer_headers.Headers = []
        self.status = 0
        self.size = 0
        self._scope = scope
        self._is_socket = scope["type"] == "websocket"
        self._send = send
        self._started = time.perf_counter()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.added.append((_REQUEST_ID, self.id.encode()))
            message = {**message, "headers": answer_headers.merged(message.get("headers", ()), self.added)}
        elif message["type"] == "http.response.body":
            self.size += len(message.get("body", b""))
        elif self._is_socket:
            message = self._noted(message)
        await self._send(message)

    def _noted(self, message: Message) -> Message:
        kind = message["type"]
        if kind == "websocket.accept":
            self.status = 101
            return {**message, "headers": [*message.get("headers", ()), (_REQUEST_ID, self.id.encode())]}
        if kind == "websocket.close":
            self.status = self.status or 403
        elif kind == "websocket.send":
            text = message.get("text")
            self.size += len(message["bytes"] if text is None else text.encode())
        return message

    @property
    def may_fail(self) -> bool:
        """Whether a failure can still be told: in an answer, or in the close frame of a socket that was accepted."""
        return self.status == (101 if self._is_socket else 0)

    async def fail(self) -> None:
        if self._is_socket:
            await self._send({"type": "websocket.close", "code": 1011})
        else:
            await send_problem(problems.INTERNAL_ERROR, self.send)

    def write_line(self) -> None:
        method, public = self._scope.get("method", "WS"), self._scope["path"]
        if public.startswith(_RESET_PATH):
            public = _SECRET.sub("***", public)
        # Quoted again, so that no escape in a path can forge a line.
        path = quote(public, safe="/:@-._~!$&'()*+,;=")
        milliseconds = (time.perf_counter() - self._started) * 1000
        access_log.info(
            "[%s] %s %s %d %d %.1fms",
            self.id,
            method,
            path,
            self.status,
            self.size,
            milliseconds,
            extra={
                "method": method,
                "path": path,
                "status": self.status,
                "bytes": self.size,
                "duration_ms": round(milliseconds, 3),
            },
        )
