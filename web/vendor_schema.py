"""The vendor-shaped paths in the OpenAPI document: drf-spectacular sees DRF's views only, and these are plain ones."""

import re
from collections.abc import Iterator
from typing import Any

from django.urls import URLResolver, get_resolver

_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")


def add_vendor_paths(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """A hook for drf-spectacular's POSTPROCESSING_HOOKS: adds every route whose view web.vendor_views made."""
    for route, view in _vendor_views(get_resolver()):
        path = "/" + _PARAMETER.sub(r"{\1}", route)
        result["paths"][path] = {
            method.lower(): _operation(method, path, view, _PARAMETER.findall(route)) for method in view.vendor_methods
        }
    result["paths"] = dict(sorted(result["paths"].items()))
    return result


def _vendor_views(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for pattern in resolver.url_patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _vendor_views(pattern, route)
        elif hasattr(pattern.callback, "vendor_methods"):
            yield route, pattern.callback


def _operation_id(method: str, path: str) -> str:
    end = "slash" if path.endswith("/") else ""
    return "_".join([method.lower(), *re.findall(r"\w+", path), *([end] if end else [])])


def _operation(method: str, path: str, view: Any, parameters: list[str]) -> dict[str, Any]:
    summary, _, more = (view.__doc__ or "").strip().partition("\n")
    operation: dict[str, Any] = {
        "operationId": _operation_id(method, path),
        "summary": summary,
        "tags": ["v1" if path.startswith("/v1/") else "proxy"],
        "security": [{"token": []}, {"apiKey": []}, {"session": []}],
        "responses": {
            "200": {"description": "As the vendor's own API answers.", "content": {"*/*": {}}},
            "default": {"description": "An error in the vendor's own shape.", "content": {"*/*": {}}},
        },
    }
    if more.strip():
        operation["description"] = " ".join(more.split())
    if parameters:
        operation["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in parameters
        ]
    if method in {"POST", "PUT", "PATCH"}:
        operation["requestBody"] = {"content": {"*/*": {}}}
    return operation
