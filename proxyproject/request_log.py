"""What stands round both lanes: the request id, the access log and the recovery from whatever escapes."""

import logging
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


class RequestLog:
    """Wraps an ASGI application: gives each request an id, logs one line for it, and turns a crash into an answer.

    The line is written when the request was served: `[id] METHOD path status bytes duration`. That is when the response
    ends or the client leaves; but where the provider's answer is read on without the client, when that is over.
    """

    def __init__(self, application: ASGIApplication) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
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
            if exchange.status:
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

    __slots__ = ("_scope", "_send", "_started", "added", "id", "size", "status")

    def __init__(self, scope: Scope, send: Send) -> None:
        offered = next((value for name, value in scope["headers"] if name == _REQUEST_ID), None)
        self.id = request_id.choose(offered.decode("latin-1") if offered is not None else None)
        self.added: answer_headers.Headers = []
        self.status = 0
        self.size = 0
        self._scope = scope
        self._send = send
        self._started = time.perf_counter()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.added.append((_REQUEST_ID, self.id.encode()))
            message = {**message, "headers": answer_headers.merged(message.get("headers", ()), self.added)}
        elif message["type"] == "http.response.body":
            self.size += len(message.get("body", b""))
        await self._send(message)

    async def fail(self) -> None:
        await send_problem(problems.INTERNAL_ERROR, self.send)

    def write_line(self) -> None:
        # Quoted again, so that no escape in a path can forge a line.
        method, path = self._scope["method"], quote(self._scope["path"], safe="/:@-._~!$&'()*+,;=")
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
