"""Secrets at rest: encrypted with the newest of GATEWAY_ENCRYPTION_KEYS, readable with any of them."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.query_utils import DeferredAttribute

from storage.errors import SecretUnreadable


@lru_cache(maxsize=8)
def _cipher(keys: Sequence[str]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def cipher() -> MultiFernet:
    """The cipher for the keys that are configured now."""
    return _cipher(tuple(settings.GATEWAY_ENCRYPTION_KEYS))


class Ciphertext(str):
    """What lies in the database, on its way through Python."""

    __slots__ = ()


class _ClearOnAccess(DeferredAttribute):
    """Decrypts when the attribute is read, not when the row is: a row can be listed, changed and deleted without."""

    def __get__(self, instance: models.Model | None, owner: type[models.Model] | None = None) -> Any:
        value = super().__get__(instance, owner)
        if not isinstance(value, Ciphertext):
            return value
        try:
            return cipher().decrypt(value.encode()).decode()
        except InvalidToken:
            raise SecretUnreadable(
                f"{self.field} was encrypted with a key that GATEWAY_ENCRYPTION_KEYS no longer lists. Put that key back"
                " at the end of the list."
            ) from None

    def __set__(self, instance: models.Model, value: Any) -> None:
        instance.__dict__[self.field.attname] = value  # having __set__ is what makes __get__ come before the dict


class EncryptedTextField(models.TextField[str, str]):
    """Text that is clear in Python and never in the database.

    Reading the attribute raises SecretUnreadable when no key fits: what cannot be decrypted is never passed on as if
    it were the secret. It cannot be searched: the same text is encrypted differently each time.
    """

    descriptor_class = _ClearOnAccess

    def from_db_value(self, value: str | None, _expression: Any, _connection: BaseDatabaseWrapper) -> str | None:
        return None if value is None else Ciphertext(value)

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        return model_instance.__dict__[self.attname]  # an unread ciphertext is stored again as it is

    def get_prep_value(self, value: Any) -> Any:
        if value is None or isinstance(value, Ciphertext):
            return value
        return cipher().encrypt(str(value).encode()).decode()

    def get_lookup(self, lookup_name: str) -> Any:
        return None if lookup_name != "isnull" else super().get_lookup(lookup_name)
