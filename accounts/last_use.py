"""When credentials were last used, and from where. Noted in memory, and written down now and then for all together."""

import logging
import time
from datetime import UTC, datetime

from django.db.models import Model

from accounts.models import ApiToken, SignIn
from accounts.principal import CredentialKind, Principal
from storage.periodic import Periodic

logger = logging.getLogger("gateway.upkeep")

_BETWEEN_WRITES = 10.0  # seconds

_noted: dict[tuple[type[Model], int], tuple[float, str]] = {}  # when, in seconds since 1970, and from where


def note(principal: Principal, address: str) -> None:
    """A credential was used just now. Costs next to nothing; the database hears of it within seconds."""
    use = (time.time(), address)
    if principal.token_id is not None:
        if principal.kind is CredentialKind.API:  # not what it has handed out
            _noted[ApiToken, principal.token_id] = use
    elif principal.sign_in_id is not None:
        _noted[SignIn, principal.sign_in_id] = use


def write_down() -> None:
    """Writes what was noted. Uses the ORM."""
    while _noted:
        (model, key), (moment, address) = _noted.popitem()
        at = datetime.fromtimestamp(moment, UTC)
        if model is ApiToken:
            ApiToken.objects.filter(pk=key).update(last_used_at=at, last_used_from=address or None)
        else:
            SignIn.objects.filter(pk=key).update(last_used_at=at)


keeper = Periodic(
    "last-use", write_down, "The last use of credentials", logger, first=_BETWEEN_WRITES, between=_BETWEEN_WRITES
)
