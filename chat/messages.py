"""What a client of the chat's socket says, and what it is told: one JSON object in each text message.

In: `{"type": "ask", "id", "model"?, "messages": [{role, content}]}` and `{"type": "stop"}`. Out, each with the id of
what was asked: `started`, then `delta` and `reasoning` with pieces of the answer, and `done` or `error` as its end.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson
from rest_framework import serializers

from providers.api.conversation_fields import LONGEST_MODEL, LONGEST_PROVIDER, MessagesField, say_something
from providers.conversation import GenerateRequest, Message
from providers.types import ByModel, Wanted
from web.fields import StrictCharField
from web.problems import InvalidRequest, problem_for

LONGEST_ID = 64  # characters


@dataclass(frozen=True, slots=True)
class Ask:
    """The wish for an answer. `id` is the client's own name for it."""

    id: str
    wanted: Wanted


@dataclass(frozen=True, slots=True)
class Stop:
    """The wish to hear no more of the answer that is under way."""


class _StrictSerializer(serializers.Serializer[Any]):
    type = StrictCharField()

    def to_internal_value(self, data: Mapping[str, Any]) -> dict[str, Any]:
        if unknown := sorted(data.keys() - self.fields.keys()):
            raise serializers.ValidationError(dict.fromkeys(unknown, "This field is not known here."))
        values: dict[str, Any] = super().to_internal_value(data)
        return values


class _AskSerializer(_StrictSerializer):
    id = StrictCharField(max_length=LONGEST_ID)
    model = StrictCharField(required=False, allow_blank=True, max_length=LONGEST_PROVIDER + 1 + LONGEST_MODEL)
    messages = MessagesField()

    def validate_messages(self, messages: tuple[Message, ...]) -> tuple[Message, ...]:
        if not say_something(messages):
            raise serializers.ValidationError("There must be something in them to answer.")
        return messages


# One instance of each for all messages: validation keeps no state in it, and making one copies every field.
_ask = _AskSerializer()
_stop = _StrictSerializer()


def parsed(text: str | None) -> dict[str, Any]:
    """The object in a message; None stands for a binary one. Raises InvalidRequest."""
    try:
        data = orjson.loads(text or "")
    except orjson.JSONDecodeError:
        data = None
    if not isinstance(data, dict):
        raise InvalidRequest("A message must be a JSON object, as text.")
    return data


def id_of(data: Mapping[str, Any]) -> str | None:
    """The id in a message, whatever else is wrong with it."""
    given = data.get("id")
    return given if isinstance(given, str) and 0 < len(given) <= LONGEST_ID else None


def read(data: Mapping[str, Any]) -> Ask | Stop:
    """What a message wants. Raises InvalidRequest or DRF's ValidationError."""
    match data.get("type"):
        case "ask":
            values = _ask.run_validation(data)
            return Ask(values["id"], _wanted(values.get("model", ""), values["messages"]))
        case "stop":
            _stop.run_validation(data)
            return Stop()
    raise InvalidRequest("A message needs a type, which is `ask` or `stop`.")


def _wanted(model: str, messages: tuple[Message, ...]) -> Wanted:
    wanted = Wanted.generation("", GenerateRequest(messages, stream=True))
    return replace(wanted, target=ByModel(model)) if model else wanted


def failure(error: Exception, request_id: str, id: str | None = None) -> dict[str, Any]:
    """What a client is told of an error; it belongs to what was asked under `id`, or to the socket."""
    problem = problem_for(error)
    told: dict[str, Any] = {"type": "error", "code": problem.code, "message": problem.message, "request_id": request_id}
    if id is not None:
        told["id"] = id
    if problem.details is not None:
        told["details"] = problem.details
    if (seconds := problem.headers.get("Retry-After")) is not None:
        told["retry_after"] = int(seconds)
    return told
