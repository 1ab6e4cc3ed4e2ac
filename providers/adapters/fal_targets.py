"""Which target a browser may name in `x-fal-target-url`: the pure rules of fal's server-proxy protocol.

A page that uses fal's client with a proxy sends every call to one address and names the real one in a header. Whoever
follows that header blindly gives fal's key to any host that a visitor writes into it, so the target is read strictly
here, once, and what passed has a single spelling: the parser that opens the connection has nothing left to interpret.

Sources: the protocol https://docs.fal.ai/model-apis/model-endpoints/server-side and
https://github.com/fal-ai/fal-js/tree/main/libs/proxy; the queue's addresses
https://docs.fal.ai/model-endpoints/queue; that they carry no sub-path of the model
https://fal.ai/docs/api-reference/inference-api; the storage calls of each client version, the packages
`@fal-ai/client` 1.0.2 to 1.10.1 and `@fal-ai/serverless-client` 0.15.0 on npm.
"""

import re
from collections.abc import Iterable, Sequence
from enum import Enum
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

from providers.errors import RequestNotPossible

METHODS = ("GET", "POST", "PUT")  # PUT cancels a queued request

_V3 = r"\?storage_type=fal-cdn-v3"
# Clients up to 1.9.2 upload through rest.alpha.fal.ai, later ones through rest.fal.ai. `initiate-multipart` is not on
# fal's own list, and yet what its clients call for files over 90 MB.
DEFAULT_TARGETS = (
    "fal.run/**",
    "queue.fal.run/**",
    f"rest.fal.ai/storage/upload/initiate{_V3}",
    f"rest.fal.ai/storage/upload/initiate-multipart{_V3}",
    f"rest.fal.ai/storage/upload/complete-multipart{_V3}",
    f"rest.alpha.fal.ai/storage/upload/initiate{_V3}",
    f"rest.alpha.fal.ai/storage/upload/initiate-multipart{_V3}",
    f"rest.alpha.fal.ai/storage/upload/complete-multipart{_V3}",
    "rest.alpha.fal.ai/storage/upload/initiate",  # clients before 1.2.0 name no storage type; at rest.fal.ai all do
)

# Whatever an administrator's patterns say, the key goes to no host outside these. The last is fal's backup domain.
_FAL_DOMAINS = ("fal.run", "fal.ai", "fal.dev", "falrun.com")
_NAMESPACES = ("workflows", "comfy")

_CHARACTERS = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/?#-]|%[0-9A-Fa-f]{2})*")
_HOST = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+")
# In the path, a letter, digit, dot, slash, backslash, percent, "?", "#" or control character behind an escape would be
# a second spelling of another path: one that the patterns and the ledger do not recognise and fal perhaps does.
_DISGUISED = re.compile(r"%(?!2[0-246-9A-C]|3[A-E]|40|5[BDE]|60|7[B-D]|[89A-F])", re.IGNORECASE)


