"""What is sent to the endpoints for apps: a message, what was said before it, and pictures."""

import base64
from collections.abc import Mapping
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from providers.conversation import GenerateRequest, Message, Picture, Role, Text
from web.fields import StrictCharField

MOST_PICTURES = 10
LARGEST_PICTURE = 10 * 1024 * 1024  # bytes; what the vendors take is about that
_ROLES: Mapping[Any, Role] = {"user": "user", "assistant": "assistant"}


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
class HistoryField(serializers.Field[Any, Any, Any, Any]):
    """A list of {role, content}, the oldest first."""

    def to_internal_value(self, data: Any) -> tuple[Message, ...]:
        if not isinstance(data, list):
            raise serializers.ValidationError("Give a list of {role, content}.")
        return tuple(_said(place, item) for place, item in enumerate(data))


def _said(place: int, item: Any) -> Message:
    match item:
        case {"role": "user" | "assistant" as role, "content": str(content)} if content.strip():
            return Message(_ROLES[role], content)
    raise serializers.ValidationError(
        f"Message {place} needs a role, one of {', '.join(_ROLES)}, and its content as a string that is not empty."
    )


@extend_schema_field({"type": "string", "format": "binary"})
class PictureField(serializers.Field[Any, Any, Any, Any]):
    """A file that is a picture by its first bytes, whatever its name and type say."""

    def to_internal_value(self, data: Any) -> Picture:
        if not isinstance(data, UploadedFile):
            raise serializers.ValidationError("Send the picture as a file, with a file name.")
        content = data.read()
        if len(content) > LARGEST_PICTURE:
            raise serializers.ValidationError(f"A picture may have {LARGEST_PICTURE} bytes; this one has more.")
        kind = picture_type(content)
        if not kind:
            raise serializers.ValidationError("This file is no JPEG, PNG, WebP or GIF.")
        return Picture(kind, base64.b64encode(content).decode())


class PicturesField(serializers.ListField):
    """Pictures. The first that is none is what is told: DRF would tell of each, by number."""

    child = PictureField()

    def run_child_validation(self, data: Any) -> list[Picture]:
        return [self.child.run_validation(item) for item in data]


def picture_type(content: bytes) -> str:
    """The media type that these bytes begin as; empty for anything but the pictures that vendors take."""
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for beginning, kind in _BEGINNINGS.items() if content.startswith(beginning)), "")


_BEGINNINGS = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}


class _MessageSerializer(serializers.Serializer[Any]):
    # What both have in common; fields that are not listed are ignored.

    message = StrictCharField(trim_whitespace=False)
    target_language = serializers.RegexField(
        r"^[A-Za-z]{2,8}\Z",
        required=False,
        allow_blank=True,
        help_text="The language to answer in, as a code such as `am`.",
        error_messages={"invalid": "Give the code of a language, such as am."},
    )
    provider = StrictCharField(
        required=False, allow_blank=True, max_length=64, help_text="Left out: the default provider."
    )
    model = StrictCharField(required=False, allow_blank=True, max_length=200)

    def validate_message(self, value: str) -> str:
        if not value.strip():
            raise serializers.ValidationError("This field may not be blank.")
        return value


class ChatSerializer(_MessageSerializer):
    """What a user of an app says, and what was said before."""

    history = HistoryField(required=False, help_text="What was said before, the oldest first.")


class UploadSerializer(_MessageSerializer):
    """What a user of an app says of pictures."""

    image = PicturesField(
        min_length=1,
        max_length=MOST_PICTURES,
        help_text="JPEG, PNG, WebP or GIF; several by repeating the field.",
    )


# One instance of each for all requests: validation keeps no state in it, and making one copies every field.
_chat = ChatSerializer()
_upload = UploadSerializer()


def chat_request(data: Any, *, stream: bool) -> tuple[str, GenerateRequest]:
    """The provider that is named, or none, and the request. Raises DRF's ValidationError."""
    values = _chat.run_validation(data)
    messages = (*values.get("history", ()), Message("user", values["message"]))
    return values.get("provider", ""), _request(values, messages, stream=stream)


def upload_request(data: Any) -> tuple[str, GenerateRequest]:
    """The same of a form with pictures."""
    values = _upload.run_validation(data)
    message = Message("user", (*values["image"], Text(values["message"])))
    return values.get("provider", ""), _request(values, (message,))


def _request(values: Mapping[str, Any], messages: tuple[Message, ...], *, stream: bool = False) -> GenerateRequest:
    return GenerateRequest(
        messages,
        model=values.get("model", ""),
        target_language=values.get("target_language", "").lower(),
        stream=stream,
    )
