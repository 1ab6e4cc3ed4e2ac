"""The fields of a JSON object by their bytes: where their values are, names that come twice included."""

import json
import re
from collections.abc import Iterator

import orjson

from providers.errors import RequestNotPossible

_MOST = 1000  # fields of one object that is looked at so; no vendor's request has a tenth of that
_GAP = r"[ \t\r\n]*+"
_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
# A name and, unless it is an object or a list, its value.
_FIELD = re.compile(rf'[{{,]{_GAP}({_STRING}){_GAP}:{_GAP}({_STRING}|[^ \t\r\n"{{}}\[\],]++)?', re.DOTALL)
_END_OF_VALUE = re.compile(_GAP)
# The standard library's reader says where a value ends, and steps over nested ones as fast as C does.
_reader = json.JSONDecoder(parse_int=float)


def top_fields(body: bytes) -> Iterator[tuple[str, int, int]]:
    """The fields of a valid JSON object, nested ones left out: name, and where the value begins and ends.

    Raises RequestNotPossible for an object with more than a thousand of them.
    """
    text = body.decode("latin-1")  # a character for each byte, so that places are the same
    found = _FIELD.match(text, text.index("{"))
    count = 0
    while found is not None:
        count += 1
        if count > _MOST:
            raise RequestNotPossible(f"An object of the body has more than {_MOST} fields. Send fewer.")
        start, end = found.end(), found.end()
        if found[2] is None:
            end = _reader.raw_decode(text, start)[1]
        else:
            start = found.start(2)
        name: str = orjson.loads(body[found.start(1) : found.end(1)])
        yield name, start, end
        blanks = _END_OF_VALUE.match(text, end)
        found = _FIELD.match(text, blanks.end() if blanks else end)
