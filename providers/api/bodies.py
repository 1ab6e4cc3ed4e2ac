"""The bodies that compatible fronts take."""

import re
from collections import Counter
from typing import Any

from providers.json_fields import top_fields
from providers.paths import ALL_LIMITS
from web.parsers import json_object
from web.problems import InvalidRequest

# Which of two a reader takes is left open (https://www.rfc-editor.org/rfc/rfc8259#section-4), so the gateway might
# judge one and the vendor answer the other. Readers in Go do not tell letters apart, so their case does not count
# (https://pkg.go.dev/encoding/json#Unmarshal).
_LIMITS = (*ALL_LIMITS, "n", "best_of")
_ONCE = ("model", "messages", "input", "stream", "tools", "system", *_LIMITS)
_MENTIONED = re.compile(
    ('"(' + "|".join("".join(f"[{sign}{sign.upper()}]" for sign in name) for name in _ONCE) + r')"\s*:').encode()
)
_ESCAPED_LETTER = re.compile(rb"\\u00[4-7]")


def vendor_object(body: bytes) -> dict[str, Any]:
    """A body as web.parsers.json_object has it, in which no field that matters comes twice, and limits are numbers.

    Raises InvalidRequest.
    """
    value = json_object(body)
    mentioned = [name.lower() for name in _MENTIONED.findall(body)]
    if len(mentioned) > len(set(mentioned)) or _ESCAPED_LETTER.search(body):
        named = Counter(name.lower() for name, _, _ in top_fields(body))
        for name in _ONCE:
            if named[name] > 1:
                raise InvalidRequest(f"The body has `{name}` more than once. Send it once.")
    for name, limit in value.items():
        if limit is not None and name.lower() in _LIMITS and (type(limit) is not int or limit < 1):
            raise InvalidRequest(f"`{name}` must be a whole number, 1 or more.")
    return value
