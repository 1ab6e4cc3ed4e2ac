"""/api/tokens: a user's own API tokens. Staff may see and revoke those of others, and never a secret of theirs."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from django.http import Http404
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import issuing
from accounts.api.auth import NOT_KEPT
from accounts.api.fields import MomentField
from accounts.api.quotas import TOTAL
from accounts.api.subjects import USER, asked_about
from accounts.api.token_fields import AddressesField, EndpointsField, ModelsField, ProvidersField
from accounts.models import ApiToken
from web.async_views import SiteView
from web.fields import StrictCharField, StrictIntegerField

_LONGEST = 10 * 366 * 86_400  # seconds
_EXAMPLE = {"name": "nightly evaluation", "expires_in": 2_592_000, "providers": ["openai"], "endpoints": ["openai"]}


class ApiTokenSerializer(serializers.Serializer[Any]):
    """A token as it can be shown: its beginning, and what it is good for."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    shown = serializers.CharField(help_text="What the secret begins with.")
    state = serializers.ChoiceField(choices=["active", "expired", "revoked"])
    providers = serializers.ListField(child=serializers.CharField())
    models = serializers.ListField(child=serializers.CharField())
    endpoints = serializers.ListField(child=serializers.CharField())
    addresses = serializers.ListField(child=serializers.CharField())
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True, help_text="null: never.")
    last_used_at = serializers.DateTimeField(allow_null=True, help_text="null: never. Some seconds late.")
    last_used_from = serializers.CharField(allow_null=True, help_text="The address of that call.")
    previous_until = serializers.DateTimeField(
        allow_null=True, help_text="Until when the secret before the last rotation works, or worked."
    )


class IssuedTokenSerializer(ApiTokenSerializer):
    """A token with its secret, which is told this once."""

    token = serializers.CharField()


class TokenRequestSerializer(serializers.Serializer[Any]):
    """What a token is called, and what it is good for."""

    name = StrictCharField(max_length=100, help_text="What it is used for.")
    expires_at = MomentField(required=False, allow_null=True, help_text="When it ends; null or left out: never.")
    expires_in = StrictIntegerField(
        required=False, min_value=1, max_value=_LONGEST, help_text="The same as seconds from now."
    )
    providers = ProvidersField(required=False, help_text="Names of providers. Empty: all.")
    models = ModelsField(required=False, help_text="Models; `gpt-4o*` for all that begin so. Empty: all.")
    endpoints = EndpointsField(required=False, help_text="What may be called. Empty: all.")
    addresses = AddressesField(
        required=False, help_text="Addresses and networks that it may come from, as 10.0.0.0/8. Empty: all."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        seconds = attrs.pop("expires_in", None)
        if seconds is not None:
            if "expires_at" in attrs:
                raise serializers.ValidationError({"expires_in": "Give expires_at or expires_in, not both."})
            attrs["expires_at"] = timezone.now() + timedelta(seconds=seconds)
        return attrs


class RotationSerializer(serializers.Serializer[Any]):
    grace_seconds = StrictIntegerField(
        default=int(issuing.GRACE.total_seconds()),
        min_value=0,
        max_value=int(issuing.LONGEST_GRACE.total_seconds()),
        help_text="For how long the last secret works on.",
    )


class _PageSerializer(serializers.Serializer[Any]):
    limit = serializers.IntegerField(default=100, min_value=1, max_value=1000)
    offset = serializers.IntegerField(default=0, min_value=0, max_value=2**31)


@contextmanager
def _refusals() -> Iterator[None]:
    """Tells what the tokens' own rules refuse as what is wrong with the request."""
    try:
        yield
    except DjangoValidationError as error:
        told = error.message_dict if hasattr(error, "error_dict") else {"non_field_errors": error.messages}
        raise serializers.ValidationError(told) from error


def _issued(row: ApiToken, clear: str, code: int) -> Response:
    return Response({**ApiTokenSerializer(row).data, "token": clear}, status=code, headers=NOT_KEPT)


class _TokenView(SiteView):
    def row(self, key: int, *, of_anybody: bool = False) -> ApiToken:
        """A token of the caller's, or for staff where it may be of anybody. Raises Http404."""
        rows = ApiToken.objects.filter(pk=key)
        if not (of_anybody and self.principal.is_staff):
            rows = rows.filter(user=self.principal.user_id)
        found = rows.first()
        if found is None:
            raise Http404
        return found


@extend_schema_view(
    get=extend_schema(
        operation_id="list_tokens",
        summary="List API tokens, the newest first",
        parameters=[
            USER,
            _PageSerializer,
            OpenApiParameter(
                TOTAL, OpenApiTypes.INT, "header", response=True, description="How many there are in all."
            ),
        ],
        responses=ApiTokenSerializer(many=True),
    ),
    post=extend_schema(
        operation_id="create_token",
        summary="Make an API token; its secret is told this once",
        description="Made with a token that ends or is tied to addresses, it may not end later or come from elsewhere.",
        request=TokenRequestSerializer,
        responses={201: IssuedTokenSerializer},
        examples=[OpenApiExample("For one program, for a month", _EXAMPLE, request_only=True)],
    ),
)
class TokenList(_TokenView):
    def get(self, request: Request) -> Response:
        page = _PageSerializer(data=request.query_params)
        page.is_valid(raise_exception=True)
        limit, offset = page.validated_data["limit"], page.validated_data["offset"]
        tokens = ApiToken.objects.filter(user=asked_about(request, self.principal).user_id).order_by("-pk")
        shown = ApiTokenSerializer(tokens[offset : offset + limit], many=True).data
        return Response(shown, headers={TOTAL: str(tokens.count())})

    def post(self, request: Request) -> Response:
        given = TokenRequestSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        with _refusals():
            row, clear = issuing.make(self.principal, **given.validated_data)
        return _issued(row, clear, status.HTTP_201_CREATED)


@extend_schema_view(
    get=extend_schema(operation_id="get_token", summary="Show an API token", responses=ApiTokenSerializer),
    patch=extend_schema(
        operation_id="patch_token",
        summary="Change an API token's name or limits; what is left out stays",
        request=TokenRequestSerializer(partial=True),
        responses=ApiTokenSerializer,
    ),
    delete=extend_schema(
        operation_id="revoke_token",
        summary="Revoke an API token; what it has used stays on the books",
        responses={204: None},
    ),
)
class TokenDetail(_TokenView):
    def get(self, request: Request, id: int) -> Response:
        return Response(ApiTokenSerializer(self.row(id, of_anybody=True)).data)

    def patch(self, request: Request, id: int) -> Response:
        given = TokenRequestSerializer(data=request.data, partial=True)
        given.is_valid(raise_exception=True)
        with _refusals():
            row = issuing.change(self.principal, self.row(id), **given.validated_data)
        return Response(ApiTokenSerializer(row).data)

    def delete(self, request: Request, id: int) -> Response:
        issuing.revoke(self.row(id, of_anybody=True))
        return Response(status=status.HTTP_204_NO_CONTENT)


class TokenRotation(_TokenView):
    @extend_schema(
        operation_id="rotate_token",
        summary="Give an API token another secret, which is told this once",
        description="The last secret works on for the time of grace; the one before that is refused from now on.",
        request=RotationSerializer,
        responses=IssuedTokenSerializer,
    )
    def post(self, request: Request, id: int) -> Response:
        given = RotationSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        grace = timedelta(seconds=given.validated_data["grace_seconds"])
        with _refusals():
            row, clear = issuing.rotate(self.principal, self.row(id), grace)
        return _issued(row, clear, status.HTTP_200_OK)