class FalRefusal(RequestNotPossible):
    """A call that fal's proxy protocol does not allow. `status` is the HTTP status that fal's documents give it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message, status)


class Kind(Enum):
    """What a call does at fal, as far as it matters to the ledger."""

    SUBMIT = "submit"  # puts a run into the queue
    RUN = "run"  # runs a model while the caller waits, whole or as a stream; the answer names the billable units
    STATUS = "status"  # asks how a queued run is doing; clients do so twice a second
    RESULT = "result"  # fetches what a queued run gave; the answer names the billable units of that run
    CANCEL = "cancel"
    STORAGE = "storage"  # prepares an upload

    @property
    def runs_model(self) -> bool:
        """Whether such a call makes fal work for money. A RESULT belongs to a run that its SUBMIT started."""
        return self in (Kind.SUBMIT, Kind.RUN)


# What may follow `requests/{id}` at the queue's host. Anything else there is, to fal too, a path of the model's own.
_OF_A_REQUEST = {
    ("GET",): Kind.RESULT,
    ("GET", "response"): Kind.RESULT,
    ("GET", "status"): Kind.STATUS,
    ("GET", "status", "stream"): Kind.STATUS,
    ("PUT", "cancel"): Kind.CANCEL,
}


class _Target(NamedTuple):
    host: str
    path: str  # with its leading slash, or empty
    query: str  # with its question mark, or empty


def check_request(
    method: str,
    content_type: str,
    body: bytes,
    target: str | None,
    *,
    allowed_endpoints: Sequence[str] = (),
    allowed_targets: Sequence[str] = DEFAULT_TARGETS,
) -> str:
    """The address to call: `target` with scheme and host in lower case, from the path on byte for byte as given.

    Both lists hold patterns, see `matches`. `allowed_targets` are matched against host, path and query, and an empty
    list permits nothing. `allowed_endpoints` are matched against what `endpoint_of` gives for a call that runs a
    model, and an empty list permits all. Raises FalRefusal.
    """
    if method not in METHODS:
        raise FalRefusal(405, f"The fal proxy takes {', '.join(METHODS)} and no other method.")
    if not target:
        raise FalRefusal(400, "Send the address at fal that is meant in the header x-fal-target-url.")
    checked = _read(target)
    if not _any_matches(allowed_targets, "".join(checked)):
        raise FalRefusal(412, "The address in x-fal-target-url is not one that this proxy may call. Ask its operator.")
    # A GET's body is not forwarded, so what it claims to be does not matter.
    if method != "GET" and body and content_type.partition(";")[0].strip().lower() != "application/json":
        raise FalRefusal(415, "Send the body as JSON, with the header Content-Type: application/json.")
    address = f"https://{''.join(checked)}"
    # Not only POST, as in fal's own proxy: a GET of a model's address runs it just as well.
    runs_model = kind_of(method, address).runs_model and not _within("fal.ai", checked.host)
    if runs_model and allowed_endpoints and not _any_matches(allowed_endpoints, endpoint_of(address)):
        raise FalRefusal(400, "This proxy does not permit that model. Name another one, or ask its operator.")
    return address


def endpoint_of(target: str) -> str:
    """The path of a target without its first slash, and without the query."""
    return _split(target).path.removeprefix("/")


def replaced(target: str, base_url: str) -> str:
    """The target at another server: `base_url`, which may end in a path, then path and query of the target."""
    _, path, query = _split(target)
    return f"{base_url.rstrip('/')}{path}{query}"


def kind_of(method: str, target: str) -> Kind:
    """What the call does. What is not known to be free counts as running a model."""
    host, path, _ = _split(target)
    if host.startswith("rest.") and _within("fal.ai", host) and path.startswith("/storage/"):
        return Kind.STORAGE
    if not host.startswith("queue."):
        return Kind.RUN
    segments = endpoint_of(target).split("/")
    start = _app_length(segments)
    if segments[start : start + 1] != ["requests"] or segments[start + 1 : start + 2] in ([], [""]):
        return Kind.SUBMIT
    return _OF_A_REQUEST.get((method, *segments[start + 2 :]), Kind.SUBMIT)


def model_of(target: str) -> str:
    """The model's id, `[namespace/]owner/alias[/path]`; empty for a call to the storage.

    Status, result and cancellation of a queued run do not name the path, so their id is shorter than the submission's.
    """
    if kind_of("POST", target) is Kind.STORAGE:
        return ""
    segments = endpoint_of(target).rstrip("/").split("/")
    start = _app_length(segments)
    if segments[start : start + 1] == ["requests"] and len(segments) > start + 1:
        segments = segments[:start]
    elif len(segments) > start and segments[-1] == "stream":
        segments.pop()
    return "/".join(segments)


def matches(pattern: str, text: str) -> bool:
    """Whether a pattern covers the whole of `host/path?query`, or of an endpoint.

    `*` is any part of one segment, or one whole segment; `**` in the place of a segment is any number of segments,
    none included; `?` is one character of a segment; a backslash takes the meaning from the character behind it. `\\?`
    begins the query, and wildcards before it end there: otherwise `fal.run/*/cheap` would cover
    `fal.run/dear?/cheap`. A pattern without a query covers texts with one only if it ends in `*` or `**`.

    Takes time in proportion to the text, whatever it is.
    """
    wanted_path, asks_for_query, wanted_query = pattern.partition(r"\?")
    path, has_query, query = text.partition("?")
    if asks_for_query:
        query_fits = bool(has_query) and fnmatchcase(query, _shell_pattern(wanted_query))
    else:
        query_fits = not has_query or (wanted_path.endswith("*") and not wanted_path.endswith(r"\*"))
    return query_fits and _path_matches(wanted_path, path.split("/"))


def _path_matches(pattern: str, segments: list[str]) -> bool:
    """Between two `**`, the first place that fits is as good as any later one; that is what keeps this linear."""
    first, *others = _sections(pattern)
    if not others:
        return len(first) == len(segments) and _fits(first, segments, 0)
    *middle, last = others
    place, end = len(first), len(segments) - len(last)
    if place > end or not _fits(first, segments, 0) or not _fits(last, segments, end):
        return False
    for section in middle:
        places = range(place, end - len(section) + 1)
        found = next((at for at in places if _fits(section, segments, at)), None)
        if found is None:
            return False
        place = found + len(section)
    return True


def _fits(section: tuple[str, ...], segments: list[str], place: int) -> bool:
    return all(fnmatchcase(segments[place + i], wanted) for i, wanted in enumerate(section))


@lru_cache(maxsize=1024)
def _sections(pattern: str) -> tuple[tuple[str, ...], ...]:
    """The pattern's segments for `fnmatch`, cut where a `**` stands."""
    sections: list[list[str]] = [[]]
    for segment in pattern.split("/"):
        if segment == "**":
            sections.append([])
        else:
            # A star that is a whole segment wants one to be there: `fal.run/*` is not `fal.run/`.
            sections[-1].append("?*" if segment and not segment.strip("*") else _shell_pattern(segment))
    return tuple(tuple(section) for section in sections)


