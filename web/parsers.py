"""How requests are read: JSON, whatever the content type says, and answered with the one renderer there is."""

from collections.abc import Iterable, Mapping
from typing import IO, Any

import orjson
from django.http import HttpRequest
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from web.problems import InvalidRequest

_DEEPEST = 100  # levels; what goes in must come out again, and the encoder stops at 254


class JSONBodyParser(BaseParser):
    """Strict JSON, an object at the top. Raises InvalidRequest for anything else."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        return json_object(stream.read())


def json_object(body: bytes) -> dict[str, Any]:
    """A body as strict JSON, an object at the top. Raises InvalidRequest for anything else."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"The body is not valid JSON (line {error.lineno}, column {error.colno}).") from None
    if not isinstance(value, dict):
        raise InvalidRequest("The body must be a JSON object.")
    if _is_deeper(value, _DEEPEST):
        raise InvalidRequest(f"The body is nested more than {_DEEPEST} levels deep.")
    return value


def _is_deeper(value: Any, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_is_deeper(item, levels - 1) for item in inner)


class FirstRendererNegotiation(BaseContentNegotiation):
    """There is one way to answer, so an Accept header is never a reason to refuse."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser:
        return next(iter(parsers))

    def select_renderer(
        self, request: HttpRequest | Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, renderer.media_type
