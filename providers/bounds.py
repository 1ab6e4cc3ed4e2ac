"""The most that a call can cost, before it is made: what the ledger reserves.

A token is at least a byte of text, so the text's bytes are an upper bound for its tokens; an estimate such as four
bytes to a token is none, for Amharic, code and the like. What vendors add round each message is bounded by 16.
"""

from collections.abc import Mapping
from decimal import Decimal

from accounts.calls import Bound
from accounts.consumption import Consumption
from accounts.prices import Rates, to_units
from providers.asks import MOST_COUNTED, Asks
from providers.types import Endpoint, Wanted

BYTES_PER_TOKEN = 4  # for estimates only: what is likely where the vendor's own count is missing
_PER_MESSAGE = 16  # tokens
_LEAST_OUTPUT = 16  # tokens with which a call is worth making; OpenAI's responses take no lower limit
_MILLION = 1_000_000

# Tokens of one picture or other file, at most, by type of provider. What is known by its address alone can take more;
# it is recorded as it is reported, and marked.
# https://platform.openai.com/docs/guides/images-vision: 2,833 + 5,667 a tile for gpt-4o-mini, others far below
# https://platform.claude.com/docs/en/build-with-claude/vision: width × height / 750, up to 4,784
# https://ai.google.dev/gemini-api/docs/tokens: 258 a tile, up to 2,240 at the highest resolution
_PER_FILE: Mapping[str, int] = {"openai": 4_000, "anthropic": 4_800, "gemini": 4_200}
_PER_FILE_OTHER = 5_000
_PER_FILE_OF_MODEL = {"gpt-4o-mini": 48_200}


def bound(endpoint: Endpoint, model: str, wanted: Wanted, rates: Rates | None) -> Bound:
    """What a call may take at most.

    Its output is the limit that the caller sets, else the provider's default; all choices together. With less it is
    content where that limit can be written into the request; a request that is relayed untouched needs all of it.
    """
    asks, tokens = wanted.asks, most_input(endpoint, model, wanted)
    output = min((asks.output or endpoint.default_max_tokens) * asks.choices, MOST_COUNTED) if asks.generates else 0
    least = min(output, _LEAST_OUTPUT * asks.choices) if can_be_limited(wanted) else output
    if rates is None:
        return Bound(tokens, output, least)
    by_token = rates.input is not None or not rates.units
    base = rates.most(tokens, 0) if by_token else Decimal(0)
    million = rates.most(0, _MILLION) if by_token and output else Decimal(0)
    if base is None or million is None:
        return Bound(tokens, output, least)
    return Bound(tokens, output, least, to_units(base + _units_cost(rates, wanted)), to_units(million))


def most_input(endpoint: Endpoint, model: str, wanted: Wanted) -> int:
    """The input of a call at its upper bound, in tokens."""
    asks = wanted.asks
    said = max(wanted.prompt_bytes + asks.beside, asks.raw)
    return said + _PER_MESSAGE * (asks.messages + asks.tools) + _files(endpoint, model, asks)


def likely_input(endpoint: Endpoint, model: str, wanted: Wanted) -> int:
    """The input of a call as it is estimated, in tokens. Files are at their bound: nothing likelier is known."""
    asks = wanted.asks
    return -(-(wanted.prompt_bytes + asks.beside) // BYTES_PER_TOKEN) + _files(endpoint, model, asks)


def can_be_limited(wanted: Wanted) -> bool:
    """Whether the gateway may write a limit of the output into the request."""
    asks = wanted.asks
    return asks.generates and asks.limitable and (wanted.native is None or wanted.native.model is not None)


def _files(endpoint: Endpoint, model: str, asks: Asks) -> int:
    return asks.files * _per_file(endpoint, model) + asks.file_tokens if asks.files else 0


def _per_file(endpoint: Endpoint, model: str) -> int:
    known = next((most for name, most in _PER_FILE_OF_MODEL.items() if model.startswith(name)), None)
    return known or _PER_FILE.get(endpoint.type, _PER_FILE_OTHER)


def _units_cost(rates: Rates, wanted: Wanted) -> Decimal:
    """What is priced by other units than tokens: as many as are asked for, else one of each."""
    if not rates.units:
        return Decimal(0)
    asked: Asks = wanted.asks
    counts = {name: asked.units.get(name, wanted.prompt_chars if name == "characters" else 1) for name in rates.units}
    return rates.cost(Consumption(measures=counts)) or Decimal(0)
