"""What the accounts app refuses. Nothing here knows HTTP; web/problems.py gives each its status and code.

AccountsError
├── NotAuthenticated     no credential, or one that is not valid (any more)
└── NotPermitted         a valid caller who may not do this
"""


class AccountsError(Exception):
    """Base of the accounts app's refusals; the message is safe to show to the caller."""


class NotAuthenticated(AccountsError):
    """The caller gave no credential, or one that is unknown, revoked or of a disabled user."""


class NotPermitted(AccountsError):
    """The caller is known and may not do this."""
