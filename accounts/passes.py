"""Passes for browsers: short-lived JSON Web Tokens that a server hands to a page in place of its own credential.

A pass is good for less than what handed it out, and ends with that.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from rest_framework_simplejwt.tokens import Token

from accounts import json_web_tokens as jwts
from accounts.errors import NotPermitted
from accounts.principal import CredentialKind, Principal
from accounts.scopes import Scope

HANDING_OUT = "browser-token"  # the endpoint that a pass is never good for
USUAL_ENDPOINTS = ("generate", "chat", "openai", "anthropic", "proxy")
LIFETIME, SHORTEST, LONGEST = 3600, 60, 86_400  # seconds
_LONGEST_ORIGIN = 300  # characters
_DEFAULT_PORTS = {"http": 80, "https": 443}
_ORIGIN = re.compile(r"([a-z][a-z0-9+.-]*)://([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::(\d{1,5}))?/?")


class BrowserPass(Token):
    token_type = jwts.BROWSER
    lifetime = timedelta(seconds=LIFETIME)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a pass is asked for. endpoints: None for the usual. origin: None for pages of any. lifetime: seconds."""

    providers: Sequence[str] = ()
    models: Sequence[str] = ()
    endpoints: Sequence[str] | None = None
    origin: str | None = None
    lifetime: int = LIFETIME


@dataclass(frozen=True, slots=True)
class Pass:
    """A pass in clear, and what it is good for."""

    token: str
    expires_at: datetime
    endpoints: Sequence[str]


def make(caller: Principal, asked: Asked) -> Pass:
    """A pass that the caller may hand to a page. Raises NotPermitted for what the caller may not do."""
    if caller.kind is CredentialKind.BROWSER:
        raise NotPermitted("A browser's pass hands out no others. Ask with the credential that it was made by.")
    endpoints = _endpoints(caller, asked.endpoints)
    for provider in asked.providers:
        if not caller.may_see(provider):
            raise NotPermitted(f"The credential that asks may not use provider '{provider}', so its passes may not.")
    for model in asked.models:
        if not all(Scope(models=scope.models).permits("", model) for scope in caller.scopes):
            raise NotPermitted(f"The credential that asks may not use model '{model}', so its passes may not.")
    token: Any = BrowserPass()
    token.set_exp(lifetime=timedelta(seconds=asked.lifetime))
    # An access token is renewed every few minutes; its sign-in, which ends the pass too, goes on.
    if caller.expires_at is not None and caller.kind is CredentialKind.API:
        token["exp"] = min(token["exp"], int(caller.expires_at))
    by_token = caller.token_id is not None
    token["user_id"] = str(caller.user_id)
    token[jwts.TOKEN if by_token else jwts.SIGN_IN] = caller.token_id if by_token else caller.sign_in_id
    if by_token:
        token[jwts.NUMBER] = caller.secret
    token[jwts.PROVIDERS], token[jwts.MODELS] = list(asked.providers), list(asked.models)
    token[jwts.ENDPOINTS], token[jwts.ORIGIN] = list(endpoints), asked.origin or ""
    return Pass(str(token), datetime.fromtimestamp(token["exp"], UTC), endpoints)


def _endpoints(caller: Principal, asked: Sequence[str] | None) -> Sequence[str]:
    """Raises NotPermitted for one that is not the caller's; of the usual ones, those that are."""
    if asked is None:
        usual = [endpoint for endpoint in USUAL_ENDPOINTS if caller.may_call(endpoint)]
        if not usual:
            raise NotPermitted("The credential that asks may call nothing that passes are usually for. Name endpoints.")
        return usual
    for endpoint in asked:
        if endpoint == HANDING_OUT or not caller.may_call(endpoint):
            raise NotPermitted(f"A pass of this credential may not call endpoint '{endpoint}'.")
    return asked


def normal_origin(written: str) -> str:
    """An origin as browsers send it: in lower case, without the port that its scheme has anyway.

    Raises ValueError for what is none, such as an address with a path or `null`.
    """
    found = _ORIGIN.fullmatch(written.strip().lower())
    if found is None or len(written) > _LONGEST_ORIGIN:
        raise ValueError("Give an origin such as https://example.com or http://localhost:3000.")
    scheme, host, port = found.groups()
    number = urlsplit(f"//{host}:{port or ''}").port  # raises ValueError for a port or an address that cannot be
    return f"{scheme}://{host}" if number in {None, _DEFAULT_PORTS.get(scheme)} else f"{scheme}://{host}:{number}"
