"""How API tokens are handed out, changed and taken back: the one way for the API, the page and the admin.

What is changed here is one transaction, so that no process sees half of it, and is forgotten in this process at once.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from accounts.authentication import forget
from accounts.errors import NotPermitted
from accounts.models import ApiToken, User
from accounts.principal import CredentialKind, Principal
from accounts.scopes import Network, is_within, networks

GRACE = timedelta(days=1)  # for which the last secret works on, where nothing else is said
LONGEST_GRACE = timedelta(days=7)
_MOST = 500  # tokens of one user that are good


def make(caller: Principal, name: str, **limits: Any) -> tuple[ApiToken, str]:
    """A new token of the caller's own. Returns the row and the token in clear, which exists only here.

    Parameters: limits, as ApiToken has them. Raises ValidationError, and NotPermitted for a token that would be good
    for longer, or from elsewhere, than the credential that asks.
    """
    values = _sound({"name": name, **limits})
    _check_reach(caller, ApiToken(**values))
    if ApiToken.objects.usable().filter(user=caller.user_id).count() >= _MOST:
        raise ValidationError(gettext("You have too many tokens. Revoke those that nobody uses any more."))
    made_by = caller.token_id if caller.kind is CredentialKind.API else None
    return ApiToken.objects.issue(User.objects.get(pk=caller.user_id), made_by_id=made_by, **values)


def change(caller: Principal, token: ApiToken, **values: Any) -> ApiToken:
    """Changes name or limits from the next call on. Raises as `make` does."""
    values = _sound(values)
    with _changing(token) as row:
        if row.revoked_at is not None:
            raise ValidationError(gettext("This token was revoked. Make another one."))
        for name, value in values.items():
            setattr(row, name, value)
        _check_reach(caller, row)
        row.change(**values)
    return row


def rotate(caller: Principal, token: ApiToken, grace: timedelta) -> tuple[ApiToken, str]:
    """Gives a token another secret, and returns that in clear; the last one works on for the time of grace.

    The one before the last is refused from now on. Raises as `make` does.
    """
    with _changing(token) as row:
        if row.state != "active":
            raise ValidationError(gettext("This token was revoked or has expired. Make another one."))
        _check_reach(caller, row)
        clear = row.rotate(grace)
    return row, clear


def revoke(token: ApiToken) -> None:
    """Refuses a token from the next call on. Harmless the second time."""
    with _changing(token) as row:
        row.revoke()


def check_end(moment: datetime | None) -> None:
    """Raises ValidationError for an end that has passed."""
    if moment is not None and moment <= timezone.now():
        raise ValidationError(gettext("This moment has passed. Give one that is to come."))


def _sound(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with nothing twice in a list. Raises ValidationError."""
    sound: dict[str, Any] = {
        name: [*dict.fromkeys(value)] if isinstance(value, list) else value for name, value in values.items()
    }
    fields = [field.name for field in ApiToken._meta.fields]
    ApiToken(**sound).clean_fields(exclude=[name for name in fields if name not in sound])
    try:
        check_end(sound.get("expires_at"))
    except ValidationError as error:
        raise ValidationError({"expires_at": error}) from error
    return sound


@contextmanager
def _changing(token: ApiToken) -> Iterator[ApiToken]:
    """The row as it is now, and nobody else's until the end: two rotations at the same time are two in turn."""
    with transaction.atomic():
        row = ApiToken.objects.select_for_update().get(pk=token.pk)
        digests = {row.digest, row.previous_digest}
        yield row
    for digest in digests:
        forget(digest)


def _check_reach(caller: Principal, token: ApiToken) -> None:
    """Raises NotPermitted where a token, with which somebody else may be left, gets round its own limits by another."""
    if caller.kind is not CredentialKind.API:
        return
    if caller.expires_at is not None and (token.expires_at is None or token.expires_at.timestamp() > caller.expires_at):
        end = datetime.fromtimestamp(caller.expires_at, UTC)
        raise NotPermitted(
            f"The token that asks ends at {end:%Y-%m-%dT%H:%M:%SZ}, and so must what it makes or changes. Give an"
            " expires_at that is not later."
        )
    if caller.addresses and not _lies_within(networks(token.addresses), caller.addresses):
        allowed = ", ".join(map(str, caller.addresses))
        raise NotPermitted(
            f"The token that asks is tied to {allowed}, and so must be what it makes or changes. Give addresses among"
            " these."
        )


def _lies_within(inner: tuple[Network, ...], outer: tuple[Network, ...]) -> bool:
    """Whether there are some, and each is a part of one of the others."""
    return bool(inner) and all(any(_is_part(one, other) for other in outer) for one in inner)


def _is_part(one: Network, other: Network) -> bool:
    same_kind = one.version == other.version and one.prefixlen >= other.prefixlen
    return same_kind and is_within(str(one.network_address), [other])