def _shell_pattern(pattern: str) -> str:
    """In `fnmatch`'s spelling, which has no backslash and gives brackets a meaning."""
    literals = {special: f"[{special}]" for special in "*?["}
    return re.sub(r"\\(.)|\[", lambda found: literals.get(found[1] or "[", found[1]), pattern)


def _any_matches(patterns: Iterable[str], text: str) -> bool:
    return any(matches(pattern, text) for pattern in patterns)


def _read(target: str) -> _Target:
    """Take a target apart, or raise FalRefusal for anything that two parsers could read differently."""
    if not _CHARACTERS.fullmatch(target):
        raise _unusable("may hold only the characters of a URL; percent-encode the others")
    if target[:8].lower() != "https://":
        raise _unusable("must begin with https://")
    if "#" in target:
        raise _unusable("must have no fragment")
    parts = _split(target)
    if "@" in parts.host or ":" in parts.host:
        raise _unusable("must have no user name, no password and no port")
    if not _HOST.fullmatch(parts.host) or not any(_within(domain, parts.host) for domain in _FAL_DOMAINS):
        raise _unusable("must name a host of fal, such as queue.fal.run")
    if not _is_plain(parts.path):
        raise _unusable("must have a path without empty or dot segments and without escapes that are not needed")
    return parts


def _unusable(reason: str) -> FalRefusal:
    return FalRefusal(412, f"The address in x-fal-target-url {reason}.")


def _is_plain(path: str) -> bool:
    """Whether the path has one spelling and leads only downwards."""
    try:
        unquote(path, errors="strict")  # an overlong UTF-8 sequence can stand for a dot or a slash
    except UnicodeDecodeError:
        return False
    # Some servers cut a segment at the semicolon before they resolve dots.
    climbs = any(segment.partition(";")[0] in (".", "..") for segment in path.split("/"))
    return not (climbs or "//" in path or _DISGUISED.search(path))


def _split(target: str) -> _Target:
    rest = target.partition("://")[2]
    before, mark, query = rest.partition("?")
    host, slash, path = before.partition("/")
    return _Target(host.lower(), slash + path, mark + query)


def _within(domain: str, host: str) -> bool:
    return host == domain or host.endswith(f".{domain}")


def _app_length(segments: list[str]) -> int:
    """How many segments name the app: owner and alias, after a namespace if there is one."""
    return 3 if segments[0] in _NAMESPACES else 2
