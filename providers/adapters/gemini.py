"""Google's Gemini API.

Source: https://ai.google.dev/api
"""

import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from urllib.parse import quote, unquote

import httpx
import orjson

from providers.adapters import gemini_answer, gemini_content, gemini_fronts, sure_models
from providers.adapters.base import TextAdapter
from providers.adapters.bodies import parsed_url
from providers.adapters.contract import Opened, Sender
from providers.adapters.gemini_answer import Reading
from providers.adapters.meters import Document, Events, Meter, Reported, Unread
from providers.adapters.openai import OpenAIAdapter
from providers.adapters.streams import ServerSentEvents, StreamReader
from providers.conversation import GenerateRequest
from providers.errors import StatusError
from providers.sse import Event
from providers.types import Chunk, Endpoint, NativeRequest, Usage

_MODEL = re.compile(r"/(?:models|tunedModels)/([^/:]+)")
_ONLY_MODEL = re.compile(r"(?:/(?!models/|tunedModels/)[^/]+)*/(?:models|tunedModels)/[^/:]+(?::\w+)?/?")
_ABOUT_THE_KEY = re.compile(r"API_KEY_|API key (not|expired)", re.IGNORECASE)


class _Stream(ServerSentEvents):
    """Server-sent events, after which an error may stand as bare JSON; the standard would have it say nothing."""

    def finish(self) -> Iterator[Event]:
        rest = self.rest.strip()
        if rest.startswith((b"{", b"[")):
            yield Event(rest)


class GeminiAdapter(TextAdapter):
    """POST {base_url}/{version}/models/{model}:generateContent, and all else below base_url as it comes."""

    translations = gemini_fronts.FRONTS
    sent_headers = ("x-goog-api-client",)

    def credentials(self, endpoint: Endpoint) -> dict[str, str]:
        return {"x-goog-api-key": endpoint.key} if endpoint.key else {}

    def build(self, endpoint: Endpoint, request: GenerateRequest) -> httpx.Request:
        verb = "streamGenerateContent?alt=sse" if request.stream else "generateContent"
        model = quote(request.model.removeprefix("models/"), safe="")
        return httpx.Request(
            "POST",
            _url(endpoint, f"models/{model}:{verb}"),
            content=orjson.dumps(gemini_content.body(endpoint, request)),
            headers={**self._headers(endpoint), "content-type": "application/json"},
        )

    def build_probe(self, endpoint: Endpoint) -> httpx.Request:
        return httpx.Request("GET", _url(endpoint, "models?pageSize=1"), headers=self._headers(endpoint))

    def _headers(self, endpoint: Endpoint) -> dict[str, str]:
        return {"accept-encoding": "identity", **self.credentials(endpoint)}

    def read_whole(self, body: bytes) -> Chunk:
        return Reading().whole(body)

    def stream_reader(self) -> StreamReader:
        return _Stream(keep_raw=True)

    def event_reader(self) -> Callable[[Event], Iterator[Chunk]]:
        return Reading().event

    @asynccontextmanager
    async def answer(self, endpoint: Endpoint, request: GenerateRequest, send: Sender) -> AsyncIterator[Opened]:
        with _refusals_of_the_key():
            async with super().answer(endpoint, request, send) as opened:
                yield opened

    @asynccontextmanager
    async def relay(self, endpoint: Endpoint, request: NativeRequest, send: Sender) -> AsyncIterator[Opened]:
        with _refusals_of_the_key():
            async with super().relay(endpoint, request, send) as opened:
                yield opened

    async def probe(self, endpoint: Endpoint, send: Sender) -> None:
        with _refusals_of_the_key():
            await super().probe(endpoint, send)

    def named_model(self, request: NativeRequest, *, surely: bool = False) -> str:
        """The model stands in the path; only what speaks OpenAI's format has it in the body."""
        named = _MODEL.search(request.plain_path)
        if named is None:
            return super().named_model(request, surely=surely)
        return _sure(request, named[1]) if surely else named[1]

    def meter(self, endpoint: Endpoint, request: NativeRequest, head: httpx.Response) -> Meter:
        if request.method != "POST":
            return Unread(Usage())
        path = request.plain_path
        verb = path.rpartition(":")[2]
        if verb in {"generateContent", "streamGenerateContent"}:
            reading = Reading(relayed=True)
            streamed = head.headers.get("content-type", "").lower().startswith("text/event-stream")
            return Events(reading.event) if streamed else Document(reading.document, textual=True)
        if verb in {"embedContent", "batchEmbedContents"}:
            return Document(gemini_answer.embedding)
        if "/openai/" in path:  # https://ai.google.dev/gemini-api/docs/openai
            return OpenAIAdapter().meter(endpoint, request, head)
        return Reported(request, head, lambda answer: gemini_answer.usage(answer.get("usageMetadata")))

    def refuses_key(self, status: int, body: bytes) -> bool:
        """An invalid key is a 400 like any other, but for its reason."""
        return status == 400 and gemini_answer.refuses_key(body)


def _sure(request: NativeRequest, model: str) -> str:
    """The model that a path names, if nothing in the request can be taken for another."""
    named = sure_models.read(request)
    said = [("model", named.model)] if named.model else []
    sure_models.refuse_others(model, tuple((at, one.removeprefix("models/")) for at, one in (*said, *named.others)))
    path = unquote(request.path)
    is_plain = named.is_sound and ";" not in path and "//" not in path and _ONLY_MODEL.fullmatch(path)
    return model if is_plain else ""


@contextmanager
def _refusals_of_the_key() -> Iterator[None]:
    """Makes of a 400 that is about the key what every other vendor makes of it: the caller can do nothing about it."""
    try:
        yield
    except StatusError as error:
        if error.status == 400 and _ABOUT_THE_KEY.search(str(error)):
            raise StatusError(401, "a refusal of the key, as status 400") from None
        raise


def _url(endpoint: Endpoint, path: str) -> httpx.URL:
    version = quote(str(endpoint.config.get("api_version") or "v1beta"), safe="")
    return parsed_url(f"{endpoint.base_url.rstrip('/')}/{version}/{path}")
