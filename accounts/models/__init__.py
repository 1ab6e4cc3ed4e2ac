from accounts.models.ledger import Attempt, Call, CallState
from accounts.models.token import ApiToken
from accounts.models.user import User

__all__ = ["ApiToken", "Attempt", "Call", "CallState", "User"]
