"""Multipart forms that every reader takes for the same: what is not quite in the format is none."""

import re
from typing import NamedTuple

from providers.adapters.forms import Part, parts_of

_FORM = re.compile(r'multipart/form-data\s*;\s*boundary=("[^"\\\r\n]{1,70}"|[^\s;,"]{1,70})', re.IGNORECASE)
_HEAD = re.compile(rb"--[^\r\n]+(\r\n[!-9;-~]+:[^\r\n]*)+\r\n")
_NAME = re.compile(rb'[;\s]name\s*=\s*("[^"\\%]*"(?=\s*[;\r])|[^\s;"\\%]+)', re.IGNORECASE)
_ENCODED_NAME = re.compile(rb"[;\s]name\*", re.IGNORECASE)
_MORE_THAN_A_NAME = re.compile(rb"filename|\r\ncontent-transfer-encoding", re.IGNORECASE)

_MOST_PARTS = 1000


class SurePart(NamedTuple):
    """A part: where its content begins and ends, what the file is called, whether it is text and nothing else."""

    start: int
    end: int
    file_name: str
    is_plain: bool


def is_form(content_type: str) -> bool:
    """Whether it is a form's content type, with a boundary that is not in doubt."""
    return _FORM.fullmatch(content_type) is not None


def parts_for_sure(body: bytes, content_type: str) -> list[tuple[str, SurePart]] | None:
    """The parts of a form by name; None where there is something that readers may differ on.

    They do on line feeds without a carriage return, on text before the first boundary and after the last, on a
    boundary inside a part, and on names that are written in another way than all clients do.
    """
    found = _FORM.fullmatch(content_type)
    if found is None:
        return None
    mark = b"--" + found[1].strip('"').encode("latin-1", "replace")
    if body.count(mark) > _MOST_PARTS:
        return None
    parts = list(parts_of(body, content_type))
    ends = body.removesuffix(b"\r\n").endswith(b"\r\n" + mark + b"--")
    if not ends or not body.startswith(mark + b"\r\n") or body.count(mark) != len(parts) + 1:
        return None
    named = [_named(part) for part in parts]
    return [one for one in named if one is not None] if None not in named else None


def _named(part: Part) -> tuple[str, SurePart] | None:
    names = _NAME.findall(part.head)
    once = part.head.lower().count(b"\r\ncontent-disposition:") == 1 and len(names) == 1
    if not once or not _HEAD.fullmatch(part.head) or _ENCODED_NAME.search(part.head):
        return None
    name = names[0].strip(b'"')
    if part.names != [name]:
        return None
    is_plain = _MORE_THAN_A_NAME.search(part.head) is None
    return name.decode("utf-8", "replace"), SurePart(part.start, part.end, part.file_name, is_plain)
