"""What Anthropic reports of its use.

Source: https://platform.claude.com/docs/en/api/messages. Its `input_tokens` are those that were neither read from a
cache nor written to one; its `output_tokens` include thinking.
"""

from dataclasses import replace
from typing import Any

from providers.adapters.json_values import count
from providers.types import Usage

_COUNTS = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
_DETAILS = ("output_tokens_details", "server_tool_use")
_BYTES_PER_TOKEN = 4  # for estimates only


def usage(reported: Any) -> Usage | None:
    """The usage object of an answer; None where there is none, or none that makes sense."""
    fresh, output = count(reported, "input_tokens"), count(reported, "output_tokens")
    if fresh is None or output is None:
        return None
    written = count(reported, "cache_creation_input_tokens") or 0
    read = count(reported, "cache_read_input_tokens") or 0
    searches = count(reported.get("server_tool_use"), "web_search_requests")
    return Usage(
        fresh + written + read,
        output,
        cached=read,
        cache_write=written,
        reasoning=count(reported.get("output_tokens_details"), "thinking_tokens") or 0,
        measures={"web_search_requests": float(searches)} if searches else {},
    )


class RunningUsage:
    """What a stream has used so far, so that one that is cut is known as well as it can be.

    Its beginning reports the input and a placeholder for the output, its end the output; each report overwrites what it
    names and leaves the rest. In between the output is estimated by what was said.
    """

    def __init__(self) -> None:
        self._reported: dict[str, Any] = {}
        self._beginning: Usage | None = None
        self._said = 0
        self._complete = False

    def begin(self, reported: Any) -> Usage | None:
        """Takes the report of `message_start`."""
        self._overwrite(reported)
        self._beginning = usage({"output_tokens": 0, **self._reported})
        return self.so_far()

    def say(self, piece: str) -> Usage | None:
        """Takes a piece of the answer."""
        self._said += len(piece.encode())
        return self.so_far()

    def complete(self, reported: Any) -> Usage | None:
        """Takes the report of `message_delta`, which is of the whole and not of a part."""
        self._complete = count(reported, "output_tokens") is not None or self._complete
        self._overwrite(reported)
        return self.so_far()

    def so_far(self) -> Usage | None:
        """What is known by now; None where not even the input is: some servers tell it at the end only."""
        if self._complete:
            return usage(self._reported)
        if (known := self._beginning) is None or not known.input:
            return None
        return replace(known, output=max(known.output, -(-self._said // _BYTES_PER_TOKEN)), estimated=True)

    def _overwrite(self, reported: Any) -> None:
        if isinstance(reported, dict):
            self._reported |= {name: reported[name] for name in _COUNTS if count(reported, name) is not None}
            self._reported |= {name: reported[name] for name in _DETAILS if isinstance(reported.get(name), dict)}
