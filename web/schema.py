"""How the views show in the OpenAPI schema: every JSON answer in its envelope, every error in its own."""

from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import build_object_type

_ENVELOPE: dict[str, Any] = {
    "success": {"type": "boolean"},
    "request_id": {"type": "string"},
    "timestamp": {"type": "string", "format": "date-time"},
}
_FAILURE = build_object_type(
    properties={
        **_ENVELOPE,
        "error": build_object_type(
            properties={"code": {"type": "string"}, "message": {"type": "string"}, "details": {}},
            required=["code", "message"],
        ),
    },
    required=["success", "error", "request_id", "timestamp"],
)


class EnvelopeSchema(AutoSchema):
    """drf-spectacular's schema with web.envelope's shapes round what the serializers say."""

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        responses: dict[str, Any] = super()._get_response_bodies(direction)
        for status, response in responses.items():
            content = response.get("content", {}).get("application/json")
            if content and status.startswith("2") and getattr(self.view, "is_enveloped", True):
                content["schema"] = build_object_type(
                    properties={**_ENVELOPE, "data": content["schema"]},
                    required=["success", "data", "request_id", "timestamp"],
                )
        responses["default"] = {
            "description": "What went wrong, and what to do about it.",
            "content": {"application/json": {"schema": _FAILURE}},
        }
        return responses


class GatewayAuthenticationScheme(OpenApiAuthenticationExtension):
    """Describes web.authentication.GatewayAuthentication."""

    target_class = "web.authentication.GatewayAuthentication"
    name = ["token", "apiKey", "session"]

    def get_security_requirement(self, auto_schema: AutoSchema) -> list[dict[str, list[str]]]:
        """One of them is enough."""
        return [{name: []} for name in self.name]

    def get_security_definition(self, auto_schema: AutoSchema) -> list[dict[str, Any]]:
        return [
            {"type": "http", "scheme": "bearer", "description": "An API token of this gateway, or a JSON Web Token."},
            {"type": "apiKey", "in": "header", "name": "x-api-key"},
            {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME},
        ]
