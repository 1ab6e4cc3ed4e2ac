"""What `manage.py check --deploy` says beyond Django's own."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning


def mail_needs_a_host(**_: Any) -> list[CheckMessage]:
    """Whether links to set a password could lead to a host that a stranger chose."""
    if not (settings.EMAIL_HOST and settings.ANSWERS_TO_ANY_HOST):
        return []
    return [
        Warning(
            "No links to set a new password are mailed: ALLOWED_HOSTS has a wildcard, so that whoever asks for a link"
            " could choose the host that it leads to.",
            hint="Name each host of this server in ALLOWED_HOSTS.",
            id="gateway.W001",
        )
    ]
