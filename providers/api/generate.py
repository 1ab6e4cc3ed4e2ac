"""POST /api/generate: text from any provider, whole or as server-sent events."""

import time
from collections.abc import Mapping
from typing import Any

import orjson
from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request

from accounts.consumption import Consumption
from providers import gateway, sse
from providers.api.conversation_fields import (
    LONGEST_MODEL,
    LONGEST_PROVIDER,
    MessagesField,
    ToolsField,
    say_something,
)
from providers.api.rendering import rendered
from providers.conversation import GenerateRequest, Message
from providers.fronts.openai_answers import delta, tool_call, usage
from providers.types import Chunk, Wanted
from web import envelope, request_id
from web.async_views import GatewayView
from web.fields import StrictBooleanField, StrictCharField, StrictFloatField, StrictIntegerField
from web.problems import Problem
from web.streams import ReleasedStream


@extend_schema_field({"type": "object", "additionalProperties": {}})
class MetadataField(serializers.Field[Any, Any, Any, Any]):
    """Any object. DRF's own field would go through it value by value, and leave it as it is."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, dict):
            raise serializers.ValidationError(f'Expected a dictionary of items but got type "{type(data).__name__}".')
        return data


class GenerateSerializer(serializers.Serializer[Any]):
    """What a caller sends. Fields that are not listed here are ignored."""

    provider = StrictCharField(required=False, allow_blank=True, max_length=LONGEST_PROVIDER)
    model = StrictCharField(required=False, allow_blank=True, max_length=LONGEST_MODEL)
    prompt = StrictCharField(required=False, allow_blank=True, trim_whitespace=False)
    messages = MessagesField(required=False)
    max_tokens = StrictIntegerField(required=False, min_value=0, help_text="0 leaves it to the provider's default.")
    temperature = StrictFloatField(required=False, min_value=0, max_value=2)
    stream = StrictBooleanField(required=False)
    tools = ToolsField(required=False)
    metadata = MetadataField(required=False, help_text="Given back with the answer.")

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
        if not say_something(messages):
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
    tool_calls = serializers.ListField(
        child=serializers.DictField(), required=False, help_text="As OpenAI has them: {id, type, function}."
    )
    usage = UsageSerializer()
    metadata = serializers.DictField(required=False)


# One instance for all requests: validation keeps no state in it, and making one copies every field.
_serializer = GenerateSerializer()


def read_request(values: Mapping[str, Any]) -> GenerateRequest:
    """The request in validated values."""
    return GenerateRequest(
        messages=values["messages"],
        model=values.get("model", ""),
        max_tokens=values.get("max_tokens") or None,
        temperature=values.get("temperature"),
        tools=values.get("tools", ()),
        stream=values.get("stream", False),
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
        values = _serializer.run_validation(request.data)
        wanted = Wanted.generation(values.get("provider", ""), read_request(values))
        answer = await gateway.open_answer(
            self.principal, wanted, request_id=request_id.current.get(), surface="generate"
        )
        if wanted.stream:
            return ReleasedStream(rendered(answer, _KitEvents(answer)), answer.aclose, "text/event-stream")
        async with answer:
            completion = await answer.collect()
        data: dict[str, Any] = {
            "content": completion.text,
            "model": completion.model,
            "provider": completion.provider,
            "finish_reason": completion.finish_reason,
            "usage": usage(answer.consumption),
        }
        if completion.tool_calls:
            data["tool_calls"] = [tool_call(call) for call in completion.tool_calls]
        if "metadata" in values:
            data["metadata"] = values["metadata"]
        return envelope.response(data)


class _KitEvents:
    """The kit's server-sent events: what a chunk says in its own words and in OpenAI's."""

    def __init__(self, answer: gateway.Answer) -> None:
        self._answer = answer
        self._frame: dict[str, Any] = {
            "id": str(answer.call_id),
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": answer.model,
            "provider": answer.provider,
            "done": False,
        }

    def begin(self) -> bytes:
        return b""

    def chunk(self, chunk: Chunk) -> bytes:
        said = delta(chunk)
        if not said:
            return b""
        choice = {"index": 0, "delta": said, "finish_reason": None}
        return _event({**self._frame, "content": chunk.text, "choices": [choice]})

    def end(self, finish_reason: str | None, used: Consumption) -> bytes:
        last = {
            **self._frame,
            "model": self._answer.model,
            "done": True,
            "content": "",
            "choices": [{"index": 0, "delta": {}, "finish_reason": finish_reason}],
            "usage": usage(used),
        }
        return _event(last) + b"data: [DONE]\n\n"

    def error(self, problem: Problem) -> bytes:
        return _event({"error": {"code": problem.code, "message": problem.message}})


def _event(data: Mapping[str, Any]) -> bytes:
    return sse.encode(orjson.dumps(data))
