"""/api/auth: JSON Web Tokens for a name and a password, in simplejwt's shapes, and passes for browsers."""

from typing import Any

import orjson
from django.contrib.auth import authenticate
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiExample, extend_schema, inline_serializer
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import lockout, passes, refreshing
from accounts.api.token_fields import EndpointsField, ModelsField, ProvidersField
from accounts.errors import NotAuthenticated
from accounts.models import User
from web.async_views import SiteView
from web.fields import StrictCharField, StrictIntegerField
from web.problems import InvalidRequest

NOT_KEPT = {"Cache-Control": "no-store", "Pragma": "no-cache"}  # RFC 6749, 5.1
_LONGEST_PASS = 6000  # characters: servers take lines of some 8 kB
_WRONG = "This name and this password do not go together, or the account is disabled."


class CredentialsSerializer(serializers.Serializer[Any]):
    username = StrictCharField(max_length=150, trim_whitespace=False)
    password = StrictCharField(max_length=4096, trim_whitespace=False, write_only=True)


class RefreshSerializer(serializers.Serializer[Any]):
    refresh = StrictCharField(help_text="The refresh token of the last pair.")


PairSerializer = inline_serializer(
    "TokenPair",
    {
        "access": serializers.CharField(help_text="For calls: `Authorization: Bearer <access>`. Good for 15 minutes."),
        "refresh": serializers.CharField(help_text="To be exchanged for the next pair, once, within 14 days."),
    },
)
NothingSerializer = inline_serializer("Nothing", {})


class _Unenveloped(SiteView):
    """A view that anybody may ask, and whose answers have simplejwt's shapes. Errors are in the envelope."""

    authentication_classes = ()
    permission_classes = ()
    is_enveloped = False

    def answer(self, data: dict[str, str]) -> HttpResponse:
        return HttpResponse(orjson.dumps(data), content_type="application/json", headers=NOT_KEPT)

    def refresh_token(self, request: Request) -> str:
        """The one in the body."""
        given = RefreshSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        token: str = given.validated_data["refresh"]
        return token


class PairView(_Unenveloped):
    @extend_schema(
        operation_id="obtain_tokens",
        summary="Sign in: an access and a refresh token for a name and a password",
        request=CredentialsSerializer,
        responses=PairSerializer,
    )
    def post(self, request: Request) -> HttpResponse:
        lockout.guard(request._request, "token")
        given = CredentialsSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        user = authenticate(request._request, **given.validated_data)
        if not isinstance(user, User):
            lockout.check(request._request, given.validated_data["username"])
            raise NotAuthenticated(_WRONG)
        return self.answer(refreshing.begin(user, request._request)._asdict())


class RefreshView(_Unenveloped):
    @extend_schema(
        operation_id="refresh_tokens",
        summary="The next access and refresh token for a refresh token",
        description="A refresh token is good once. One that comes a second time ends its sign-in, and with it all that"
        " was handed out for it: somebody else may have it.",
        request=RefreshSerializer,
        responses=PairSerializer,
    )
    def post(self, request: Request) -> HttpResponse:
        return self.answer(refreshing.renew(self.refresh_token(request))._asdict())


class RevokeView(_Unenveloped):
    @extend_schema(
        operation_id="revoke_tokens",
        summary="Sign out: end the sign-in of a refresh token",
        request=RefreshSerializer,
        responses=NothingSerializer,
    )
    def post(self, request: Request) -> HttpResponse:
        refreshing.end(self.refresh_token(request))
        return self.answer({})


class OriginField(StrictCharField):
    """An origin, as browsers send it."""

    def to_internal_value(self, data: Any) -> str:
        try:
            return passes.normal_origin(super().to_internal_value(data))
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from error


class PassEndpointsField(EndpointsField):
    """All but the one that hands out passes."""

    def to_internal_value(self, data: Any) -> list[Any]:
        endpoints = super().to_internal_value(data)
        if passes.HANDING_OUT in endpoints:
            raise serializers.ValidationError("A pass hands out no others.")
        return endpoints


class PassSerializer(serializers.Serializer[Any]):
    providers = ProvidersField(required=False, help_text="Names of providers. Empty: all that the credential may use.")
    models = ModelsField(
        required=False, help_text="Models; `gpt-4o*` for all that begin so. Empty: all that the credential may use."
    )
    endpoints = PassEndpointsField(
        required=False, allow_empty=False, help_text=f"Left out: {', '.join(passes.USUAL_ENDPOINTS)}."
    )
    origin = OriginField(
        required=False,
        allow_null=True,
        help_text="The origin of the page that it is for. Left out: the request's own. null: pages of any origin.",
    )
    lifetime = StrictIntegerField(
        default=passes.LIFETIME, min_value=passes.SHORTEST, max_value=passes.LONGEST, help_text="In seconds."
    )


class MadePassSerializer(serializers.Serializer[Any]):
    token = serializers.CharField(help_text="Sent by the page as `Authorization: Bearer <token>`.")
    expires_at = serializers.DateTimeField()
    providers = serializers.ListField(child=serializers.CharField())
    models = serializers.ListField(child=serializers.CharField())
    endpoints = serializers.ListField(child=serializers.CharField())
    origin = serializers.CharField(allow_null=True)


class BrowserTokenView(SiteView):
    @extend_schema(
        operation_id="make_browser_token",
        summary="A short-lived pass that a server hands to a page of its own",
        description="It is good for no more than the credential that asks, and ends with it. A pass makes no others.",
        request=PassSerializer,
        responses={201: MadePassSerializer},
        examples=[
            OpenApiExample(
                "For an editor in the browser",
                {"providers": ["openai"], "endpoints": ["proxy"], "origin": "https://app.example.com"},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request) -> Response:
        given = PassSerializer(data=self._with_own_origin(request))
        given.is_valid(raise_exception=True)
        asked = passes.Asked(**given.validated_data)
        made = passes.make(self.principal, asked)
        if len(made.token) > _LONGEST_PASS:
            raise InvalidRequest("A pass for so many names fits into no header. Name fewer, or use `*`.")
        told = {
            "token": made.token,
            "expires_at": made.expires_at,
            "providers": asked.providers,
            "models": asked.models,
            "endpoints": made.endpoints,
            "origin": asked.origin,
        }
        return Response(told, status=status.HTTP_201_CREATED, headers=NOT_KEPT)

    def _with_own_origin(self, request: Request) -> Any:
        own, data = request.headers.get("origin"), request.data
        return data if own is None or "origin" in data else {**dict(data), "origin": own}
