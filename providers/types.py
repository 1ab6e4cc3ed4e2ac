"""The values that providers work with. Nothing here imports Django or knows a vendor."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from posixpath import normpath
from typing import Any
from urllib.parse import unquote

from providers.asks import Asks, asks_of
from providers.conversation import GenerateRequest
from providers.errors import UpstreamError


@dataclass(frozen=True, slots=True)
class NativeRequest:
    """A request in a vendor's own wire format, to be relayed.

    path and query are raw, as they came; path is empty or begins with a slash, and both are below the provider's base
    URL. headers are the caller's, unfiltered, with names in lower case. model: what stands in the body in place of the
    caller's; None leaves the body as it came, byte for byte. output: the limit of the answer that stands in it then, in
    tokens of one choice, in place of the fields that are named in `limits`; None leaves those as they are. origin: the
    caller's own address of the place that path is below, for the vendors that answer with addresses.
    """

    wire: str
    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    model: str | None = None
    output: int | None = None
    limits: tuple[str, ...] = ()
    origin: str = ""

    @property
    def plain_path(self) -> str:
        """The path in the one spelling that it is recognized by; what is sent is `path`.

        Unquoted, without parameters (`;x`), repeated slashes, dot segments and a slash at the end: servers take all of
        those for the same place, so what is metered must not depend on them.
        """
        return _plain(self.path)


@lru_cache(maxsize=1024)
def _plain(path: str) -> str:
    plain = "/".join(segment.partition(";")[0] for segment in unquote(path).split("/"))
    return normpath(f"/{plain.strip('/')}").rstrip("/")


@dataclass(frozen=True, slots=True)
class ByName:
    """The provider of that name; the default one where it is empty."""

    provider: str = ""
    model: str = ""


@dataclass(frozen=True, slots=True)
class ByModel:
    """Whatever provider serves a model: `provider/model`, a model that some provider lists, or a provider's name."""

    model: str


@dataclass(frozen=True, slots=True)
class ByType:
    """The first enabled provider of a type."""

    type: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """A call as an edge asks for it: which provider, and the request in one form or in both.

    A native request is relayed to a provider that speaks its wire format (an empty one is spoken by all). To any other
    goes what `translate` returns; it raises RequestNotPossible for what it cannot read. prompt_chars and prompt_bytes
    are the size of the text in it, for limits and estimates.
    """

    target: ByName | ByModel | ByType
    stream: bool
    prompt_chars: int
    prompt_bytes: int
    native: NativeRequest | None = None
    translate: Callable[[], GenerateRequest] | None = None
    asks: Asks = field(default_factory=Asks)

    @classmethod
    def generation(cls, provider: str, request: GenerateRequest) -> "Wanted":
        """A request that is in no vendor's words to begin with."""
        return cls(
            ByName(provider, request.model),
            request.stream,
            request.prompt_chars,
            request.prompt_bytes,
            translate=lambda: request,
            asks=asks_of(request),
        )


@dataclass(frozen=True, slots=True)
class Usage:
    """What a vendor reported; with `estimated`, what its adapter concludes from what it did not.

    In tokens: `input` includes those read from a cache (`cached`) and written to one (`cache_write`), `output` includes
    `reasoning`. measures: what else it counts, by name: characters, images, audio_seconds, billable_units, credits.
    """

    input: int = 0
    output: int = 0
    cached: int = 0
    cache_write: int = 0
    reasoning: int = 0
    measures: Mapping[str, float] = field(default_factory=dict)
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class ToolCallPiece:
    """A piece of a tool call: id and name come with the first of an index, arguments grow with each."""

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of an answer, whole answers included. `end`: nothing of the answer comes after it.

    finish_reason: stop, length, tool_calls or content_filter; queued, of a relayed answer that is made later. raw: in a
    relayed answer the bytes for the caller; then the rest is what was read along. flaw: what was wrong with a relayed
    answer, or with one that came whole and says what it used all the same. unread: how many bytes of text have passed
    by now without having been read. pieces: in how many pieces the vendor sent what it says.
    """

    text: str = ""
    finish_reason: str | None = None
    usage: Usage | None = None
    model: str = ""
    end: bool = False
    reasoning: str = ""
    tool_calls: tuple[ToolCallPiece, ...] = ()
    raw: bytes = b""
    flaw: UpstreamError | None = None
    unread: int = 0
    pieces: int = 1

    @property
    def says(self) -> bool:
        """Whether there is output in it."""
        return bool(self.text or self.reasoning or self.tool_calls)


@dataclass(frozen=True, slots=True)
class Head:
    """Status and headers of a relayed answer, such as may be shown to the caller."""

    status: int
    headers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Timeouts:
    """All in seconds; None means no limit.

    connect: name look-up, TCP and TLS. first_byte: from the connection to the answer's head. gap: between two reads
    of its body. total: the whole.
    """

    connect: float = 10.0
    first_byte: float | None = 120.0
    gap: float | None = 120.0
    total: float | None = None


class OnDisconnect(StrEnum):
    """What becomes of the upstream call when the client leaves.

    cancel: it is closed. drain: it is read to its end. keep: that too, and the answer can be fetched for a while.
    """

    CANCEL = "cancel"
    DRAIN = "drain"
    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Everything that an adapter needs to know of a provider. Its key is in no repr, so in no log."""

    name: str
    type: str
    base_url: str = ""
    key: str = field(default="", repr=False)
    default_model: str = ""
    models: tuple[str, ...] = ()
    default_max_tokens: int = 4096
    max_prompt_chars: int = 400_000
    needs_key: bool = False
    needs_model: bool = False
    wire: str = ""
    enabled: bool = True
    is_default: bool = False
    allow_private_network: bool = False
    on_disconnect: OnDisconnect = OnDisconnect.CANCEL
    timeouts: Timeouts = Timeouts()
    config: Mapping[str, Any] = field(default_factory=dict)
    description: str = ""

    @property
    def key_hint(self) -> str:
        """The last four characters of the key, which may be shown."""
        return self.key[-4:] if len(self.key) >= 12 else ""
