"""What monitors and load balancers ask: /health, /status, /version, /ready. Public, and in the gateway lane."""

import time
from typing import Any

from django.conf import settings
from django.db import connection
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from providers import directory, health
from storage import reads
from web.async_views import GatewayView
from web.public_paths import OpenWhereSet
from web.shutdown import ServerStopping, shutdown

_started = time.monotonic()


class StatusView(OpenWhereSet, GatewayView):
    open_path = "/status"

    @extend_schema(
        operation_id="status",
        summary="Whether the process is alive",
        responses=inline_serializer("Status", {"status": serializers.CharField()}),
    )
    async def get(self, request: Request) -> Response:
        return Response({"status": "ok"})


class VersionView(OpenWhereSet, GatewayView):
    open_path = "/version"

    @extend_schema(
        operation_id="version",
        summary="Which version runs",
        responses=inline_serializer("Version", {"version": serializers.CharField()}),
    )
    async def get(self, request: Request) -> Response:
        return Response({"version": settings.GATEWAY_VERSION})


class ReadyView(GatewayView):
    authentication_classes = ()  # always: a load balancer that may not ask would take the server for a dead one
    permission_classes = ()

    @extend_schema(
        operation_id="ready",
        summary="Whether calls can be served: 503 without the database, and once the server is stopping",
        responses=inline_serializer("Ready", {"status": serializers.CharField()}),
    )
    async def get(self, request: Request) -> Response:
        if shutdown.begun:
            raise ServerStopping
        await reads.read(_ask_database)
        return Response({"status": "ready"})


class HealthView(OpenWhereSet, GatewayView):
    open_path = "/health"

    @extend_schema(
        operation_id="health",
        summary="How the providers are, found out without paid calls",
        responses=inline_serializer(
            "Health",
            {
                "status": serializers.ChoiceField(choices=["healthy", "degraded", "unhealthy"]),
                "version": serializers.CharField(),
                "uptime": serializers.CharField(),
                "providers": serializers.DictField(),
            },
        ),
    )
    async def get(self, request: Request) -> Response:
        known = await directory.current()
        found = await health.check_all([endpoint for endpoint in known.values() if endpoint.enabled])
        well = sum(one.healthy for one in found.values())
        overall = "healthy" if well == len(found) else "degraded" if well else "unhealthy"
        providers: dict[str, Any] = {
            name: {"status": "ok", "latency_ms": one.latency_ms}
            if one.healthy
            else {"status": "unhealthy", "latency_ms": one.latency_ms, "message": one.message}
            for name, one in found.items()
        }
        return Response(
            {
                "status": overall,
                "version": settings.GATEWAY_VERSION,
                "uptime": duration(time.monotonic() - _started),
                "providers": providers,
            }
        )


def _ask_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def duration(seconds: float) -> str:
    """A duration as the provider kit writes it: `2h15m30.1s`, `15m0s`, `12.5s`."""
    hours, rest = divmod(round(seconds, 1), 3600)
    minutes, rest = divmod(rest, 60)
    tail = f"{rest:.1f}".removesuffix(".0") + "s"
    return f"{hours:.0f}h{minutes:.0f}m{tail}" if hours else f"{minutes:.0f}m{tail}" if minutes else tail
