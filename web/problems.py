"""The one table from what went wrong to what the caller is told: status, code, message.

The messages quote nothing that came from upstream; the log does, under the same request id.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from http import HTTPStatus
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.http import Http404, HttpResponse
from rest_framework import exceptions as drf
from rest_framework.response import Response

from accounts import errors as accounts
from accounts.limits import Standing
from providers import errors as providers
from storage.errors import StorageUnavailable
from web import envelope, rate_limits
from web.amounts import number
from web.shutdown import RETRY_AFTER, ServerStopping

logger = logging.getLogger("gateway.errors")


class InvalidRequest(Exception):
    """The request itself is wrong; `details` maps fields to what is wrong with them."""

    def __init__(self, message: str, details: Any = None) -> None:
        super().__init__(message)
        self.details = details


class PayloadTooLarge(Exception):
    """The body is over the limit, in bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"The body is larger than {limit} bytes, the limit of this server.")


class NoSuchPath(Exception):
    def __init__(self) -> None:
        super().__init__("There is nothing at this path. GET /api/schema lists the paths.")


class AnswerNotKept(Exception):
    """There is no kept answer to be fetched; the message says why, as far as the one who asks may know."""


class AnswerNotReady(Exception):
    """An answer is not whole yet: its call is still open, or it is still being read for a client who left."""

    def __init__(self) -> None:
        super().__init__("This call's answer is still coming. Ask again in a moment.")


class HostNotAllowed(Exception):
    def __init__(self) -> None:
        super().__init__(
            "This server does not answer to that host name. Its administrator can add it to ALLOWED_HOSTS."
        )


class NoCredential(Exception):
    def __init__(self) -> None:
        super().__init__(_NO_CREDENTIAL)


class MethodNotAllowed(Exception):
    """`allowed` names the methods that are."""

    def __init__(self, allowed: Sequence[str]) -> None:
        super().__init__(f"This path takes {', '.join(allowed)} only.")
        self.allowed = allowed


class Refused(Exception):
    def __init__(self) -> None:
        super().__init__("The request is not sound. Reload the page, or sign in again.")


class Unforeseen(Exception):
    """A failure that was logged where it happened."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What a caller is told. `details` and `headers` are extras; `status` is an HTTP status."""

    status: int
    code: str
    message: str
    details: Any = None
    headers: dict[str, str] = field(default_factory=dict)


INTERNAL_ERROR = Problem(
    500, "INTERNAL_ERROR", "An internal error occurred. The log has the details under this request id."
)


_NO_CREDENTIAL = (
    "This path needs a credential. Send `Authorization: Bearer <token>`; `manage.py issue_token USER` makes a token."
)


