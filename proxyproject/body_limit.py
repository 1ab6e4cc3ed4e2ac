"""The limit on a request's body, for both lanes alike."""

from django.conf import settings

from proxyproject.request_log import ASGIApplication, Message, Receive, Scope, Send, send_problem
from web import problems


class BodyLimit:
    """Answers 413 to a body over GATEWAY_MAX_BODY_BYTES, before the application sees any of it.

    daphne itself hands over no request before its body has arrived whole.
    """

    def __init__(self, application: ASGIApplication) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        limit: int = settings.GATEWAY_MAX_BODY_BYTES
        size = 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > limit:
                raise problems.PayloadTooLarge(limit)
            return message

        announced = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        try:
            if announced.isdigit() and int(announced[:20]) > limit:
                raise problems.PayloadTooLarge(limit)
            await self._application(scope, counted, send)
        except problems.PayloadTooLarge as error:
            await send_problem(problems.problem_for(error), send)
