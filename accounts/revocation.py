"""Whether credentials that were found valid are so still: asked by every admission, and for the answers that run."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.backends.utils import CursorWrapper

from accounts.errors import AccountsError, CredentialChanged, NotAuthenticated
from accounts.principal import Principal
from storage.revisions import PROVIDERS, QUOTAS, column


@dataclass(slots=True)
class Standing:
    """What is good at this moment: tokens with their generation, sign-ins and users, by id.

    quotas, providers: the numbers of their revisions.
    """

    tokens: dict[int, int]
    sign_ins: set[int]
    users: set[int]
    quotas: int
    providers: int

    def flaw(self, principal: Principal) -> AccountsError | None:
        """Why a caller may not call any more, or must be looked up again; None if all is as it was."""
        if principal.token_id is not None:
            generation = self.tokens.get(principal.token_id)
            if generation is not None:
                return CredentialChanged() if generation != principal.generation else None
            return NotAuthenticated("This token has expired or was revoked.")
        if principal.sign_in_id is not None:
            known = principal.sign_in_id in self.sign_ins
            return None if known else NotAuthenticated("This sign-in has ended. Sign in again.")
        known = principal.user_id in self.users
        return None if known else NotAuthenticated("This user was disabled.")


def standing_of(cursor: CursorWrapper, principals: Iterable[Principal]) -> Standing:
    """How the credentials of some callers stand now."""
    tokens: set[int] = set()
    sign_ins: set[int] = set()
    users: set[int] = set()
    for one in principals:
        if one.token_id is not None:
            tokens.add(one.token_id)
        elif one.sign_in_id is not None:
            sign_ins.add(one.sign_in_id)
        else:
            users.add(one.user_id)
    good, signed_in = _found(cursor, _TOKENS, tokens), _found(cursor, _SIGN_INS, sign_ins)
    there = _found(cursor, _USERS, users)
    rows = [*good, *signed_in, *there]
    return Standing(
        {row[0]: row[1] for row in good},
        {row[0] for row in signed_in},
        {row[0] for row in there},
        min((row[2] for row in rows), default=0),
        min((row[3] for row in rows), default=0),
    )


def _found(cursor: CursorWrapper, statement: str, keys: set[int]) -> list[tuple[int, int, int, int]]:
    """Those that are good: id, generation, and the two revisions."""
    if not keys:
        return []
    cursor.execute(f"{statement} ({', '.join(['%s'] * len(keys))})", [*keys])
    found: list[tuple[int, int, int, int]] = cursor.fetchall()
    return found


# As ApiToken.objects.usable(), SignIn and User have it; but that an end which was set is seen by who looks a credential
# up. Written out: the ORM takes longer to build them than to run them.
_REVISIONS = f"{column(QUOTAS)}, {column(PROVIDERS)}"
_TOKENS = " ".join(
    [
        *(
            "SELECT t.id, t.generation,",
            _REVISIONS,
            "FROM accounts_apitoken t JOIN accounts_user u ON u.id = t.user_id",
        ),
        "WHERE u.is_active AND t.revoked_at IS NULL AND t.id IN",
    ]
)
_SIGN_INS = " ".join(
    [
        *("SELECT s.id, 0,", _REVISIONS, "FROM accounts_signin s JOIN accounts_user u ON u.id = s.user_id"),
        "WHERE u.is_active AND s.ended_at IS NULL AND s.id IN",
    ]
)
_USERS = " ".join(["SELECT u.id, 0,", _REVISIONS, "FROM accounts_user u WHERE u.is_active AND u.id IN"])