_CODES = {401: "UNAUTHORIZED", 403: "FORBIDDEN", 404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED", 429: "RATE_LIMITED"}


_WORTH_WAITING = 60  # seconds


def _retry_after(seconds: int | None) -> dict[str, str]:
    return {} if seconds is None else {"Retry-After": str(seconds)}


def _quota_exceeded(error: accounts.QuotaExceeded) -> Problem:
    refusal = error.refusal
    headers = _retry_after(refusal.retry_after)
    if refusal.retry_after is None or refusal.retry_after > _WORTH_WAITING:
        headers["x-should-retry"] = "false"  # what OpenAI's and Anthropic's clients look at before they try again
    if refusal.unit in {"requests", "tokens"}:
        left = max(Decimal(0), refusal.limit - refusal.used - refusal.reserved)
        standing = Standing(int(refusal.limit), int(left), refusal.resets_at)
        headers |= dict(rate_limits.headers({refusal.unit: standing}, datetime.now(UTC)))
    details = {
        "subject": refusal.subject,
        "provider": refusal.provider or None,
        "unit": refusal.unit,
        "window": refusal.window,
        "limit": number(refusal.limit),
        "used": number(refusal.used),
        "reserved": number(refusal.reserved),
        "needed": number(refusal.needed),
        "resets_at": refusal.resets_at,
    }
    return Problem(429, "QUOTA_EXCEEDED", str(error), details, headers)


def _upstream_status(error: providers.StatusError) -> Problem:
    if error.status == HTTPStatus.TOO_MANY_REQUESTS:
        message = "The provider is limiting requests. Try again later."
        return Problem(429, "RATE_LIMITED", message, headers=_retry_after(error.retry_after))
    if error.status in {400, 413, 422}:
        message = "The provider refused the request as invalid. Check model, messages and limits."
        return Problem(400, "INVALID_REQUEST", message)
    if error.status in {401, 403}:
        message = (
            "The provider refuses the key that the gateway has for it. Whoever administers the gateway must replace it."
        )
    elif error.status == HTTPStatus.NOT_FOUND:
        message = "The provider knows no such model, voice or path. Check the names."
    else:
        message = f"The provider failed with status {error.status}."
    return Problem(502, "GENERATION_ERROR", message, headers=_retry_after(error.retry_after))


def _drf(error: drf.APIException) -> Problem:
    if isinstance(error, drf.ValidationError):
        return Problem(400, "INVALID_REQUEST", _first_message(error.detail), details=error.detail)
    code = _CODES.get(error.status_code, "INVALID_REQUEST" if error.status_code < 500 else "INTERNAL_ERROR")
    wait = getattr(error, "wait", None)
    return Problem(error.status_code, code, str(error.detail), headers=_retry_after(round(wait) if wait else None))


def _first_message(detail: Any, path: str = "") -> str:
    """One sentence for a person out of DRF's nested field errors."""
    if isinstance(detail, dict) and detail:
        name, inner = next(iter(detail.items()))
        own = "" if name == "non_field_errors" else str(name)
        return _first_message(inner, ".".join(part for part in (path, own) if part))
    if isinstance(detail, list) and detail:
        return _first_message(detail[0], path)
    return f"{path}: {detail}" if path else str(detail)


# Looked up along the exception's own ancestry, so the most specific row wins.
_TABLE: dict[type[Exception], Callable[[Any], Problem]] = {
    InvalidRequest: lambda e: Problem(400, "INVALID_REQUEST", str(e), details=e.details),
    Refused: lambda e: Problem(400, "INVALID_REQUEST", str(e)),
    HostNotAllowed: lambda e: Problem(400, "INVALID_REQUEST", str(e)),
    PayloadTooLarge: lambda e: Problem(413, "PAYLOAD_TOO_LARGE", str(e)),
    RequestDataTooBig: lambda _: Problem(413, "PAYLOAD_TOO_LARGE", "The body is larger than this server accepts."),
    NoCredential: lambda e: Problem(401, "UNAUTHORIZED", str(e), headers={"WWW-Authenticate": "Bearer"}),
    MethodNotAllowed: lambda e: Problem(405, "METHOD_NOT_ALLOWED", str(e), headers={"Allow": ", ".join(e.allowed)}),
    Unforeseen: lambda _: INTERNAL_ERROR,
    ServerStopping: lambda e: Problem(503, "SERVER_STOPPING", str(e), headers=_retry_after(RETRY_AFTER)),
    NoSuchPath: lambda e: Problem(404, "NOT_FOUND", str(e)),
    AnswerNotKept: lambda e: Problem(404, "NOT_FOUND", str(e)),
    AnswerNotReady: lambda e: Problem(409, "ANSWER_NOT_READY", str(e), headers=_retry_after(1)),
    Http404: lambda _: Problem(404, "NOT_FOUND", "There is no such thing."),
    accounts.NotAuthenticated: lambda e: Problem(401, "UNAUTHORIZED", str(e), headers={"WWW-Authenticate": "Bearer"}),
    accounts.CredentialChanged: lambda _: Problem(
        401, "UNAUTHORIZED", "This credential was changed just now. Try again."
    ),
    accounts.NotPermitted: lambda e: Problem(403, "FORBIDDEN", str(e)),
    accounts.TooManyTries: lambda e: Problem(429, "RATE_LIMITED", str(e), headers=_retry_after(e.retry_after)),
    accounts.QuotaSpent: lambda e: Problem(429, "QUOTA_EXCEEDED", str(e), headers={"x-should-retry": "false"}),
    accounts.QuotaExceeded: _quota_exceeded,
    StorageUnavailable: lambda e: Problem(
        503,
        "STORAGE_UNAVAILABLE",
        "The database, or the cache, does not answer now. Try again.",
        headers=_retry_after(e.retry_after),
    ),
    providers.ProviderNotFound: lambda e: Problem(404, "PROVIDER_NOT_FOUND", str(e)),
    providers.ProviderUnavailable: lambda e: Problem(503, "PROVIDER_UNAVAILABLE", str(e)),
    providers.ModelNotFound: lambda e: Problem(404, "NOT_FOUND", str(e)),
    providers.RequestNotPossible: lambda e: Problem(e.status, _CODES.get(e.status, "INVALID_REQUEST"), str(e)),
    providers.AnswerTimeout: lambda _: Problem(504, "UPSTREAM_TIMEOUT", "The provider did not answer in time."),
    providers.ConnectTimeout: lambda _: Problem(504, "UPSTREAM_TIMEOUT", "The provider could not be reached in time."),
    providers.AddressRefused: lambda _: Problem(
        502,
        "GENERATION_ERROR",
        "The provider's address is in a private network, which its settings do not allow. An administrator can.",
    ),
    providers.ConnectFailed: lambda _: Problem(502, "GENERATION_ERROR", "The provider could not be reached."),
    providers.NoAnswer: lambda _: Problem(
        502, "GENERATION_ERROR", "The provider closed the connection without an answer."
    ),
    providers.StatusError: _upstream_status,
    providers.BrokenAnswer: lambda _: Problem(
        502, "GENERATION_ERROR", "The provider's answer could not be understood."
    ),
    providers.Truncated: lambda _: Problem(502, "GENERATION_ERROR", "The provider's answer broke off before its end."),
    drf.NotAuthenticated: lambda _: _TABLE[NoCredential](NoCredential()),
    drf.APIException: _drf,
}


def problem_for(error: Exception) -> Problem:
    """What to tell the caller about `error`. An error that nobody foresaw is logged and told as INTERNAL_ERROR."""
    for ancestor in type(error).__mro__:
        if describe := _TABLE.get(ancestor):
            problem: Problem = describe(error)
            if isinstance(error, providers.UpstreamError):
                logger.warning("%s: %s", type(error).__name__, error, extra={"code": problem.code})
            return problem
    logger.error("The request could not be served.", exc_info=error)
    return INTERNAL_ERROR


def response_for(error: Exception) -> HttpResponse:
    """A whole, rendered answer for an error."""
    problem = problem_for(error)
    body = envelope.failure(problem.code, problem.message, problem.details)
    return HttpResponse(body, status=problem.status, content_type="application/json", headers=problem.headers)


def exception_handler(error: Exception, context: dict[str, Any]) -> Response:
    """DRF's EXCEPTION_HANDLER. EnvelopeRenderer makes the body of it."""
    problem = problem_for(error)
    data = {"code": problem.code, "message": problem.message, "details": problem.details}
    return Response(data, status=problem.status, headers=problem.headers)
