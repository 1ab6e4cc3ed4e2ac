"""The providers API: anybody who may call may read, staff may write. The names are the provider kit's."""

from typing import Any

from asgiref.sync import async_to_sync
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.permissions import SAFE_METHODS, BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from providers import directory, health, trial
from providers.api.serializers import (
    ProviderHealthSerializer,
    ProviderSerializer,
    TestRequestSerializer,
    TestResultSerializer,
)
from providers.errors import ProviderNotFound
from providers.models import Provider
from web.async_views import SiteView


class StaffWrites(BasePermission):
    """Reading for every caller, everything else for staff."""

    message = "Only staff may change or test providers."

    def has_permission(self, request: Request, view: APIView) -> bool:
        return request.method in SAFE_METHODS or request.user.is_staff


class ProviderBase(SiteView):
    permission_classes = (IsAuthenticated, StaffWrites)

    def rows(self) -> QuerySet[Provider]:
        return Provider.objects.prefetch_related("keys")

    def row(self, name: str) -> Provider:
        row = self.rows().filter(name=name).first()
        if row is None or not self.principal.may_see(name):
            raise ProviderNotFound(name)
        return row

    def shown(self, *providers: Provider) -> list[Any]:
        """Providers as callers see them, with what a free probe says of each."""
        found = async_to_sync(health.check_all)([directory.endpoint(row) for row in providers if row.enabled])
        return list(ProviderSerializer(providers, many=True, context={"health": found}).data)


@extend_schema_view(
    get=extend_schema(operation_id="list_providers", summary="List providers", responses=ProviderSerializer(many=True)),
    post=extend_schema(
        operation_id="create_provider",
        summary="Add a provider",
        request=ProviderSerializer,
        responses={201: ProviderSerializer},
    ),
)
class ProviderList(ProviderBase):
    def get(self, request: Request) -> Response:
        return Response(self.shown(*(row for row in self.rows() if self.principal.may_see(row.name))))

    def post(self, request: Request) -> Response:
        serializer = ProviderSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        provider = serializer.save()
        return Response(self.shown(provider)[0], status=status.HTTP_201_CREATED)


_UPDATE = extend_schema(
    summary="Change a provider; what is left out stays as it is",
    request=ProviderSerializer(partial=True),
    responses=ProviderSerializer,
)


@extend_schema_view(
    get=extend_schema(operation_id="get_provider", summary="Show a provider", responses=ProviderSerializer),
    put=extend_schema(operation_id="update_provider"),
    patch=extend_schema(operation_id="patch_provider"),
    delete=extend_schema(operation_id="delete_provider", summary="Delete a provider", responses={204: None}),
)
class ProviderDetail(ProviderBase):
    def get(self, request: Request, name: str) -> Response:
        return Response(self.shown(self.row(name))[0])

    @_UPDATE
    def put(self, request: Request, name: str) -> Response:
        """As in the provider kit, PUT merges: there is no way to send a key back that was never shown."""
        serializer = ProviderSerializer(self.row(name), data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        serializer.save()
        return Response(self.shown(self.row(name))[0])

    @_UPDATE
    def patch(self, request: Request, name: str) -> Response:
        return self.put(request, name)

    def delete(self, request: Request, name: str) -> Response:
        self.row(name).delete()
        return Response(status=status.HTTP_204_NO_CONTENT)


class ProviderHealth(ProviderBase):
    @extend_schema(
        operation_id="provider_health", summary="Probe a provider, free of charge", responses=ProviderHealthSerializer
    )
    def get(self, request: Request, name: str) -> Response:
        found = async_to_sync(health.check)(directory.endpoint(self.row(name)), fresh=request.user.is_staff)
        return Response(
            {
                "status": "healthy" if found.healthy else "unhealthy",
                "message": found.message,
                "latency": found.latency_ms,
                "latency_ms": found.latency_ms,
            }
        )


class ProviderTest(ProviderBase):
    @extend_schema(
        operation_id="test_provider",
        summary="Test a provider with a real, small generation",
        request=TestRequestSerializer,
        responses=TestResultSerializer,
    )
    def post(self, request: Request, name: str) -> Response:
        serializer = TestRequestSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        return Response(trial.run(self.principal, self.row(name), **serializer.validated_data))
