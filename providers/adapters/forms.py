"""Reading a multipart form by its bytes: where its parts are, and what they are called."""

import re
from collections.abc import Iterator
from typing import NamedTuple

# RFC 2046 section 5.1.1 for boundaries, RFC 7578 section 4.2 for the names of parts.
_BOUNDARY = re.compile(r';\s*boundary\s*=\s*("(?:[^"\\]|\\.)+"|[^\s;"]+)', re.IGNORECASE)
_DISPOSITION = re.compile(rb"\r\ncontent-disposition:([^\r]*)", re.IGNORECASE)
_TYPE = re.compile(rb"\r\ncontent-type:[ \t]*([^\r]*)", re.IGNORECASE)
_PARAMETER = re.compile(rb';\s*([^\s=;]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;]*)')


class Part(NamedTuple):
    """A part of a form: the lines of its header, and where in the body its content begins and ends."""

    head: bytes
    start: int
    end: int

    @property
    def names(self) -> list[bytes]:
        """The names that the header gives it: one, if it is well-formed."""
        return self._parameters(b"name")

    @property
    def file_name(self) -> str:
        """What the file is called; empty for what is none."""
        return next((name.decode("utf-8", "replace") for name in self._parameters(b"filename")), "")

    @property
    def content_type(self) -> str:
        """The media type of the content; empty where the header does not say."""
        said = _TYPE.search(self.head)
        return said[1].decode("latin-1").strip() if said else ""

    def _parameters(self, wanted: bytes) -> list[bytes]:
        unfolded = re.sub(rb"\r\n[ \t]+", b" ", self.head)
        return [
            _unquoted(value.strip())
            for disposition in _DISPOSITION.findall(unfolded)
            for name, value in _PARAMETER.findall(disposition)
            if name.lower() == wanted
        ]


def parts_of(body: bytes, content_type: str) -> Iterator[Part]:
    """The parts of a multipart form in their order; none where the content type has no boundary, or several."""
    boundaries = _BOUNDARY.findall(content_type)
    if len(boundaries) != 1:
        return
    mark = b"--" + _unquoted(boundaries[0].encode("latin-1", "replace"))
    start = body.find(mark)
    while start >= 0:
        end = body.find(b"\r\n" + mark, start)
        blank = body.find(b"\r\n\r\n", start, end)
        if end >= 0 and blank >= 0:
            yield Part(body[start : blank + 2], blank + 4, end)
        start = end + 2 if end >= 0 else -1


def _unquoted(value: bytes) -> bytes:
    return re.sub(rb"\\(.)", rb"\1", value[1:-1]) if value.startswith(b'"') else value
