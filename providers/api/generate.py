"""POST /api/generate: text from any provider, whole or as server-sent events."""

import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

import orjson
from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request

from providers import gateway, sse
from providers.types import GenerateRequest, Message
from web import envelope, problems, request_id
from web.async_views import GatewayView
from web.fields import StrictBooleanField, StrictCharField, StrictFloatField, StrictIntegerField
from web.streams import ReleasedStream

_ROLES = ("system", "user", "assistant")


@extend_schema_field(
    {
        "type": "array",
        "items": {
            "type": "object",
            "required": ["role", "content"],
            "properties": {"role": {"type": "string", "enum": list(_ROLES)}, "content": {"type": "string"}},
        },
    }
)
class MessagesField(serializers.Field[Any, Any, Any, Any]):
    """A conversation: a list of {role, content}. Read by hand, since a nested serializer costs more than the rest."""

    def to_internal_value(self, data: Any) -> tuple[Message, ...]:
        if not isinstance(data, list):
            raise serializers.ValidationError("Give a list of {role, content}.")
        return tuple(self._message(position, item) for position, item in enumerate(data))

    @staticmethod
    def _message(position: int, item: Any) -> Message:
        if not isinstance(item, dict):
            raise serializers.ValidationError(f"Message {position} is no object; give {{role, content}}.")
        role, content = item.get("role"), item.get("content")
        if role not in _ROLES:
            raise serializers.ValidationError(f"Message {position} needs a role: one of {', '.join(_ROLES)}.")
        if not isinstance(content, str):
            raise serializers.ValidationError(f"Message {position} needs its content as a string.")
        return Message(role, content)


class GenerateSerializer(serializers.Serializer[Any]):
    """What a caller sends. Fields that are not listed here are ignored."""

    provider = StrictCharField(required=False, allow_blank=True, max_length=64)
    model = StrictCharField(required=False, allow_blank=True, max_length=200)
    prompt = StrictCharField(required=False, allow_blank=True, trim_whitespace=False)
    messages = MessagesField(required=False)
    max_tokens = StrictIntegerField(required=False, min_value=0, help_text="0 leaves it to the provider's default.")
    temperature = StrictFloatField(required=False, min_value=0, max_value=2)
    stream = StrictBooleanField(required=False)
    tools = serializers.ListField(required=False, max_length=0, help_text="Not taken by this path; leave it out.")
    metadata = serializers.DictField(required=False, help_text="Given back with the answer.")

    def to_internal_value(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Reads the fields that were sent: none is required and none has a default, so the others need no look."""
        values: dict[str, Any] = {}
        errors: dict[str, Any] = {}
        for name in self.fields.keys() & data.keys():
            try:
                values[name] = self.fields[name].run_validation(data[name])
            except serializers.ValidationError as error:
                errors[name] = error.detail
        if errors:
            raise serializers.ValidationError(errors)
        return values

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        messages = attrs.get("messages") or tuple(
            [Message("user", attrs["prompt"])] if attrs.get("prompt", "").strip() else []
        )
        if not any(message.content.strip() for message in messages):
            raise serializers.ValidationError("Either 'prompt' or 'messages' must be provided, and not be empty.")
        return {**attrs, "messages": messages}


class UsageSerializer(serializers.Serializer[Any]):
    prompt_tokens = serializers.IntegerField()
    completion_tokens = serializers.IntegerField()
    total_tokens = serializers.IntegerField()
    estimated = serializers.BooleanField(required=False, help_text="True where the provider reported no usage.")


class CompletionSerializer(serializers.Serializer[Any]):
    content = serializers.CharField()
    model = serializers.CharField()
    provider = serializers.CharField()
    finish_reason = serializers.CharField(allow_null=True)
    usage = UsageSerializer()
    metadata = serializers.DictField(required=False)


# One instance for all requests: validation keeps no state in it, and making one copies every field.
_serializer = GenerateSerializer()


def read_request(data: Any) -> GenerateRequest:
    """The request in a decoded body. Raises DRF's ValidationError."""
    values = _serializer.run_validation(data)
    return GenerateRequest(
        messages=values["messages"],
        provider=values.get("provider", ""),
        model=values.get("model", ""),
        max_tokens=values.get("max_tokens") or None,
        temperature=values.get("temperature"),
        stream=values.get("stream", False),
        metadata=values.get("metadata"),
    )


class GenerateView(GatewayView):
    """Generates text."""

    @extend_schema(
        operation_id="generate",
        summary="Generate text",
        request=GenerateSerializer,
        responses={
            200: CompletionSerializer,
            (200, "text/event-stream"): OpenApiResponse(
                str, "With `stream`: one JSON object an event, usage in the last one before `[DONE]`."
            ),
        },
    )
    async def post(self, request: Request) -> HttpResponseBase:
        wanted = read_request(request.data)
        answer = await gateway.open_answer(
            self.principal, wanted, request_id=request_id.current.get(), surface="generate"
        )
        if wanted.stream:
            return ReleasedStream(_events(answer), answer.aclose, "text/event-stream")
        async with answer:
            completion = await answer.collect()
        data: dict[str, Any] = {
            "content": completion.text,
            "model": completion.model,
            "provider": completion.provider,
            "finish_reason": completion.finish_reason,
            "usage": answer.usage(),
        }
        if wanted.metadata is not None:
            data["metadata"] = wanted.metadata
        return envelope.response(data)


async def _events(answer: gateway.Answer) -> AsyncGenerator[bytes, None]:
    """The kit's events. No exception leaves this: past the first byte an error is an event, and no [DONE] follows."""
    frame: dict[str, Any] = {
        "id": str(answer.call_id),
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": answer.model,
        "provider": answer.provider,
        "done": False,
    }
    try:
        async with aclosing(answer.chunks()) as chunks:
            async for chunk in chunks:
                if chunk.text:
                    choice = {"index": 0, "delta": {"content": chunk.text}, "finish_reason": None}
                    yield _event({**frame, "content": chunk.text, "choices": [choice]})
        choice = {"index": 0, "delta": {}, "finish_reason": answer.finish_reason}
        usage = answer.usage()
        yield _event({**frame, "model": answer.model, "done": True, "content": "", "choices": [choice], "usage": usage})
        yield b"data: [DONE]\n\n"
    except Exception as error:
        problem = problems.problem_for(error)
        yield _event({"error": {"code": problem.code, "message": problem.message}})
    finally:
        await answer.aclose()


def _event(data: Mapping[str, Any]) -> bytes:
    return sse.encode(orjson.dumps(data))
