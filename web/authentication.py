"""DRF's shell round accounts.authentication, and the session beside it."""

from asgiref.sync import async_to_sync
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.request import Request

from accounts.authentication import authenticate
from accounts.principal import Principal


class GatewayAuthentication(BaseAuthentication):
    """An API token in any of the headers that vendors' SDKs use, else a session cookie with CSRF.

    `request.user` becomes a Principal. An invalid token is refused even when a session would do: the first
    credential present decides.
    """

    async def aauthenticate(self, request: Request) -> Principal | None:
        """For the gateway lane. Raises NotAuthenticated for a token that is not valid."""
        return await authenticate(request.headers)

    def authenticate(self, request: Request) -> tuple[Principal, None] | None:
        """For the site lane. Raises NotAuthenticated for a token that is not valid, PermissionDenied without CSRF."""
        principal = async_to_sync(authenticate)(request.headers, fresh=True)
        if principal is not None:
            return principal, None
        found = SessionAuthentication().authenticate(request)
        if found is None:
            return None
        user = found[0]
        return Principal(user_id=user.pk, username=user.get_username(), is_staff=user.is_staff), None

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"
