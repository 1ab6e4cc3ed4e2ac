"""The limit on a request's body, for both lanes alike."""

from django.conf import settings

from proxyproject.request_log import ASGIApplication, Message, Receive, Scope, Send, send_problem
from web import problems


class BodyLimit:
    """Refuses a body over GATEWAY_MAX_BODY_BYTES: reading it raises PayloadTooLarge, in either lane.

    The gateway lane answers that in the shape of the path; what nobody answers is answered here. daphne itself hands
    over no request before its body has arrived whole.
    """

    def __init__(self, application: ASGIApplication) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        limit: int = settings.GATEWAY_MAX_BODY_BYTES
        announced = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        size = limit + 1 if announced.isdigit() and int(announced[:20]) > limit else 0
        refused = False

        async def counted() -> Message:
            nonlocal size, refused
            message: Message = {}
            if size <= limit or refused:
                message = await receive()
                size += len(message.get("body", b""))
            if size > limit and not refused:
                refused = True  # once; what else is received is no body to anybody
                raise problems.PayloadTooLarge(limit)
            return message

        try:
            await self._application(scope, counted, send)
        except problems.PayloadTooLarge as error:
            await send_problem(problems.problem_for(error), send)
