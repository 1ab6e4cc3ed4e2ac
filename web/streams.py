"""A streamed response that owns something which must be given back when the stream is over, however it ends."""

from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any

from django.http import StreamingHttpResponse

# The beginnings of the types whose reader waits for each piece; a file or audio may be cached and buffered.
_READ_AS_THEY_COME = ("text/event-stream", "application/x-ndjson", "application/ndjson", "application/jsonl")


class ReleasedStream(StreamingHttpResponse):
    """A stream together with what must happen after it.

    A generator that was never started runs no `finally`, and one whose cancel landed in `send()` runs it only at
    garbage collection. So the lane calls `release` itself once the response is over.

    `parts` yields encoded bytes; `release` must be safe to call when `parts` was never started and more than once.
    """

    def __init__(
        self, parts: AsyncGenerator[bytes, None], release: Callable[[], Coroutine[Any, Any, None]], content_type: str
    ) -> None:
        super().__init__(parts, content_type=content_type)
        self.parts = parts
        self.release = release
        self.pass_at_once(content_type)

    def pass_at_once(self, content_type: str) -> None:
        """Asks proxies to hold nothing back, where it is of events or lines. The vendor's Cache-Control stays."""
        if content_type.lower().startswith(_READ_AS_THEY_COME):
            self.headers.setdefault("Cache-Control", "no-cache")
            self["X-Accel-Buffering"] = "no"
