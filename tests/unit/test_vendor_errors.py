"""The gateway's own errors in each vendor's shape."""

import json
from typing import Any

import pytest

from accounts.errors import NotAuthenticated
from providers.errors import (
    AnswerTimeout,
    BrokenAnswer,
    ModelNotFound,
    ProviderNotFound,
    ProviderUnavailable,
    RequestNotPossible,
    StatusError,
    Truncated,
)
from storage.errors import StorageUnavailable
from web import request_id
from web.problems import InvalidRequest, MethodNotAllowed, NoCredential, NoSuchPath, PayloadTooLarge, Problem
from web.vendor_errors import openai_error, response_for

LEAK = "upstream-internal-detail"
INVALID, SERVER = "invalid_request_error", "server_error"
OPENAI: list[tuple[Exception, int, str, str | None]] = [
    (InvalidRequest("It is wrong."), 400, INVALID, None),
    (RequestNotPossible("Leave it out."), 400, INVALID, None),
    (RequestNotPossible("There is no such path here.", 404), 404, INVALID, "unknown_url"),
    (RequestNotPossible("Send JSON.", 415), 415, INVALID, "invalid_request"),
    (NoCredential(), 401, INVALID, "invalid_api_key"),
    (ModelNotFound("gpt-9"), 404, INVALID, "model_not_found"),
    (ProviderNotFound("nobody"), 404, INVALID, "provider_not_found"),
    (NoSuchPath(), 404, INVALID, "unknown_url"),
    (MethodNotAllowed(["POST"]), 405, INVALID, "method_not_allowed"),
    (PayloadTooLarge(9), 413, INVALID, "request_too_large"),
    (StatusError(429, LEAK, retry_after=7), 429, "rate_limit_error", "rate_limit_exceeded"),
    (StatusError(400, LEAK), 400, INVALID, None),
    (StatusError(401, LEAK), 502, SERVER, "generation_error"),
    (StatusError(500, LEAK), 502, SERVER, "generation_error"),
    (BrokenAnswer(LEAK), 502, SERVER, "generation_error"),
    (Truncated(LEAK), 502, SERVER, "generation_error"),
    (AnswerTimeout(LEAK), 504, SERVER, "upstream_timeout"),
    (ProviderUnavailable("It is disabled."), 503, SERVER, "provider_unavailable"),
    (StorageUnavailable(LEAK), 503, SERVER, "storage_unavailable"),
    (ZeroDivisionError(LEAK), 500, SERVER, "internal_error"),
]


@pytest.mark.parametrize(("error", "status", "kind", "code"), OPENAI)
def test_openai(error: Exception, status: int, kind: str, code: str | None) -> None:
    answer = response_for(error, "openai")
    assert (answer.status_code, answer["content-type"]) == (status, "application/json")
    said = json.loads(answer.content)["error"]
    assert set(said) == {"message", "type", "param", "code"}
    assert (said["type"], said["param"], said["code"]) == (kind, None, code)
    assert said["message"].endswith(".")
    assert LEAK not in answer.content.decode()


@pytest.mark.parametrize(
    ("error", "name", "value"),
    [
        (StatusError(429, retry_after=7), "retry-after", "7"),
        (StatusError(503, retry_after=8), "retry-after", "8"),
        (StorageUnavailable(LEAK), "retry-after", "5"),
        (MethodNotAllowed(["GET", "POST"]), "allow", "GET, POST"),
        (NoCredential(), "www-authenticate", "Bearer"),
    ],
)
@pytest.mark.parametrize("wire", ["openai", "anthropic", "gemini", "fal", "elevenlabs", "addis", ""])
def test_headers_come_with_every_shape(error: Exception, name: str, value: str, wire: str) -> None:
    assert response_for(error, wire)[name] == value


def test_a_quota_that_is_used_up_is_no_rate_limit() -> None:
    """Clients try again after the one, and must not after the other."""
    said = openai_error(Problem(429, "QUOTA_EXCEEDED", "It is used up."))["error"]
    assert said == {
        "message": "It is used up.",
        "type": "rate_limit_error",
        "param": None,
        "code": "insufficient_quota",
    }


MESSAGE = str(ModelNotFound("gpt-9"))
SHAPES: dict[str, Any] = {
    "anthropic": {
        "type": "error",
        "error": {"type": "not_found_error", "message": MESSAGE},
        "request_id": "r-1",
    },
    "gemini": {"error": {"code": 404, "message": MESSAGE, "status": "NOT_FOUND"}},
    "fal": {"detail": MESSAGE, "error_type": "model_not_found"},
    "elevenlabs": {
        "detail": {
            "code": "model_not_found",
            "status": "model_not_found",
            "message": MESSAGE,
            "request_id": "r-1",
        }
    },
    "addis": {"status": "error", "error": {"code": "MODEL_NOT_FOUND", "message": MESSAGE}},
}


@pytest.mark.parametrize("wire", SHAPES)
def test_other_shapes(wire: str) -> None:
    token = request_id.current.set("r-1")
    try:
        answer = response_for(ModelNotFound("gpt-9"), wire)
    finally:
        request_id.current.reset(token)
    assert (answer.status_code, json.loads(answer.content)) == (404, SHAPES[wire])


@pytest.mark.parametrize(
    ("error", "anthropic", "gemini"),
    [
        (InvalidRequest("No."), "invalid_request_error", "INVALID_ARGUMENT"),
        (NotAuthenticated("No."), "authentication_error", "UNAUTHENTICATED"),
        (PayloadTooLarge(9), "request_too_large", "INVALID_ARGUMENT"),
        (StatusError(429), "rate_limit_error", "RESOURCE_EXHAUSTED"),
        (StatusError(500), "api_error", "INTERNAL"),
        (ProviderUnavailable("No."), "overloaded_error", "UNAVAILABLE"),
        (AnswerTimeout("No."), "timeout_error", "DEADLINE_EXCEEDED"),
    ],
)
def test_kinds_of_other_shapes(error: Exception, anthropic: str, gemini: str) -> None:
    assert json.loads(response_for(error, "anthropic").content)["error"]["type"] == anthropic
    assert json.loads(response_for(error, "gemini").content)["error"]["status"] == gemini


def test_what_speaks_no_vendor_s_format_gets_the_gateway_s_own_shape() -> None:
    for wire in ("", "nobody's"):
        said = json.loads(response_for(NoSuchPath(), wire).content)
        assert (said["success"], said["error"]["code"]) == (False, "NOT_FOUND")
