"""The middleman between an app and whatever provider an administrator has chosen: a message in, an answer out.

The paths and the words are those of https://platform.addisassistant.com/docs/integration/server, so that an app which
was written against a backend of one's own finds them here, for any provider that makes text.
"""

from typing import Any

import orjson
from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from accounts.consumption import Consumption
from accounts.principal import Principal
from providers import gateway, ndjson
from providers.api.chat_requests import ChatSerializer, UploadSerializer, chat_request, upload_request
from providers.api.generate import UsageSerializer
from providers.api.rendering import rendered
from providers.conversation import GenerateRequest
from providers.fronts.openai_answers import usage
from providers.types import Chunk, Wanted
from web import envelope, request_id
from web.async_views import GatewayView
from web.parsers import MultipartBodyParser
from web.problems import Problem
from web.streams import ReleasedStream

_NDJSON = "application/x-ndjson"


class ReplySerializer(serializers.Serializer[Any]):
    content = serializers.CharField()
    model = serializers.CharField()
    provider = serializers.CharField()
    usage = UsageSerializer()


class ChatView(GatewayView):
    """Answers a message."""

    @extend_schema(
        operation_id="chat",
        summary="Answer a message of an app's user",
        request=ChatSerializer,
        responses=ReplySerializer,
    )
    async def post(self, request: Request) -> HttpResponseBase:
        provider, wanted = chat_request(request.data, stream=False)
        return await _reply(self.principal, provider, wanted, surface="chat")


class ChatStreamView(GatewayView):
    """Answers a message, word by word."""

    @extend_schema(
        operation_id="chat_stream",
        summary="Answer a message of an app's user, word by word",
        request=ChatSerializer,
        responses={
            (200, _NDJSON): OpenApiResponse(
                str,
                'One JSON object a line: `{"content"}` for each piece, then `{"done": true, "finish_reason", "usage"}`;'
                ' what goes wrong in between is `{"error": {"code", "message"}}`, and then the stream ends.',
            ),
        },
    )
    async def post(self, request: Request) -> HttpResponseBase:
        provider, wanted = chat_request(request.data, stream=True)
        answer = await _open(self.principal, provider, wanted, surface="chat_stream")
        return ReleasedStream(rendered(answer, _Lines()), answer.aclose, _NDJSON)


class UploadView(GatewayView):
    """Answers a message about pictures."""

    parser_classes = (MultipartBodyParser,)

    @extend_schema(
        operation_id="upload",
        summary="Answer a message about pictures",
        request=UploadSerializer,
        responses=ReplySerializer,
    )
    async def post(self, request: Request) -> HttpResponseBase:
        provider, wanted = upload_request(request.data)
        return await _reply(self.principal, provider, wanted, surface="upload")


async def _open(principal: Principal, provider: str, wanted: GenerateRequest, *, surface: str) -> gateway.Answer:
    return await gateway.open_answer(
        principal, Wanted.generation(provider, wanted), request_id=request_id.current.get(), surface=surface
    )


async def _reply(principal: Principal, provider: str, wanted: GenerateRequest, *, surface: str) -> HttpResponseBase:
    async with await _open(principal, provider, wanted, surface=surface) as answer:
        said = await answer.collect()
    return envelope.response(
        {"content": said.text, "model": said.model, "provider": said.provider, "usage": usage(answer.consumption)}
    )


class _Lines:
    """A stream as one JSON object a line."""

    def begin(self) -> bytes:
        return b""

    def chunk(self, chunk: Chunk) -> bytes:
        return _line({"content": chunk.text}) if chunk.text else b""

    def end(self, finish_reason: str | None, used: Consumption) -> bytes:
        return _line({"done": True, "finish_reason": finish_reason, "usage": usage(used)})

    def error(self, problem: Problem) -> bytes:
        return _line({"error": {"code": problem.code, "message": problem.message}})


def _line(data: dict[str, Any]) -> bytes:
    return ndjson.encode(orjson.dumps(data))
