"""The bodies that are no JSON: forms with files, and bare files."""

from providers.adapters.forms import parts_of

# 32 tokens a second of sound and 16 of words said in it, at most, from 750 bytes a second at least: the facts are those
# of providers/sizes.py, and nobody speaks faster.
_BYTES_PER_TOKEN_OF_SOUND = 15
_BARE_FILES = ("audio/", "image/", "video/", "application/octet-stream")


def form_tokens(body: bytes, content_type: str) -> int:
    """The tokens of a body that is no JSON, at most: its files as sounds, and a token for each byte of the rest."""
    kind = content_type.lower()
    if kind.startswith(_BARE_FILES):
        return len(body) // _BYTES_PER_TOKEN_OF_SOUND
    if not kind.startswith("multipart/"):
        return len(body)
    files = sum(part.end - part.start for part in parts_of(body, content_type) if part.file_name)
    return len(body) - files + files // _BYTES_PER_TOKEN_OF_SOUND
