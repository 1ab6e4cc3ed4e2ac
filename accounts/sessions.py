"""Django's sessions in the database, each tied to the sign-in that it belongs to. SESSION_ENGINE names this module."""

from collections.abc import Mapping
from typing import Any

from django.contrib.sessions.backends.db import SessionStore as DatabaseStore

from accounts.models.sign_in import Session

_SHORTEST = 8  # characters of a key, as Django has it
SIGN_IN = "sign_in"  # under which a session keeps the id of its sign-in


class SessionStore(DatabaseStore):
    @classmethod
    def get_model_class(cls) -> type[Session]:
        return Session

    def _validate_session_key(self, key: str) -> bool:
        """Django's keys are of letters and digits; PostgreSQL takes no text with a NUL."""
        return bool(key) and len(key) >= _SHORTEST and key.isascii() and key.isalnum()

    def create_model_instance(self, data: Mapping[str, Any]) -> Session:
        session = super().create_model_instance(dict(data))
        assert isinstance(session, Session)
        session.sign_in_id = data.get(SIGN_IN)
        return session
