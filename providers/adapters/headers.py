"""Which headers pass between a caller and a vendor. What is not listed stays behind, in both directions.

So a caller's credentials and cookies never reach a vendor, and a vendor's cookies, account names and redirects never
reach a caller. Hop-by-hop headers (RFC 9110 section 7.6.1) are on neither list. Credentials in a query go the same way.
`Date` is written by our own server.
"""

from codecs import getincrementaldecoder
from collections.abc import Mapping, Sequence
from urllib.parse import unquote_plus

import orjson

SENT = frozenset(
    {
        "accept",
        "accept-language",
        "content-encoding",
        "content-language",
        "content-type",
        "idempotency-key",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-unmodified-since",
        "if-range",
        "range",
        "user-agent",
    }
)
SENT_PREFIXES = ("x-stainless-",)
RETURNED = frozenset(
    {
        "accept-ranges",
        "age",
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-length",
        "content-range",
        "content-type",
        "etag",
        "expires",
        "last-modified",
        "request-id",
        "retry-after",
        "retry-after-ms",
        "vary",
        "x-should-retry",
    }
)
RETURNED_PREFIXES = ("x-ratelimit-",)
# The gateway's own answer carries this name already, with its own id.
RENAMED = {"x-request-id": "x-upstream-request-id"}


def passing(
    headers: Sequence[tuple[str, str]], names: frozenset[str], prefixes: tuple[str, ...]
) -> list[tuple[str, str]]:
    """Those of `headers` (lower-case names) that are listed, by name or by how they begin, and not hop-by-hop.

    A header that `Connection` names is hop-by-hop, whatever it is.
    """
    hops = {hop.strip().lower() for name, value in headers if name == "connection" for hop in value.split(",")}
    return [
        (name, value)
        for name, value in headers
        if (name in names or name.startswith(prefixes)) and name not in hops and _travels(value)
    ]


_CREDENTIALS = frozenset({"key", "api_key", "api-key", "apikey", "access_token"})  # in a query, as vendors call them


def without_credentials(query: str) -> str:
    """A raw query without the parameters that carry a credential; every other byte of it stays."""
    if not query:
        return query
    parameters = query.split("&")
    kept = [one for one in parameters if unquote_plus(one.partition("=")[0]).lower() not in _CREDENTIALS]
    return query if len(kept) == len(parameters) else "&".join(kept)


def _travels(value: str) -> bool:
    """Whether a value can be sent on as it came: on one line and in UTF-8, all that our client library sends."""
    if value.isascii():
        return "\n" not in value and "\r" not in value and "\0" not in value
    try:
        value.encode("latin-1").decode()
    except UnicodeError:
        return False
    return True


def true_encoding(headers: Mapping[str, str], beginning: bytes) -> str | None:
    """The content encoding that a body really has: what its header says, unless its beginning shows that to be false.

    Parameters: headers, the vendor's; beginning, the body's first bytes. Returns None for a plain body.
    """
    named = headers.get("content-encoding", "").strip()
    codings = [coding for part in named.split(",") if (coding := part.strip().lower()) not in {"", "identity"}]
    if not codings or not beginning:
        return named if codings else None
    magic = {"gzip": b"\x1f\x8b", "x-gzip": b"\x1f\x8b", "zstd": b"\x28\xb5\x2f\xfd"}.get(codings[-1])
    if magic is not None:
        return named if beginning.startswith(magic[: len(beginning)]) else None
    return None if _is_plain_text(beginning[:64]) else named


def _is_plain_text(beginning: bytes) -> bool:
    """Whether these bytes, 64 or as many as there are, are text: what a compressor makes is none for so long.

    Less than that is text if it begins as documents and events do, or is a document.
    """
    try:
        text = getincrementaldecoder("utf-8")().decode(beginning)  # the last character may be cut
    except UnicodeDecodeError:
        return False
    if any((sign < " " and sign not in "\t\r\n") or sign == "\x7f" for sign in text):
        return False
    # No stream in Brotli begins with a brace, but the empty one (RFC 7932 section 9.2).
    starts = ("{",) if len(beginning) < 8 else ("{", "[", "<", "data:", "event:", ":")
    return len(beginning) >= 32 or text.lstrip().startswith(starts) or _is_json(beginning)


def _is_json(data: bytes) -> bool:
    try:
        orjson.loads(data)
    except orjson.JSONDecodeError:
        return False
    return True
