"""Lists that limit a credential: providers, models, endpoints."""

from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from rest_framework import serializers

from accounts import provider_names
from accounts.scopes import ENDPOINTS, validate_addresses, validate_endpoints, validate_names
from web.fields import StrictCharField


class _NamesField(serializers.ListField):
    """A list of texts, each once, that `check` has nothing against."""

    child: serializers.Field[Any, Any, Any, Any] = StrictCharField(max_length=200)

    def to_internal_value(self, data: Any) -> list[Any]:
        names = [*dict.fromkeys(super().to_internal_value(data))]
        try:
            self.check(names)
        except DjangoValidationError as error:
            raise serializers.ValidationError(error.messages) from error
        return names

    def run_child_validation(self, data: list[Any]) -> list[Any]:
        """What is wrong with the first that is wrong; JSON has no numbers for names, by which DRF tells them apart."""
        return [self.child.run_validation(item) for item in data]

    def check(self, names: list[Any]) -> None:
        """Raises Django's ValidationError."""
        validate_names(names)


class ModelsField(_NamesField):
    """Models: any text may be the name of one."""


class AddressesField(_NamesField):
    def check(self, names: list[Any]) -> None:
        validate_addresses(names)


class EndpointsField(_NamesField):
    child = serializers.ChoiceField(choices=list(ENDPOINTS))

    def check(self, names: list[Any]) -> None:
        validate_endpoints(names)


class ProvidersField(_NamesField):
    def check(self, names: list[Any]) -> None:
        super().check(names)
        unknown = sorted(set(names) - set(provider_names.known())) if names else []
        if unknown:
            raise DjangoValidationError(f"There is no provider '{unknown[0]}'. GET /api/providers lists them.")
