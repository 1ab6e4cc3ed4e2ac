from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import models as orm
from django.db import transaction
from rest_framework import serializers

from providers.models import Provider, rotate_key, validate_key
from web.fields import StrictBooleanField, StrictCharField, StrictFloatField, StrictIntegerField, StrictSlugField

_SHOWN = (
    "name type description base_url api_key api_key_env key_last_four default_model models default_max_tokens"
    " max_prompt_chars enabled is_default allow_private_network on_disconnect connect_timeout first_byte_timeout"
    " gap_timeout total_timeout config healthy"
)


class ProviderSerializer(serializers.ModelSerializer[Provider]):
    """A provider. Its key goes in and never comes out: an answer shows its last four characters."""

    api_key = StrictCharField(
        write_only=True,
        required=False,
        max_length=1000,
        validators=[validate_key],
        help_text="Becomes the active key.",
    )
    key_last_four = serializers.SerializerMethodField(help_text="The end of the active key; empty when there is none.")
    healthy = serializers.SerializerMethodField(help_text="What the last free probe found; null when disabled.")

    serializer_field_mapping = {
        **serializers.ModelSerializer.serializer_field_mapping,
        orm.CharField: StrictCharField,
        orm.SlugField: StrictSlugField,
        orm.BooleanField: StrictBooleanField,
        orm.FloatField: StrictFloatField,
        orm.PositiveIntegerField: StrictIntegerField,
    }

    class Meta:
        model = Provider
        fields = tuple(_SHOWN.split())

    def get_key_last_four(self, provider: Provider) -> str:
        active = next((key for key in provider.keys.all() if key.active), None)
        return active.last_four if active else ""

    def get_healthy(self, provider: Provider) -> bool | None:
        health = self.context["health"].get(provider.name)
        return None if health is None else health.healthy

    def validate_name(self, value: str) -> str:
        if self.instance is not None and value != self.instance.name:
            raise serializers.ValidationError("A provider's name cannot be changed; the ledger refers to it.")
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        draft = Provider(**{field: value for field, value in attrs.items() if field != "api_key"})
        try:
            draft.clean()
        except DjangoValidationError as error:
            raise serializers.ValidationError(error.message_dict) from error
        return attrs

    def create(self, validated_data: dict[str, Any]) -> Provider:
        return self._save(None, validated_data)

    def update(self, instance: Provider, validated_data: dict[str, Any]) -> Provider:
        return self._save(instance, validated_data)

    @transaction.atomic
    def _save(self, instance: Provider | None, values: dict[str, Any]) -> Provider:
        secret = values.pop("api_key", "")
        provider = super().create(values) if instance is None else super().update(instance, values)
        if secret:
            rotate_key(provider, secret, label="set through the API")
        return provider


class ProviderHealthSerializer(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=["healthy", "unhealthy"])
    message = serializers.CharField()
    latency = serializers.IntegerField(help_text="Milliseconds, as in the kit's documentation.")
    latency_ms = serializers.IntegerField()


class TestRequestSerializer(serializers.Serializer[Any]):
    """All may be left out."""

    prompt = StrictCharField(default="Hello, this is a test. Please respond with 'OK'.", max_length=10_000)
    model = StrictCharField(required=False, allow_blank=True, max_length=200)
    max_tokens = StrictIntegerField(default=50, min_value=1)
    temperature = StrictFloatField(required=False, min_value=0, max_value=2)


class TestResultSerializer(serializers.Serializer[Any]):
    status = serializers.CharField()
    provider = serializers.CharField()
    model = serializers.CharField()
    prompt = serializers.CharField()
    response = serializers.CharField()
    response_time = serializers.IntegerField(help_text="Milliseconds.")
    usage = serializers.DictField()
