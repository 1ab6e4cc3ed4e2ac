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
# Everything is read in the one loop that serves all, so what takes long to read is refused. Counted are values; the
# most that a vendor takes at once is 300,000 tokens, to be embedded
# (https://platform.openai.com/docs/api-reference/embeddings/create). A picture is one value, however large.
_MOST_VALUES = 350_000
_MOST_MARKS = 1_000_000  # the same before reading: bytes that may begin a value, those inside texts included
_MARKS = b",[{"


class JSONBodyParser(BaseParser):
    """Strict JSON, an object at the top. Raises InvalidRequest for anything else."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        return json_object(stream.read())


def json_object(body: bytes) -> dict[str, Any]:
    """A body as strict JSON, an object at the top, not too deep and not of too many values.

    Raises InvalidRequest for anything else.
    """
    marks = len(body) - len(body.translate(None, _MARKS))
    if marks > _MOST_MARKS:
        raise InvalidRequest(f"The body has more than {_MOST_MARKS} commas and brackets. Send less at once.")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"The body is not valid JSON (line {error.lineno}, column {error.colno}).") from None
    if not isinstance(value, dict):
        raise InvalidRequest("The body must be a JSON object.")
    if marks >= _DEEPEST:  # no fewer can be too deep, or too many
        _refuse_excess(value)
    return value


def _refuse_excess(value: Any) -> None:
    """Raises InvalidRequest for what is nested too deeply or has too many values. Goes level by level."""
    level, seen = [value], 0
    for _ in range(_DEEPEST):
        deeper: list[Any] = []
        for item in level:
            seen += len(item)
            if seen > _MOST_VALUES:
                raise InvalidRequest(f"The body has more than {_MOST_VALUES} values. Send less at once.")
            inner = item.values() if isinstance(item, dict) else item
            deeper += [one for one in inner if isinstance(one, dict | list)]
        if not deeper:
            return
        level = deeper
    raise InvalidRequest(f"The body is nested more than {_DEEPEST} levels deep.")


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
