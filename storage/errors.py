"""What the storage package raises."""


class StorageUnavailable(Exception):
    """The database did not take the write, or did not answer. `retry_after` is in seconds."""

    retry_after = 5


class SecretUnreadable(Exception):
    """A stored secret cannot be decrypted with any of the keys in GATEWAY_ENCRYPTION_KEYS."""
