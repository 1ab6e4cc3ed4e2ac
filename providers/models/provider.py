import re
from urllib.parse import urlsplit

import httpx
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models as orm  # the contract calls a field `models`

from providers.adapters.registry import TYPES

_OWN_VARIABLES = re.compile(r"(SECRET_KEY|DATABASE_URL|REDIS_URL|GATEWAY_.*|DJANGO_.*)(_FILE)?")


def provider_types() -> list[tuple[str, str]]:
    return [(name, kind.label) for name, kind in TYPES.items()]


def validate_variable_name(value: str) -> None:
    """Refuses what is no variable's name, and the gateway's own secrets, which no vendor must ever see."""
    if not re.fullmatch(r"[A-Z][A-Z0-9_]*", value):
        raise ValidationError("Give the name of an environment variable, such as OPENAI_API_KEY; not the key itself.")
    if _OWN_VARIABLES.fullmatch(value):
        raise ValidationError("This variable is the gateway's own and is never sent to a provider.")


def validate_base_url(value: str) -> None:
    """Takes http(s)://host[:port][/path] and nothing more. Who may be reached is the egress guard's business."""
    try:
        url = urlsplit(value)
        port_is_valid = url.port is None or url.port > 0
        httpx.URL(value).host.encode("idna")
    except (ValueError, httpx.InvalidURL):
        raise ValidationError("This is no address; give one such as https://api.example.com/v1.") from None
    if url.scheme not in {"http", "https"} or not url.hostname or not port_is_valid:
        raise ValidationError(
            "Give an address that begins with http:// or https://, such as https://api.example.com/v1."
        )
    if "@" in url.netloc or url.query or url.fragment or re.search(r"[\s\\]", value):
        raise ValidationError("Give the address without user, password, query and fragment.")


class OnDisconnect(orm.TextChoices):
    """What becomes of the upstream call when the client leaves."""

    CANCEL = "cancel", "Cancel the call"
    DRAIN = "drain", "Read it to the end"
    KEEP = "keep", "Read it to the end and keep the answer"


def _seconds(default: float, help_text: str) -> "orm.FloatField[float, float]":
    return orm.FloatField(default=default, validators=[MinValueValidator(0.1)], help_text=help_text)


class Provider(orm.Model):
    """An AI service that calls are forwarded to. Its keys are rows of their own: ProviderKey."""

    name = orm.SlugField(max_length=64, unique=True, help_text="What callers name it by. In paths and in the ledger.")
    type = orm.CharField(max_length=32, choices=provider_types, help_text="Whose wire format it speaks.")
    description = orm.CharField(max_length=200, blank=True)
    base_url = orm.CharField(
        "base URL",
        max_length=500,
        blank=True,
        validators=[validate_base_url],
        help_text="Left empty: the vendor's own address.",
    )
    api_key_env = orm.CharField(
        "key from the environment",
        max_length=100,
        blank=True,
        validators=[validate_variable_name],
        help_text="Name of an environment variable that holds the key. Used when no key is stored here.",
    )
    default_model = orm.CharField(max_length=200, blank=True, help_text="Asked for when a caller names none.")
    models = orm.JSONField(
        default=list, blank=True, help_text='The models that callers may name, as a list: ["gpt-4o-mini"]. Empty: any.'
    )
    default_max_tokens = orm.PositiveIntegerField(
        default=4096,
        validators=[MinValueValidator(1)],
        help_text="Limit of an answer, in tokens, when a caller sets none.",
    )
    max_prompt_chars = orm.PositiveIntegerField(
        "longest prompt",
        default=400_000,
        validators=[MinValueValidator(1)],
        help_text="In characters, all messages together.",
    )
    enabled = orm.BooleanField(default=True)
    is_default = orm.BooleanField("default", default=False, help_text="Used when a caller names no provider.")
    allow_private_network = orm.BooleanField(
        default=False, help_text="Off: an address in a private, loopback or link-local network is refused."
    )
    on_disconnect = orm.CharField(max_length=8, choices=OnDisconnect, default=OnDisconnect.CANCEL)
    connect_timeout = _seconds(10.0, "Seconds to get a connection.")
    first_byte_timeout = _seconds(120.0, "Seconds from the connection to the answer's first byte.")
    gap_timeout = _seconds(120.0, "Seconds between two reads of an answer.")
    total_timeout = orm.FloatField(
        null=True,
        blank=True,
        validators=[MinValueValidator(0.1)],
        help_text="Seconds for the whole call. Empty: no limit.",
    )
    config = orm.JSONField(default=dict, blank=True, help_text="Settings of this type, as a JSON object.")
    created_at = orm.DateTimeField(auto_now_add=True)
    updated_at = orm.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("name",)
        constraints = [
            orm.UniqueConstraint(
                fields=["is_default"],
                condition=orm.Q(is_default=True),
                name="one_default_provider",
                violation_error_message="Another provider is the default. Take that away first.",
            )
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        super().clean()
        if not isinstance(self.models, list) or not all(isinstance(name, str) and name for name in self.models):
            raise ValidationError({"models": 'Give a list of names: ["gpt-4o-mini", "gpt-4o"].'})
        if not isinstance(self.config, dict):
            raise ValidationError({"config": "Give a JSON object."})
        known = TYPES[self.type].config if self.type in TYPES else {}
        for name, kind in known.items():
            if not isinstance(self.config.get(name, kind()), kind):
                wanted = {int: "a whole number", list: "a list"}.get(kind, "a string")
                raise ValidationError({"config": f"'{name}' must be {wanted}."})
