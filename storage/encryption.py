"""Secrets at rest: encrypted with the newest of GATEWAY_ENCRYPTION_KEYS, readable with any of them."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from storage.errors import SecretUnreadable


@lru_cache(maxsize=8)
def _cipher(keys: Sequence[str]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def cipher() -> MultiFernet:
    """The cipher for the keys that are configured now."""
    return _cipher(tuple(settings.GATEWAY_ENCRYPTION_KEYS))


class EncryptedTextField(models.TextField[str, str]):
    """Text that is clear in Python and never in the database.

    Reading raises SecretUnreadable when no key fits: a value that cannot be decrypted is never passed on as if it
    were the secret. It cannot be searched: the same text is encrypted differently each time.
    """

    def from_db_value(self, value: str | None, _expression: Any, _connection: BaseDatabaseWrapper) -> str | None:
        if value is None:
            return None
        try:
            return cipher().decrypt(value.encode()).decode()
        except InvalidToken:
            raise SecretUnreadable(
                f"The field {self.name} was encrypted with a key that GATEWAY_ENCRYPTION_KEYS no longer"
                " lists. Put that key back at the end of the list."
            ) from None

    def get_prep_value(self, value: Any) -> Any:
        text = super().get_prep_value(value)
        return text if text is None else cipher().encrypt(text.encode()).decode()

    def get_lookup(self, lookup_name: str) -> Any:
        return None if lookup_name != "isnull" else super().get_lookup(lookup_name)
