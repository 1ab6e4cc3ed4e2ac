"""Where the process's own secrets come from: the environment, else files that a first run makes.

A made secret lies under VAR_DIR with mode 0600 and serves one machine only. As soon as DATABASE_URL names a shared
database, secrets must be given: two processes with different encryption keys could not read each other's rows.
"""

import errno
import os
import secrets
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

from proxyproject import env

_WELL_KNOWN = ("changeme", "change-me", "secret", "insecure", "password", "example", "your-")
_SHORTEST_SECRET_KEY = 32  # characters
_FERNET_KEY = 44  # characters


def make_directory(var_dir: Path) -> None:
    """Makes VAR_DIR. Raises ImproperlyConfigured when that cannot be, or it cannot be written."""
    try:
        var_dir.mkdir(parents=True, exist_ok=True)
        if not os.access(var_dir, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise _not_writable(var_dir, error) from error


def _not_writable(var_dir: Path, error: OSError) -> ImproperlyConfigured:
    return ImproperlyConfigured(
        f"VAR_DIR={str(var_dir)!r} cannot be written ({error.strerror}); point VAR_DIR at a directory that can."
    )


def _make_file(path: Path, make: Callable[[], str]) -> str:
    """Writes a fresh secret so that two first runs at once agree on one; returns what the file holds."""
    make_directory(path.parent)
    try:
        if not path.exists():
            _publish(path, make())
    except OSError as error:
        raise _not_writable(path.parent, error) from error
    return _held(path)


def _publish(path: Path, secret: str) -> None:
    """Makes the file, whole, unless another process was first."""
    descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # for its owner alone
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as handle:
            handle.write(secret)
        with suppress(FileExistsError):
            os.link(draft, path)  # fails when there is one already, so no file is ever half written or replaced
    finally:
        Path(draft).unlink()


def _held(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ImproperlyConfigured(
            f"{str(path)!r} cannot be read ({error.strerror}); let the server's user read it."
        ) from error
    except UnicodeDecodeError as error:
        raise ImproperlyConfigured(
            f"{str(path)!r} is no text. Put it back from a backup; without one, remove it, and the next start makes a"
            " new one: everybody is signed out by a new secret_key, and with new encryption_keys the providers' keys"
            " must be entered again."
        ) from error


def _given_or_made(name: str, path: Path, make: Callable[[], str], *, may_make: bool, hint: str) -> str:
    value = env.text(name)
    if value:
        return value
    if not may_make:
        raise ImproperlyConfigured(
            f"{name} is not set. With DATABASE_URL set it must be given, the same for every process: {hint}"
        )
    return _make_file(path, make)


def secret_key(var_dir: Path, *, may_make: bool) -> str:
    """Django's signing key. Raises ImproperlyConfigured when it is missing, short or well known."""
    hint = "SECRET_KEY=$(python3 -c 'import secrets; print(secrets.token_urlsafe(50))')"
    value = _given_or_made(
        "SECRET_KEY", var_dir / "secret_key", lambda: secrets.token_urlsafe(50), may_make=may_make, hint=hint
    )
    if len(value) < _SHORTEST_SECRET_KEY or any(word in value.lower() for word in _WELL_KNOWN) or len(set(value)) < 8:
        raise ImproperlyConfigured(f"SECRET_KEY is too short or too well known; make a new one: {hint}")
    return value


def encryption_keys(var_dir: Path, *, may_make: bool) -> list[str]:
    """The Fernet keys that protect stored secrets, newest first.

    Raises ImproperlyConfigured when one is missing or malformed.
    """
    make = "import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())"
    hint = f"GATEWAY_ENCRYPTION_KEYS=$(python3 -c '{make}')"
    value = _given_or_made(
        "GATEWAY_ENCRYPTION_KEYS",
        var_dir / "encryption_keys",
        lambda: Fernet.generate_key().decode(),
        may_make=may_make,
        hint=hint,
    )
    keys = [key.strip() for key in value.split(",") if key.strip()]
    if not keys:
        raise ImproperlyConfigured(f"GATEWAY_ENCRYPTION_KEYS holds no key. Make one: {hint}")
    for position, key in enumerate(keys, start=1):
        try:
            if len(key) != _FERNET_KEY:  # what is longer would be cut at the padding, and what follows lost
                raise ValueError
            Fernet(key)
        except ValueError as error:
            raise ImproperlyConfigured(
                f"GATEWAY_ENCRYPTION_KEYS: key {position} is no Fernet key (32 bytes, base64). Make one: {hint}"
            ) from error
        if len(set(key)) < 8:
            raise ImproperlyConfigured(f"GATEWAY_ENCRYPTION_KEYS: key {position} is not random. Make one: {hint}")
    return keys
