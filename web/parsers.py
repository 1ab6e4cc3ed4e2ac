"""How requests are read, and answered with the one renderer there is.

Bodies are JSON, whatever their content type says, but where a view takes forms.
"""

import io
from collections.abc import Iterable, Mapping
from typing import IO, Any

import orjson
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import MemoryFileUploadHandler
from django.http import HttpRequest, QueryDict
from django.http.multipartparser import MultiPartParser, MultiPartParserError
from django.utils.datastructures import MultiValueDict
from django.utils.http import parse_header_parameters
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser, DataAndFiles
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


class MultipartBodyParser(BaseParser):
    """A form with files, all of it in memory, where the body is already. Raises InvalidRequest for anything else."""

    media_type = "multipart/form-data"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> "DataAndFiles[QueryDict, MultiValueDict[str, UploadedFile[bytes]]]":
        kind, parameters = parse_header_parameters(media_type or "")
        if kind != self.media_type:
            raise InvalidRequest(f"Send the body as {self.media_type}, and its boundary in the Content-Type.")
        body = stream.read()
        end = f"--{parameters.get('boundary', '')}--".encode("latin-1", "replace")
        if end not in body:  # which Django would not mind
            raise InvalidRequest("The form breaks off before its end.")
        meta = {"CONTENT_TYPE": media_type, "CONTENT_LENGTH": str(len(body))}
        try:
            fields, files = MultiPartParser(meta, io.BytesIO(body), [_InMemory()], "utf-8").parse()
        except RequestDataTooBig:
            raise
        except (MultiPartParserError, SuspiciousOperation) as error:
            raise InvalidRequest(f"The form could not be read: {error}") from None
        return DataAndFiles(fields, files)


class _InMemory(MemoryFileUploadHandler):
    """Takes files of any size: the size of the whole body was limited before."""

    def handle_raw_input(self, *args: Any, **kwargs: Any) -> None:
        self.activated = True


class FirstRendererNegotiation(BaseContentNegotiation):
    """There is one way to answer, so an Accept header is never a reason to refuse."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser:
        return next(iter(parsers))

    def select_renderer(
        self, request: HttpRequest | Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, renderer.media_type
