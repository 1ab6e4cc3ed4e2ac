"""rotate_encryption_keys: after it, the first key on the list is enough."""

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from pytest_django import Settings

from providers.models import Provider, ProviderKey
from tests.unit.test_encryption import CLEAR, again, key_of, new_key, provider, row

__all__ = ["provider", "row"]
pytestmark = pytest.mark.django_db


def test_all_secrets_are_encrypted_anew(
    row: ProviderKey, provider: Provider, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    other = key_of(provider, "another")
    other.save()
    before = settings.GATEWAY_ENCRYPTION_KEYS
    settings.GATEWAY_ENCRYPTION_KEYS = [new_key(), *before]
    call_command("rotate_encryption_keys")
    assert capsys.readouterr().out == "Encrypted anew: 2 secrets.\n"
    settings.GATEWAY_ENCRYPTION_KEYS = settings.GATEWAY_ENCRYPTION_KEYS[:1]  # the old one is off the list
    assert (again(row).secret, again(other).secret) == (CLEAR, "another")


def test_a_secret_that_no_key_fits_stays_and_is_named(
    row: ProviderKey, provider: Provider, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    before = settings.GATEWAY_ENCRYPTION_KEYS
    settings.GATEWAY_ENCRYPTION_KEYS = [new_key()]
    other = key_of(provider, "another")
    other.save()
    with pytest.raises(CommandError, match=f"No key on the list fits providers.ProviderKey {row.pk}. Put the key back"):
        call_command("rotate_encryption_keys")
    assert capsys.readouterr().out == "Encrypted anew: 1 secrets.\n"
    settings.GATEWAY_ENCRYPTION_KEYS = before
    assert again(row).secret == CLEAR
