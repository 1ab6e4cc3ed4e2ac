"""GET /api/usage and /api/quota: what somebody has used, and what is left."""

from datetime import datetime
from typing import Any, get_args

from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import standing, usage
from accounts.api.fields import MomentField
from accounts.api.subjects import USER, asked_about
from accounts.models import ApiToken, Unit, Window
from web.amounts import number
from web.async_views import SiteView

_COUNTS = (
    "calls",
    "open_calls",
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "reserved_tokens",
    "calls_without_price",
    "estimated_calls",
)
_COST = serializers.FloatField(help_text="In the currency beside it; of the calls whose price is known.")


class UsageQuerySerializer(serializers.Serializer[Any]):
    since = MomentField(required=False, help_text="Calls that were opened from then on. A date is its beginning, UTC.")
    until = MomentField(required=False, help_text="Calls that were opened before then.")
    group_by = serializers.ChoiceField(
        choices=get_args(usage.Grouping), default="model", help_text="What the breakdown tells apart."
    )


_SUMS: dict[str, Any] = {**{name: serializers.IntegerField() for name in _COUNTS}, "cost": _COST}
TotalsSerializer = inline_serializer("UsageTotals", _SUMS)
BreakdownSerializer = inline_serializer(
    "UsageBreakdown",
    {
        "provider": serializers.CharField(required=False, help_text="By provider and by model."),
        "model": serializers.CharField(required=False, help_text="By model."),
        "day": serializers.DateField(required=False, help_text="By day, in UTC."),
        "token": serializers.IntegerField(
            required=False, allow_null=True, help_text="By token: its id; null for a session."
        ),
        "token_name": serializers.CharField(required=False, allow_null=True, help_text="By token."),
        "state": serializers.CharField(
            required=False, allow_null=True, help_text="By state; null for calls that are not kept one by one any more."
        ),
        **_SUMS,
    },
)


class UsageReportSerializer(serializers.Serializer[Any]):
    user = serializers.CharField()
    since = serializers.DateTimeField(allow_null=True)
    until = serializers.DateTimeField(allow_null=True)
    currency = serializers.CharField(help_text="As in ISO 4217.")
    totals = TotalsSerializer
    group_by = serializers.ChoiceField(choices=get_args(usage.Grouping))
    breakdown = serializers.ListField(child=BreakdownSerializer)


class UsageView(SiteView):
    @extend_schema(
        operation_id="get_usage",
        summary="What was used: totals and a breakdown",
        description="Each call counts once, from its admission on; open ones with what is known of them so far.",
        parameters=[USER, UsageQuerySerializer],
        responses=UsageReportSerializer,
    )
    def get(self, request: Request) -> Response:
        query = UsageQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        who = asked_about(request, self.principal)
        grouping: usage.Grouping = query.validated_data["group_by"]
        since: datetime | None = query.validated_data.get("since")
        until: datetime | None = query.validated_data.get("until")
        found = usage.report(who.user_id, grouping, since, until)
        breakdown = [{**key, **_shown(sums)} for key, sums in found.breakdown]
        if grouping == "token":
            _name_tokens(breakdown)
        return Response(
            {
                "user": who.username,
                "since": since,
                "until": until,
                "currency": usage.currency(),
                "totals": _shown(found.totals),
                "group_by": grouping,
                "breakdown": breakdown,
            }
        )


def _shown(sums: usage.Sums) -> dict[str, int | float]:
    return {**{name: getattr(sums, name) for name in _COUNTS}, "cost": number(sums.cost)}


def _name_tokens(breakdown: list[dict[str, Any]]) -> None:
    keys = [group["token"] for group in breakdown]
    names = dict(ApiToken.objects.filter(pk__in=keys).values_list("pk", "name"))
    for group in breakdown:
        group["token_name"] = names.get(group["token"])


class StandingSerializer(serializers.Serializer[Any]):
    subject = serializers.ChoiceField(choices=["user", "group", "token"], help_text="Whose limit it is.")
    group = serializers.CharField(allow_null=True, help_text="The group's name, where it is a group's.")
    provider = serializers.CharField(allow_null=True, help_text="null: all together.")
    unit = serializers.ChoiceField(choices=Unit.choices)
    window = serializers.ChoiceField(choices=Window.choices)
    limit = serializers.FloatField()
    used = serializers.FloatField()
    reserved = serializers.FloatField(help_text="By calls that are running.")
    remaining = serializers.FloatField()
    resets_at = serializers.DateTimeField(allow_null=True, help_text="null: it never begins anew.")
    until = serializers.DateTimeField(allow_null=True, help_text="When the limit itself ends, if it is temporary.")
    currency = serializers.CharField(allow_null=True, help_text="Of a cost, as in ISO 4217.")


class StandingView(SiteView):
    @extend_schema(
        operation_id="get_standing",
        summary="What is left: every limit that holds for the caller, and how it stands",
        description="Everybody's defaults are among a user's own limits. A token is told of its own limits too.",
        parameters=[USER],
        responses=StandingSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        found = standing.standings(asked_about(request, self.principal))
        currency = usage.currency() if any(one.unit == Unit.COST for one in found) else None
        return Response([_told(one, currency) for one in found])


def _told(one: standing.QuotaStanding, currency: str | None) -> dict[str, Any]:
    return {
        "subject": one.subject,
        "group": one.group or None,
        "provider": one.provider or None,
        "unit": one.unit,
        "window": one.window,
        "limit": number(one.limit),
        "used": number(one.used),
        "reserved": number(one.reserved),
        "remaining": number(one.remaining),
        "resets_at": one.resets_at,
        "until": one.until,
        "currency": currency if one.unit == Unit.COST else None,
    }
