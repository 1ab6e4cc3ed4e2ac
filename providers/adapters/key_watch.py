"""The provider's key in what a vendor says: found, so that it never gets to a caller."""

import re

from providers.errors import BrokenAnswer

_SHORTEST = 8  # characters; anything shorter is found in answers by chance
_ESCAPE = re.compile(rb"\\(?:u00([0-7][0-9a-fA-F])|(.))", re.DOTALL)
_LAYERS = 3  # JSON in a string of JSON in a string of JSON


class KeyWatch:
    """Looks for a key in the pieces of an answer, also across two of them.

    `held` is what was kept back of the pieces so far, since the key may begin with it: mostly nothing.
    """

    def __init__(self, key: str) -> None:
        self.held = b""
        self._key = key.encode() if len(key) >= _SHORTEST else b""

    def finds(self, data: bytes) -> bool:
        """Whether the key is in there."""
        return bool(self._key) and self._key in data

    def check(self, data: bytes) -> None:
        """Raises BrokenAnswer if the key is in there."""
        if self.finds(data):
            raise BrokenAnswer("the provider's key is in the answer")

    def passed(self, piece: bytes) -> bytes:
        """What of the answer may go out, once this piece has come. Raises BrokenAnswer."""
        key = self._key
        if not key:
            return piece
        if self.held:
            piece = self.held + piece
        self.check(piece)
        begins = piece.find(key[:1], max(0, len(piece) - len(key) + 1))
        while begins >= 0 and not key.startswith(piece[begins:]):
            begins = piece.find(key[:1], begins + 1)
        self.held = piece[begins:] if begins >= 0 else b""
        return piece[:begins] if begins >= 0 else piece


def quotes(body: bytes, key: bytes) -> bool:
    """Whether a whole body has the key in it, plainly or with the escapes of JSON (RFC 8259 section 7)."""
    if not key:
        return False
    for _ in range(_LAYERS):
        if key in body:
            return True
        if b"\\" not in body:
            return False
        body = _ESCAPE.sub(_unescaped, body)
    return key in body


def _unescaped(escape: re.Match[bytes]) -> bytes:
    return bytes([int(escape[1], 16)]) if escape[1] else escape[2]
