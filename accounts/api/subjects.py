"""Whom a request is about: its caller, or for staff anybody."""

from typing import Any

from django.contrib.auth.models import Group
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.errors import NotPermitted
from accounts.models import ApiToken, User
from accounts.principal import Principal
from web.fields import StrictCharField, StrictIntegerField
from web.problems import InvalidRequest

USER = OpenApiParameter("user", str, description="The name of another user, for staff.")


_NO_USER = "There is no user '{}'. Users are listed in the admin."


class StaffOnly(BasePermission):
    message = "Only staff may read and set everybody's quotas. Your own are at /api/quota."

    def has_permission(self, request: Request, view: APIView) -> bool:
        return bool(request.user.is_staff)


def user_named(name: str) -> User:
    """Raises InvalidRequest."""
    user = _find_user(name)
    if user is None:
        raise InvalidRequest(_NO_USER.format(name))
    return user


def asked_about(request: Request, caller: Principal) -> Principal:
    """The caller, or the user whom `?user=` names. Raises NotPermitted, InvalidRequest."""
    name = request.query_params.get("user")
    if name is None or name == caller.username:
        return caller
    if not caller.is_staff:
        raise NotPermitted("Only staff may ask about others. Leave `user` out to ask about yourself.")
    user = user_named(name)
    return Principal(user.pk, user.username, user.is_staff)


class UserField(StrictCharField):
    """A user by name."""

    def to_internal_value(self, data: Any) -> Any:
        name = super().to_internal_value(data)
        user = _find_user(name)
        if user is None:
            raise serializers.ValidationError(_NO_USER.format(name))
        return user

    def to_representation(self, value: Any) -> str:
        return str(value.username)


class GroupField(StrictCharField):
    """A group by name."""

    def to_internal_value(self, data: Any) -> Any:
        name = super().to_internal_value(data)
        group = Group.objects.filter(name=name).first() if "\0" not in name else None
        if group is None:
            raise serializers.ValidationError(f"There is no group '{name}'. Groups are made in the admin.")
        return group

    def to_representation(self, value: Any) -> str:
        return str(value.name)


class TokenField(StrictIntegerField):
    """An API token by its id."""

    def to_internal_value(self, data: Any) -> Any:
        key = super().to_internal_value(data)
        token = ApiToken.objects.filter(pk=key).first() if 0 < key < 2**63 else None
        if token is None:
            raise serializers.ValidationError(f"There is no token {key}. Tokens and their ids are in the admin.")
        return token

    def to_representation(self, value: Any) -> int:
        return int(value.pk)


def _find_user(name: str) -> User | None:
    return User.objects.filter(username=name).first() if "\0" not in name else None  # PostgreSQL takes no such text
