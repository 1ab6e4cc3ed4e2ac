"""GET, POST /api/quotas and one of them: the limits of everybody, for staff."""

from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import IntegrityError, transaction
from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import serializers, status
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import provider_names
from accounts.api.fields import AmountField, MomentField
from accounts.api.subjects import GroupField, StaffOnly, TokenField, UserField, user_named
from accounts.models import Quota, Unit, Window
from web.async_views import SiteView
from web.fields import StrictBooleanField, StrictCharField

TOTAL = "X-Total-Count"
_LISTED_MOST = 1000
_EXAMPLE = {"user": "ada", "provider": "openai", "unit": "cost", "window": "month", "limit": 20}


class ProviderNameField(StrictCharField):
    """A provider by name; null for all together."""

    def to_internal_value(self, data: Any) -> str:
        name = super().to_internal_value(data)
        if name and name not in provider_names.known():
            raise serializers.ValidationError(f"There is no provider '{name}'. GET /api/providers lists them.")
        return name

    def to_representation(self, value: Any) -> Any:
        return value or None


class QuotaSerializer(serializers.Serializer[Any]):
    """A limit of one user, one group or one token; without any of them, the default of each user."""

    id = serializers.IntegerField(read_only=True)
    user = UserField(allow_null=True, default=None, help_text="A user, by name.")
    group = GroupField(allow_null=True, default=None, help_text="A group, by name: its members together.")
    token = TokenField(allow_null=True, default=None, help_text="An API token, by its id.")
    provider = ProviderNameField(
        allow_null=True, allow_blank=True, default=None, help_text="A provider, by name; null: all together."
    )
    unit = serializers.ChoiceField(choices=Unit.choices)
    window = serializers.ChoiceField(
        choices=Window.choices, required=False, help_text="May be left out for concurrency, which has none."
    )
    limit = AmountField(help_text="A whole number; of a cost, an amount in the currency of the prices. 0: nothing.")
    until = MomentField(
        allow_null=True, default=None, help_text="A temporary limit: until then it stands in place of the one without."
    )
    allow_unpriced = StrictBooleanField(
        default=False, help_text="For a cost: lets calls pass whose price is unknown. They then count nothing."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not self.partial and "window" not in attrs:
            if attrs["unit"] != Unit.CONCURRENCY:
                raise serializers.ValidationError({"window": f"Give one of {', '.join(Window.values)}."})
            attrs["window"] = Window.TOTAL
        if "provider" in attrs:
            attrs["provider"] = attrs["provider"] or ""
        if self.instance is not None and not self.initial_data.keys() & _SUBJECTS:
            attrs = {name: value for name, value in attrs.items() if name not in _SUBJECTS}  # it stays whose it is
        return attrs

    def create(self, validated_data: dict[str, Any]) -> Quota:
        return self.update(Quota(), validated_data)

    def update(self, instance: Quota, validated_data: dict[str, Any]) -> Quota:
        for name, value in validated_data.items():
            setattr(instance, name, value)
        try:
            instance.full_clean()
            with transaction.atomic():
                instance.save()
        except DjangoValidationError as error:
            told = error.message_dict
            raise serializers.ValidationError({_FIELDS.get(name, name): told[name] for name in told}) from error
        except IntegrityError as error:  # another one like it was saved in between
            raise serializers.ValidationError("There is such a quota already. Change that one.") from error
        return instance


_SUBJECTS = {"user", "group", "token"}
_FIELDS = {"__all__": "non_field_errors"}


class _PageSerializer(serializers.Serializer[Any]):
    limit = serializers.IntegerField(default=100, min_value=1, max_value=_LISTED_MOST)
    offset = serializers.IntegerField(default=0, min_value=0, max_value=2**31)


class QuotaBase(SiteView):
    permission_classes = (IsAuthenticated, StaffOnly)

    def row(self, key: int) -> Quota:
        quota = Quota.objects.select_related("user", "group", "token").filter(pk=key).first()
        if quota is None:
            raise Http404
        return quota


@extend_schema_view(
    get=extend_schema(
        operation_id="list_quotas",
        summary="List quotas, in the order in which they were made",
        parameters=[
            _PageSerializer,
            OpenApiParameter("user", str, description="Only those of this user, by name."),
            OpenApiParameter(
                TOTAL, OpenApiTypes.INT, "header", response=True, description="How many there are in all."
            ),
        ],
        responses=QuotaSerializer(many=True),
    ),
    post=extend_schema(
        operation_id="create_quota",
        summary="Set a quota, which counts from this moment on",
        request=QuotaSerializer,
        responses={201: QuotaSerializer},
        examples=[OpenApiExample("Twenty a month for one person at one provider", _EXAMPLE, request_only=True)],
    ),
)
class QuotaList(QuotaBase):
    def get(self, request: Request) -> Response:
        page = _PageSerializer(data=request.query_params)
        page.is_valid(raise_exception=True)
        limit, offset = page.validated_data["limit"], page.validated_data["offset"]
        quotas = Quota.objects.select_related("user", "group", "token").order_by("pk")
        if "user" in request.query_params:
            quotas = quotas.filter(user=user_named(request.query_params["user"]))
        shown = QuotaSerializer(quotas[offset : offset + limit], many=True).data
        return Response(shown, headers={TOTAL: str(quotas.count())})

    def post(self, request: Request) -> Response:
        serializer = QuotaSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        serializer.save()
        return Response(serializer.data, status=status.HTTP_201_CREATED)


@extend_schema_view(
    get=extend_schema(operation_id="get_quota", summary="Show a quota", responses=QuotaSerializer),
    put=extend_schema(
        operation_id="update_quota",
        summary="Replace a quota; what was counted stays",
        request=QuotaSerializer,
        responses=QuotaSerializer,
    ),
    patch=extend_schema(
        operation_id="patch_quota",
        summary="Change a quota; what is left out, and what was counted, stays",
        request=QuotaSerializer(partial=True),
        responses=QuotaSerializer,
    ),
    delete=extend_schema(operation_id="delete_quota", summary="Delete a quota", responses={204: None}),
)
class QuotaDetail(QuotaBase):
    def get(self, request: Request, id: int) -> Response:
        return Response(QuotaSerializer(self.row(id)).data)

    def put(self, request: Request, id: int) -> Response:
        return self._change(request, id, partial=False)

    def patch(self, request: Request, id: int) -> Response:
        return self._change(request, id, partial=True)

    def _change(self, request: Request, id: int, *, partial: bool) -> Response:
        serializer = QuotaSerializer(self.row(id), data=request.data, partial=partial)
        serializer.is_valid(raise_exception=True)
        serializer.save()
        return Response(serializer.data)

    def delete(self, request: Request, id: int) -> Response:
        self.row(id).delete()
        return Response(status=status.HTTP_204_NO_CONTENT)
