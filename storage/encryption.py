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


class Ciphertext(str):
    """What lies in the database, on its way through Python."""

    __slots__ = ()


class _Clear:
    """Decrypts when the attribute is read, not when the row is: a row can be listed, changed and deleted without."""

    def __init__(self, field: "EncryptedTextField") -> None:
        self._field = field

    def __get__(self, instance: models.Model | None, owner: type[models.Model] | None = None) -> Any:
        if instance is None:
            return self
        value = getattr(instance, self._field.attname)
        if not isinstance(value, Ciphertext):
            return value
        try:
            return cipher().decrypt(value.encode()).decode()
        except InvalidToken:
            raise SecretUnreadable(
                f"{self._field} was encrypted with a key that GATEWAY_ENCRYPTION_KEYS no longer lists. Put that key"
                " back at the end of the list."
            ) from None

    def __set__(self, instance: models.Model, value: Any) -> None:
        setattr(instance, self._field.attname, value)


class EncryptedTextField(models.TextField[str, str]):
    """Text that is clear in Python and never in the database, nor in a fixture.

    Like a foreign key it has two attributes. NAME is the clear text; reading it raises SecretUnreadable when no key
    fits: what cannot be decrypted is never passed on as if it were the secret. NAME_at_rest is what Django itself
    copies, stores and serializes: the ciphertext, as it came from the database, or what was set and is not saved yet.
    Type checkers know only the second as an argument of the model; set the first as an attribute.

    It cannot be searched: the same text is encrypted differently each time. `values()` and `values_list()` give the
    ciphertext. `dumpdata` writes it behind a mark, by which `loaddata` knows it and stores it again; what stands in a
    fixture without the mark is clear, and is encrypted when it is stored.
    """

    _MARK = "fernet:"  # nobody's keys begin so, and `clean` does not look for it

    def get_attname(self) -> str:
        return f"{self.name}_at_rest"

    def get_attname_column(self) -> tuple[str, str]:
        return self.get_attname(), self.db_column or self.name

    def contribute_to_class(self, cls: type[models.Model], name: str, private_only: bool = False) -> None:
        super().contribute_to_class(cls, name, private_only)
        setattr(cls, name, _Clear(self))

    def from_db_value(self, value: str | None, _expression: Any, _connection: BaseDatabaseWrapper) -> str | None:
        return None if value is None else Ciphertext(value)

    def get_prep_value(self, value: Any) -> Any:
        if value is None or isinstance(value, Ciphertext):
            return value
        return cipher().encrypt(str(value).encode()).decode()

    def value_to_string(self, obj: models.Model) -> str:
        return f"{self._MARK}{self.get_prep_value(self.value_from_object(obj))}"

    def to_python(self, value: Any) -> Any:
        """What a fixture holds."""
        if isinstance(value, str) and value.startswith(self._MARK):
            return Ciphertext(value.removeprefix(self._MARK))
        return value

    def clean(self, value: Any, model_instance: models.Model | None) -> Any:
        """Never makes ciphertext of what somebody typed: it could be another's, copied from a fixture."""
        if not isinstance(value, Ciphertext):  # that one was looked at before it was stored
            self.validate(value, model_instance)
            self.run_validators(value)
        return value

    def get_lookup(self, lookup_name: str) -> Any:
        return None if lookup_name != "isnull" else super().get_lookup(lookup_name)
