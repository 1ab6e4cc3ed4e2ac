"""Who is calling: what is left of a credential once it was found valid."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller. Stands where Django and DRF expect a user, so `request.user.is_staff` and the like work.

    token_id is None for a person with a session.
    """

    user_id: int
    username: str
    is_staff: bool
    token_id: int | None = None
    is_authenticated: bool = True
    is_active: bool = True
    is_anonymous: bool = False
