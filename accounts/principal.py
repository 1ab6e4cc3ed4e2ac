"""Who is calling: what is left of a credential once it was found valid."""

from dataclasses import dataclass
from enum import StrEnum

from accounts.scopes import Network, Scope, is_within


class CredentialKind(StrEnum):
    API = "token"
    SESSION = "session"
    JWT = "jwt"
    BROWSER = "browser"


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller. Stands where Django and DRF expect a user, so `request.user.is_staff` and the like work.

    token_id is None for a person with a session or a JWT; sign_in_id for a program with a token. generation: of the
    token, when it was looked up; secret: the number of its secret that was shown, or that has handed a pass out.
    expires_at: when the credential ends, in seconds since 1970. scopes: all must permit what is called. origin: the one
    that a browser's pass is good for.
    """

    user_id: int
    username: str
    is_staff: bool
    token_id: int | None = None
    sign_in_id: int | None = None
    kind: CredentialKind = CredentialKind.API
    generation: int = 0
    secret: int = 0
    expires_at: float | None = None
    scopes: tuple[Scope, ...] = ()
    addresses: tuple[Network, ...] = ()
    origin: str | None = None
    is_authenticated: bool = True
    is_active: bool = True
    is_anonymous: bool = False

    @property
    def is_limited(self) -> bool:
        """Whether the credential is good for less than its owner may do. Such a one changes no rights."""
        return bool(self.scopes)

    def may_call(self, endpoint: str | None) -> bool:
        """Whether it may call an endpoint of accounts/scopes.py; None: anything else, which is for unlimited ones."""
        if not self.scopes:
            return True
        return endpoint is not None and all(scope.permits_endpoint(endpoint) for scope in self.scopes)

    def may_use(self, provider: str, model: str) -> bool:
        """Whether it may use a provider's model."""
        return not self.scopes or all(scope.permits(provider, model) for scope in self.scopes)

    def may_see(self, provider: str) -> bool:
        """Whether it may use anything of a provider's."""
        return not self.scopes or all(scope.permits_provider(provider) for scope in self.scopes)

    def may_come_from(self, address: str) -> bool:
        return not self.addresses or is_within(address, self.addresses)
