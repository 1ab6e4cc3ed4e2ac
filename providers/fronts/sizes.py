"""How much text there is in a request, for limits and estimates, without reading the rest of it."""

from typing import Any


def text_size(value: Any) -> tuple[int, int]:
    """Characters and UTF-8 bytes of the text in messages of any wire format: what stands under `text` and `content`."""
    chars = size = 0
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            chars += len(item)
            size += len(item) if item.isascii() else len(item.encode("utf-8", "replace"))
        elif isinstance(item, list):
            waiting += item
        elif isinstance(item, dict):
            waiting += [item[name] for name in ("content", "text", "parts") if name in item]
    return chars, size
