"""How API tokens are made and recognised. Only a token's hash is stored, so a token is shown once.

`agw_` + 40 random characters + 6 characters of checksum. The prefix lets secret scanners find a leaked one; the
checksum lets a mistyped or made-up one be refused without asking the database. A plain SHA-256 is right for a hash of
238 random bits: there is nothing to guess, so nothing to slow down.
"""

import hashlib
import secrets
import string
import zlib

PREFIX = "agw_"
SHOWN = len(PREFIX) + 6  # characters of a token that may be shown to tell it from others
_ALPHABET = string.ascii_letters + string.digits
_RANDOM_LENGTH = 40
_CHECKSUM_LENGTH = 6


def _checksum(body: str) -> str:
    number = zlib.crc32(body.encode())
    digits = []
    for _ in range(_CHECKSUM_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(digits)


def make() -> str:
    """A new token in clear."""
    body = PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_LENGTH))
    return body + _checksum(body)


def is_well_formed(token: str) -> bool:
    """Whether this could be a token of ours: prefix, length and checksum."""
    body, checksum = token[:-_CHECKSUM_LENGTH], token[-_CHECKSUM_LENGTH:]
    return (
        token.isascii()
        and token.startswith(PREFIX)
        and len(token) == len(PREFIX) + _RANDOM_LENGTH + _CHECKSUM_LENGTH
        and checksum == _checksum(body)
    )


def digest(token: str) -> str:
    """What is stored of a token: its SHA-256 in hexadecimal."""
    return hashlib.sha256(token.encode()).hexdigest()
