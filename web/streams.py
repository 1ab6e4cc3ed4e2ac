"""A streamed response that owns something which must be given back when the stream is over, however it ends."""

from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any

from django.http import StreamingHttpResponse


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
        self["Cache-Control"] = "no-cache"
        self["X-Accel-Buffering"] = "no"
