"""What the accounts app refuses. Nothing here knows HTTP; web/problems.py gives each its status and code.

AccountsError
├── NotAuthenticated     no credential, or one that is not valid (any more)
├── CredentialChanged    a credential that has changed since it was looked up: look again, and ask again
├── SettingsChanged      a call that was routed by settings that have changed since
├── NotPermitted         a valid caller who may not do this
├── QuotaExceeded        a valid caller who has used up what was allotted
├── QuotaSpent           whose quota was used up while an answer was on its way
└── TooManyTries         somebody who may be guessing
    └── TooManyAtOnce    nobody in particular: too many passwords are looked at just now
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

_SOON = 5  # seconds


class AccountsError(Exception):
    """Base of the accounts app's refusals; the message is safe to show to the caller."""


class NotAuthenticated(AccountsError):
    """The caller gave no credential, or one that is unknown, revoked or of a disabled user."""


class CredentialChanged(AccountsError):
    """The credential is good still, but not what it was when it was looked up. Nothing was begun."""


class SettingsChanged(AccountsError):
    """What a call was decided by, before it was let in, has changed meanwhile. Nothing was begun; decide again."""


class NotPermitted(AccountsError):
    """The caller is known and may not do this."""


class TooManyTries(AccountsError):
    """Whoever it is must wait; what was offered was not looked at. Parameters: retry_after, in seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"There were too many tries. Try again in {retry_after} seconds.")
        self.retry_after = retry_after


class TooManyAtOnce(TooManyTries):
    """Too many wait to have a password looked at. It says nothing about whoever is told so."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(retry_after)
        self.args = ("Too many sign in at this moment. Try again in a few seconds.",)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Which quota has no room for a call, and how it stands.

    subject: user, group or token. Amounts are in the unit, a cost in the currency of the prices. needed: what the call
    may take at least. resets_at: when the quota begins anew, None if it never does. unpriced: the model whose price is
    not known, where that is why. seconds: from the call to resets_at.
    """

    subject: str
    provider: str
    unit: str
    window: str
    limit: Decimal
    used: Decimal
    reserved: Decimal
    needed: Decimal
    resets_at: datetime | None
    seconds: int | None
    unpriced: str | None = None

    @property
    def retry_after(self) -> int | None:
        """Seconds after which another try may pass; None where waiting does not help."""
        if self.unit == "concurrency":
            return 1  # whenever one of the running calls ends
        if self.unit in {"tokens", "cost"} and self.unpriced is None and self.needed <= self.limit - self.used:
            return _SOON  # as soon as running calls give back what they do not need
        return None if self.unpriced is not None or self.needed > self.limit else self.seconds

    def __str__(self) -> str:
        where = f" at provider '{self.provider}'" if self.provider else ""
        whose = {"group": "your group's", "token": "this token's"}.get(self.subject, "your")
        if self.unpriced is not None:
            return (
                f"The price of '{self.unpriced}'{where} is not known, and {whose} quota is one of cost."
                " An administrator can add the price, or let the quota allow calls without one."
            )
        if self.unit == "concurrency":
            return f"{_plain(self.limit)} calls{where} at the same time are {whose} quota, and as many are running."
        per = "" if self.window == "total" else f" per {self.window}"
        left = max(Decimal(0), self.limit - self.used - self.reserved)
        said = f"{whose.capitalize()} quota of {_amount(self.limit, self.unit)}{per}{where} has {_plain(left)} left"
        said += f" ({_plain(self.used)} used, {_plain(self.reserved)} reserved by calls that are running)"
        if self.unit != "requests":
            said += f"; this call may take {_plain(self.needed)}"
        if self.needed > self.limit:
            return f"{said}, more than the whole quota. Send less, or ask for fewer tokens."
        if self.resets_at is None:
            return f"{said}. It does not begin anew; an administrator can raise it."
        return f"{said}. It begins anew at {self.resets_at:%Y-%m-%dT%H:%M:%SZ}."


def _amount(value: Decimal, unit: str) -> str:
    if unit == "cost":
        return f"a cost of {_plain(value)}"
    return f"{_plain(value)} {unit[:-1] if value == 1 else unit}"


def _plain(value: Decimal) -> str:
    return f"{value.normalize():f}"


class QuotaExceeded(AccountsError):
    """The call does not fit into a quota of the caller's."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal


class QuotaSpent(AccountsError):
    """An answer ran past what was reserved for it, and the quota has no more."""

    def __init__(self) -> None:
        super().__init__("The quota was used up while this answer was on its way. What came so far is counted.")
