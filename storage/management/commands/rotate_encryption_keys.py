from typing import Any

from cryptography.fernet import InvalidToken
from django.apps import apps
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.db.models import Model

from storage.encryption import Ciphertext, EncryptedTextField, cipher


class Command(BaseCommand):
    help = (
        "Encrypts every stored secret anew with the first of GATEWAY_ENCRYPTION_KEYS. After that the others may be"
        " taken off the list. Servers may run meanwhile, with the same list."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        done, unreadable = 0, []
        for model in apps.get_models():
            for field in model._meta.concrete_fields:
                if isinstance(field, EncryptedTextField):
                    for key in list(model._base_manager.values_list("pk", flat=True)):
                        try:
                            done += _rotate(model, field, key)
                        except InvalidToken:
                            unreadable.append(f"{model._meta.label} {key}")
        self.stdout.write(f"Encrypted anew: {done} secrets.")
        if unreadable:
            raise CommandError(
                f"No key on the list fits {', '.join(unreadable)}. Put the key back that they were encrypted with, or"
                " replace these secrets."
            )


@transaction.atomic
def _rotate(model: type[Model], field: EncryptedTextField, key: Any) -> int:
    """Returns how many secrets that was: none, if it is gone by now. Raises InvalidToken where no key fits."""
    row = model._base_manager.select_for_update().filter(pk=key)  # nobody changes it in between
    stored = row.values_list(field.attname, flat=True).first()
    if stored is None:
        return 0
    return row.update(**{field.attname: Ciphertext(cipher().rotate(stored.encode()).decode())})
