"""The gateway's own errors in the shapes that vendors' clients turn into the right exceptions.

Statuses are those of web/problems.py; what differs is the body. Sources: each vendor's error reference, summed up in
the shapes below.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import orjson
from django.http import HttpResponse

from providers.errors import ModelNotFound
from web import envelope, request_id
from web.problems import Problem, problem_for

_OPENAI = {
    400: ("invalid_request_error", None),
    401: ("invalid_request_error", "invalid_api_key"),
    403: ("invalid_request_error", "permission_denied"),
    405: ("invalid_request_error", "method_not_allowed"),
    413: ("invalid_request_error", "request_too_large"),
    429: ("rate_limit_error", "rate_limit_exceeded"),
}
_OPENAI_CODES = {"NOT_FOUND": "unknown_url", "QUOTA_EXCEEDED": "insufficient_quota"}
_ANTHROPIC = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}
_GEMINI = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def openai_error(problem: Problem) -> dict[str, Any]:
    """https://platform.openai.com/docs/guides/error-codes"""
    other = "server_error" if problem.status >= 500 else "invalid_request_error"
    kind, code = _OPENAI.get(problem.status, (other, problem.code.lower()))
    code = _OPENAI_CODES.get(problem.code, code)
    return {"error": {"message": problem.message, "type": kind, "param": None, "code": code}}


def anthropic_kind(problem: Problem) -> str:
    """https://platform.claude.com/docs/en/api/errors"""
    return _ANTHROPIC.get(problem.status, "api_error")


def _anthropic(problem: Problem) -> dict[str, Any]:
    error = {"type": anthropic_kind(problem), "message": problem.message}
    return {"type": "error", "error": error, "request_id": request_id.current.get()}


def _gemini(problem: Problem) -> dict[str, Any]:
    status = _GEMINI.get(problem.status, "INTERNAL")
    return {"error": {"code": problem.status, "message": problem.message, "status": status}}


def _fal(problem: Problem) -> dict[str, Any]:
    return {"detail": problem.message, "error_type": problem.code.lower()}


def _elevenlabs(problem: Problem) -> dict[str, Any]:
    code = problem.code.lower()
    return {
        "detail": {"code": code, "status": code, "message": problem.message, "request_id": request_id.current.get()}
    }


def _addis(problem: Problem) -> dict[str, Any]:
    return {"status": "error", "error": {"code": problem.code, "message": problem.message}}


_SHAPES: Mapping[str, Callable[[Problem], dict[str, Any]]] = {
    "openai": openai_error,
    "anthropic": _anthropic,
    "gemini": _gemini,
    "fal": _fal,
    "elevenlabs": _elevenlabs,
    "addis": _addis,
}


def response_for(error: Exception, wire: str) -> HttpResponse:
    """A whole answer for an error in the shape of a wire format; in the gateway's own for one that is not known."""
    problem = problem_for(error)
    if isinstance(error, ModelNotFound):  # vendors have a code for it, which the gateway's own paths never need
        problem = replace(problem, code="MODEL_NOT_FOUND")
    shape = _SHAPES.get(wire)
    body = orjson.dumps(shape(problem)) if shape else envelope.failure(problem.code, problem.message, problem.details)
    return HttpResponse(body, status=problem.status, content_type="application/json", headers=problem.headers)
