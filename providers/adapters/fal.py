"""fal.ai, relayed: targets named in a header, as its browser clients do, or by path, as its other clients can.

By header (`x-fal-target-url`) is fal's own server-proxy protocol. By path, `/{host}/{owner}/{alias}` stands for
`https://{host}/{owner}/{alias}`, so that FAL_RUN_HOST and FAL_QUEUE_RUN_HOST of its Python client can point here;
without a host it is fal.run. Then the addresses in a queue's answer are the gateway's too, or the client would go
round it.

Sources: those of fal_targets.py.
"""

import re
from collections.abc import Mapping

import httpx
import orjson

from providers.adapters import fal_fronts, fal_targets
from providers.adapters.base import HttpAdapter
from providers.adapters.bodies import parsed_url
from providers.adapters.fal_targets import DEFAULT_TARGETS, Kind
from providers.adapters.headers import passing, without_credentials
from providers.adapters.json_values import document, measure, sequence
from providers.adapters.meters import Document, Events, Meter, Unread
from providers.errors import BrokenAnswer
from providers.types import Chunk, Endpoint, NativeRequest, Usage

_FREE_WITH_KEY = "https://api.fal.ai/v1/models/pricing?endpoint_id=fal-ai/flux/dev"
_ADDRESSES = ("response_url", "status_url", "cancel_url")
_HOST_FIRST = re.compile(r"/((?:[a-z0-9-]+\.)+[a-z]+)(/.*)?", re.IGNORECASE)


class FalAdapter(HttpAdapter):
    """No text is generated here: what fal has is reached by its own API."""

    translations = fal_fronts.FRONTS
    sent_headers = ("x-fal-",)
    returned_headers = ("x-fal-",)

    def credentials(self, endpoint: Endpoint) -> dict[str, str]:
        return {"authorization": f"Key {endpoint.key}"}

    def build_probe(self, endpoint: Endpoint) -> httpx.Request:
        url = fal_targets.replaced(_FREE_WITH_KEY, endpoint.base_url) if endpoint.base_url else _FREE_WITH_KEY
        return httpx.Request("GET", parsed_url(url), headers=self.credentials(endpoint))

    def build_native(self, endpoint: Endpoint, request: NativeRequest) -> httpx.Request:
        target = fal_targets.check_request(
            request.method,
            request.headers.get("content-type", ""),
            request.body,
            _target(request),
            allowed_endpoints=endpoint.config.get("allowed_endpoints", ()),
            allowed_targets=endpoint.config.get("allowed_targets", DEFAULT_TARGETS),
        )
        wants_events = "text/event-stream" in request.headers.get("accept", "")
        headers = [
            *passing([*request.headers.items()], frozenset({"user-agent"}), self.sent_headers),
            ("accept", "text/event-stream" if wants_events else "application/json"),
            ("content-type", "application/json"),
            ("accept-encoding", "identity"),
            *self.credentials(endpoint).items(),
        ]
        return httpx.Request(
            request.method,
            parsed_url(fal_targets.replaced(target, endpoint.base_url) if endpoint.base_url else target),
            content=None if request.method == "GET" else request.body or None,
            headers=[(name.encode("ascii"), value.encode("latin-1")) for name, value in headers],
        )

    def named_model(self, request: NativeRequest, *, surely: bool = False) -> str:
        """The model stands in the address, and in nothing else: a model's input may have a field of that name."""
        target = _target(request) or ""
        if surely and self.generates(request) and "/requests/" in fal_targets.endpoint_of(target):
            return ""  # a path of some model's own, perhaps, that looks like what follows up on a run
        return fal_targets.model_of(target)

    def generates(self, request: NativeRequest) -> bool:
        return fal_targets.kind_of(request.method, _target(request) or "").runs_model

    def meter(self, endpoint: Endpoint, request: NativeRequest, head: httpx.Response) -> Meter:
        kind = fal_targets.kind_of(request.method, _target(request) or "")
        if kind not in {Kind.RUN, Kind.RESULT}:
            return Unread(Usage())
        units = measure(head.headers.get("x-fal-billable-units"))
        billed = {} if units is None else {"billable_units": units}
        if head.headers.get("content-type", "").lower().startswith("text/event-stream"):
            return Events(lambda event: iter((Chunk(usage=Usage(measures=billed, estimated=not billed)),)), ends=False)
        return Document(lambda body: Chunk(usage=_usage(body, billed)))

    def rewrites(self, request: NativeRequest, head: httpx.Response) -> bool:
        """Whether the answer names addresses that the caller would follow past the gateway."""
        kind = fal_targets.kind_of(request.method, _target(request) or "")
        is_json = head.headers.get("content-type", "").lower().startswith("application/json")
        return is_json and "x-fal-target-url" not in request.headers and kind in {Kind.SUBMIT, Kind.STATUS}

    def rewritten(self, request: NativeRequest, body: bytes) -> bytes:
        """A queue's answer with the gateway's addresses for fal's."""
        answer = document(body)
        if not answer.keys() & set(_ADDRESSES):
            return body
        return orjson.dumps({name: self._ours(request, name, value) for name, value in answer.items()})

    @staticmethod
    def _ours(request: NativeRequest, name: str, value: object) -> object:
        if name not in _ADDRESSES or not isinstance(value, str):
            return value
        try:
            url = httpx.URL(value)
        except httpx.InvalidURL as error:
            raise BrokenAnswer("an address that is none") from error
        return f"{request.origin}/queue.fal.run{url.raw_path.decode('ascii')}"


def _target(request: NativeRequest) -> str | None:
    """The address at fal that is meant, unchecked."""
    named = request.headers.get("x-fal-target-url")
    if named is not None or request.path in {"", "/"}:
        return named
    query = f"?{query}" if (query := without_credentials(request.query)) else ""
    host = _HOST_FIRST.fullmatch(request.path)
    return f"https://{request.path[1:]}{query}" if host else f"https://fal.run{request.path}{query}"


def _usage(body: bytes, billed: Mapping[str, float]) -> Usage:
    """What fal bills, and how many pictures it gave; an estimate where it does not say what it bills."""
    pictures = sequence(document(body).get("images")) if body.lstrip().startswith(b"{") else []
    images = {"images": float(len(pictures))} if pictures else {}
    return Usage(measures={**billed, **images}, estimated=not billed)
