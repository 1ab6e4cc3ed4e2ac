"""Secrets at rest: never clear in the database, clear in Python, and out of nobody's way when no key fits."""

from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.core import serializers
from django.core.exceptions import FieldError
from django.core.management import call_command
from django.db import connection
from pytest_django import Settings

from providers.models import Provider, ProviderKey
from storage.errors import SecretUnreadable

pytestmark = pytest.mark.django_db

CLEAR = "sk-live-canary-4f2a9c77d01e5b36"


def new_key() -> str:
    return Fernet.generate_key().decode()


@pytest.fixture
def provider() -> Provider:
    return Provider.objects.create(name="vendor", type="openai")


@pytest.fixture
def row(provider: Provider, settings: Settings) -> ProviderKey:
    """A stored key; GATEWAY_ENCRYPTION_KEYS is a list of one key, this test's own."""
    settings.GATEWAY_ENCRYPTION_KEYS = [new_key()]
    made = key_of(provider, CLEAR)
    made.label = "first"
    made.save()
    return made


def key_of(provider: Provider, secret: str) -> ProviderKey:
    """A key that is not saved yet."""
    key = ProviderKey(provider=provider)
    key.secret = secret
    return key


def stored(row: ProviderKey) -> str:
    """What lies in the database."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret FROM providers_providerkey WHERE id = %s", [row.pk])
        return str(cursor.fetchone()[0])


def again(row: ProviderKey) -> ProviderKey:
    return ProviderKey.objects.get(pk=row.pk)


def test_clear_in_python_and_not_in_the_database(row: ProviderKey) -> None:
    assert again(row).secret == CLEAR
    assert type(again(row).secret) is str
    assert CLEAR not in stored(row)
    assert "canary" not in stored(row)


@pytest.mark.parametrize("secret", ["", "x", "ሰላም 🙂", "line\nline", "x" * 10_000, "gAAAAABmZm9v"])
def test_any_text_comes_back(row: ProviderKey, secret: str) -> None:
    row.secret = secret
    assert row.secret == secret, "before it is saved, too"
    row.save()
    assert again(row).secret == secret


def test_the_same_secret_looks_different_each_time(row: ProviderKey, provider: Provider) -> None:
    other = key_of(provider, CLEAR)
    other.save()
    first = stored(row)
    assert stored(other) != first
    row.save()
    assert stored(row) != first
    assert again(row).secret == again(other).secret == CLEAR


def test_a_change_by_queryset_is_encrypted_too(row: ProviderKey) -> None:
    ProviderKey.objects.filter(pk=row.pk).update(secret="another-canary")
    assert "canary" not in stored(row)
    assert again(row).secret == "another-canary"


def test_rows_made_together_are_encrypted_too(row: ProviderKey, provider: Provider) -> None:
    made = ProviderKey.objects.bulk_create([key_of(provider, CLEAR) for _ in range(2)])
    assert [again(one).secret for one in made] == [CLEAR, CLEAR]
    assert all("canary" not in stored(one) for one in made)


def test_rotation(row: ProviderKey, provider: Provider, settings: Settings) -> None:
    old, new = settings.GATEWAY_ENCRYPTION_KEYS[0], new_key()
    settings.GATEWAY_ENCRYPTION_KEYS = [new, new_key(), old]
    assert again(row).secret == CLEAR, "readable with any key of the list"
    later = key_of(provider, "written later")
    later.save()
    settings.GATEWAY_ENCRYPTION_KEYS = [new]
    assert again(later).secret == "written later", "written with the newest"
    with pytest.raises(SecretUnreadable):
        _ = again(row).secret


def test_a_secret_written_anew_no_longer_needs_the_old_key(row: ProviderKey, settings: Settings) -> None:
    settings.GATEWAY_ENCRYPTION_KEYS = [new_key(), *settings.GATEWAY_ENCRYPTION_KEYS]
    row = again(row)
    row.secret = row.secret
    row.save()
    settings.GATEWAY_ENCRYPTION_KEYS = settings.GATEWAY_ENCRYPTION_KEYS[:1]
    assert again(row).secret == CLEAR


def test_without_its_key_the_reading_says_what_to_do(row: ProviderKey, settings: Settings) -> None:
    settings.GATEWAY_ENCRYPTION_KEYS = [new_key()]
    with pytest.raises(SecretUnreadable) as refused:
        _ = again(row).secret
    assert "GATEWAY_ENCRYPTION_KEYS" in str(refused.value)
    assert stored(row) not in str(refused.value)
    assert settings.GATEWAY_ENCRYPTION_KEYS[0] not in str(refused.value)


@pytest.mark.parametrize("damaged", ["", "garbage", CLEAR, "gAAAAA", "é"])
def test_what_is_no_ciphertext_is_never_taken_for_the_secret(row: ProviderKey, damaged: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE providers_providerkey SET secret = %s WHERE id = %s", [damaged, row.pk])
    with pytest.raises(SecretUnreadable):
        _ = again(row).secret


def test_without_its_key_a_row_can_be_listed_changed_and_deleted(row: ProviderKey, settings: Settings) -> None:
    settings.GATEWAY_ENCRYPTION_KEYS = [new_key()]
    before = stored(row)
    (listed,) = ProviderKey.objects.select_related("provider").all()
    assert (listed.label, str(listed), listed.provider.name) == ("first", "key", "vendor")
    listed.label = "second"
    listed.save(update_fields=["label"])
    assert again(row).label == "second"
    listed.label = "third"
    listed.save()
    assert again(row).label == "third"
    assert stored(row) == before
    listed.delete()
    assert not ProviderKey.objects.exists()


def test_without_its_key_a_row_can_be_given_a_new_secret(row: ProviderKey, settings: Settings) -> None:
    settings.GATEWAY_ENCRYPTION_KEYS = [new_key()]
    lost = again(row)
    lost.set_secret("sk-a-new-one-0123")
    lost.save()
    assert (again(row).secret, again(row).last_four) == ("sk-a-new-one-0123", "0123")


def test_an_unread_secret_is_saved_as_it_is(row: ProviderKey) -> None:
    before = stored(row)
    unread = again(row)
    unread.label = "second"
    unread.save()
    assert stored(row) == before


def test_a_secret_that_was_read_survives_a_save(row: ProviderKey) -> None:
    read = again(row)
    assert read.secret == CLEAR
    read.save()
    assert again(row).secret == CLEAR


def test_a_deferred_secret_is_fetched_when_it_is_read(row: ProviderKey) -> None:
    before = stored(row)
    deferred = ProviderKey.objects.defer("secret").get(pk=row.pk)
    deferred.label = "second"
    deferred.save()
    assert stored(row) == before
    assert deferred.secret == CLEAR


@pytest.mark.parametrize("lookup", ["secret", "secret__startswith", "secret__in", "secret__contains"])
def test_it_cannot_be_searched(row: ProviderKey, lookup: str) -> None:
    with pytest.raises(FieldError):
        ProviderKey.objects.filter(**{lookup: CLEAR}).exists()


def test_it_can_be_asked_for_absence(row: ProviderKey) -> None:
    assert not ProviderKey.objects.filter(secret__isnull=True).exists()


def test_a_list_of_values_gives_the_ciphertext(row: ProviderKey) -> None:
    assert list(ProviderKey.objects.values_list("secret", flat=True)) == [stored(row)]
    assert list(ProviderKey.objects.values("secret")) == [{"secret": stored(row)}]


def test_a_row_can_be_read_anew_without_its_key(row: ProviderKey, settings: Settings) -> None:
    kept, before = again(row), stored(row)
    keys, settings.GATEWAY_ENCRYPTION_KEYS = settings.GATEWAY_ENCRYPTION_KEYS, [new_key()]
    ProviderKey.objects.update(label="second")
    for fields in (None, ["secret"]):
        kept.refresh_from_db(fields=fields)
        with pytest.raises(SecretUnreadable):
            _ = kept.secret
    assert kept.label == "second"
    kept.save()
    assert stored(row) == before
    settings.GATEWAY_ENCRYPTION_KEYS = keys
    assert kept.secret == CLEAR


@pytest.mark.parametrize("fields", [None, ["secret"]], ids=["all", "one"])
def test_reading_anew_forgets_what_was_not_saved(row: ProviderKey, fields: list[str] | None) -> None:
    row.secret = "not saved"
    row.refresh_from_db(fields=fields)
    assert row.secret == CLEAR


FORMATS = ["json", "jsonl", "xml"]


@pytest.fixture
def fixture(tmp_path: Path, format: str) -> Path:
    return tmp_path / f"dump.{format}"


def dump(fixture: Path) -> str:
    call_command("dumpdata", "providers", format=fixture.suffix[1:], output=str(fixture), verbosity=0)
    return fixture.read_text()


@pytest.mark.parametrize("format", FORMATS)
def test_a_dump_holds_ciphertext_and_is_loaded_again(row: ProviderKey, fixture: Path) -> None:
    told = dump(fixture)
    assert "canary" not in told
    assert stored(row) in told
    ProviderKey.objects.update(secret="changed since")
    call_command("loaddata", str(fixture), verbosity=0)
    assert again(row).secret == CLEAR
    ProviderKey.objects.all().delete()
    call_command("loaddata", str(fixture), verbosity=0)
    assert again(row).secret == CLEAR
    assert "canary" not in stored(row)


@pytest.mark.parametrize("format", ["json", "jsonl"])
def test_a_dump_is_a_copy_that_needs_no_key(row: ProviderKey, fixture: Path, settings: Settings) -> None:
    before, keys = stored(row), settings.GATEWAY_ENCRYPTION_KEYS
    settings.GATEWAY_ENCRYPTION_KEYS = [new_key()]
    dump(fixture)
    ProviderKey.objects.all().delete()
    call_command("loaddata", str(fixture), verbosity=0)
    assert stored(row) == before
    with pytest.raises(SecretUnreadable):
        _ = again(row).secret
    settings.GATEWAY_ENCRYPTION_KEYS = keys
    assert again(row).secret == CLEAR


@pytest.mark.parametrize("format", FORMATS)
def test_clear_text_in_a_fixture_is_encrypted_when_it_is_stored(row: ProviderKey, fixture: Path) -> None:
    fixture.write_text(dump(fixture).replace(f"fernet:{stored(row)}", "written by hand"))
    call_command("loaddata", str(fixture), verbosity=0)
    assert again(row).secret == "written by hand"
    assert "hand" not in stored(row)


@pytest.mark.parametrize("format", FORMATS)
def test_what_is_not_saved_yet_is_not_serialized_in_clear(row: ProviderKey, format: str) -> None:
    unsaved = key_of(row.provider, "another-canary")
    told = serializers.serialize(format, [unsaved, row])
    assert "canary" not in told
    read = [one.object for one in serializers.deserialize(format, told)]
    assert [one.secret for one in read if isinstance(one, ProviderKey)] == ["another-canary", CLEAR]


def test_nobody_can_pass_off_a_ciphertext_as_a_key(row: ProviderKey, provider: Provider) -> None:
    stolen = f"fernet:{stored(row)}"
    thief = key_of(provider, stolen)
    thief.full_clean()
    thief.save()
    assert again(thief).secret == stolen


def test_validation_leaves_a_secret_as_it_is(row: ProviderKey, settings: Settings) -> None:
    settings.GATEWAY_ENCRYPTION_KEYS = [new_key()]
    before, unread = stored(row), again(row)
    unread.full_clean()
    unread.save()
    assert stored(row) == before


def test_it_is_in_no_repr(row: ProviderKey) -> None:
    assert "canary" not in repr(row) + str(row) + repr(list(ProviderKey.objects.all()))
