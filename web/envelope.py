"""The one shape of every JSON answer outside the vendor-shaped paths.

Success: `{"success": true, "data", "request_id", "timestamp"}`.
Failure: `{"success": false, "error": {"code", "message"}, "request_id", "timestamp"}`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from django.http import HttpResponse
from rest_framework.renderers import BaseRenderer

from web import request_id


def _close(body: dict[str, Any]) -> bytes:
    body["request_id"] = request_id.current.get()
    body["timestamp"] = datetime.now(UTC)
    return orjson.dumps(body, default=str, option=orjson.OPT_UTC_Z)


def success(data: Any) -> bytes:
    """The encoded body of an answer that carries `data`."""
    return _close({"success": True, "data": data})


def failure(code: str, message: str, details: Any = None) -> bytes:
    """The encoded body of a refusal. `details` is for field errors; it never carries an upstream's words."""
    error: dict[str, Any] = {"code": code, "message": message}
    if details is not None:
        error["details"] = details
    return _close({"success": False, "error": error})


def response(data: Any) -> HttpResponse:
    """A whole, rendered answer that carries `data`; for the gateway lane, where DRF's rendering would cost more."""
    return HttpResponse(success(data), content_type="application/json")


class EnvelopeRenderer(BaseRenderer):
    """Renders what a DRF view returns; web.problems has already shaped what it raised."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        response = (renderer_context or {}).get("response")
        if response is not None and response.status_code == 204:
            return b""
        if response is not None and response.exception:
            return failure(**data)
        return success(data)
