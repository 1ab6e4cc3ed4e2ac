"""ElevenLabs, relayed: speech, sound, transcription, and whatever else is below its base URL.

Source: https://elevenlabs.io/docs/api-reference
"""

import re

import httpx
import orjson

from providers.adapters import elevenlabs_fronts
from providers.adapters.base import HttpAdapter
from providers.adapters.bodies import parsed_url
from providers.adapters.json_values import document, measure
from providers.adapters.meters import Document, Meter, Unread
from providers.adapters.sure_models import sure_model
from providers.types import Chunk, Endpoint, NativeRequest, Usage

_PER_CHARACTER = re.compile(r"/v\d+/(text-to-speech|text-to-dialogue|sound-generation|speech-to-speech|music)(/|$)")
_TRANSCRIPTION = re.compile(r"/v\d+/speech-to-text/?")
_MODEL = re.compile(rb'(?:"model_id"\s*:\s*"|name="model_id"\r\n\r\n)([\w.-]{1,200})')


class ElevenLabsAdapter(HttpAdapter):
    """No text is generated here: what ElevenLabs has is reached by its own API."""

    translations = elevenlabs_fronts.FRONTS
    returned_headers = (
        "character-cost",
        "current-concurrent-requests",
        "history-item-id",
        "maximum-concurrent-requests",
        "song-id",
        "tts-latency-ms",
        "x-character-count",
        "x-region",
        "x-trace-id",
    )

    def credentials(self, endpoint: Endpoint) -> dict[str, str]:
        return {"xi-api-key": endpoint.key}

    def build_probe(self, endpoint: Endpoint) -> httpx.Request:
        url = parsed_url(f"{endpoint.base_url.rstrip('/')}/v1/models")
        return httpx.Request("GET", url, headers={"accept-encoding": "identity", **self.credentials(endpoint)})

    def named_model(self, request: NativeRequest, *, surely: bool = False) -> str:
        if surely:
            return sure_model(request, "model_id")
        named = _MODEL.search(request.body)
        return named[1].decode("ascii", "replace") if named else ""

    def meter(self, endpoint: Endpoint, request: NativeRequest, head: httpx.Response) -> Meter:
        if request.method == "POST" and _TRANSCRIPTION.fullmatch(request.plain_path):
            return Document(_transcription)
        if request.method != "POST" or not _PER_CHARACTER.match(request.plain_path):
            return Unread(Usage())
        cost = measure(head.headers.get("character-cost"))
        if cost is not None:
            return Unread(Usage(measures={"characters": cost}))
        return Unread(Usage(measures={"characters": float(_characters(request.body))}, estimated=True))


def _characters(body: bytes) -> int:
    """The length of the text that is to be spoken; the price of a character depends on the model, so it is a guess."""
    try:
        asked = orjson.loads(body)
    except orjson.JSONDecodeError:
        return 0
    text = asked.get("text") if isinstance(asked, dict) else None
    return len(text) if isinstance(text, str) else 0


def _transcription(body: bytes) -> Chunk:
    seconds = measure(document(body).get("audio_duration_secs"))
    if seconds is None:
        return Chunk(usage=Usage(estimated=True))
    return Chunk(usage=Usage(measures={"audio_seconds": seconds}))
