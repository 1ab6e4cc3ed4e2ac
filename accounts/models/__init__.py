from accounts.models.ledger import Attempt, Call, CallState, Lease
from accounts.models.price import Currency, Price
from accounts.models.quota import Counter, Quota, Unit, Window
from accounts.models.sign_in import Session, SignIn, SignInKind
from accounts.models.token import ApiToken
from accounts.models.usage import UsageDay, UsageRollup
from accounts.models.user import User

__all__ = [
    "ApiToken",
    "Attempt",
    "Call",
    "CallState",
    "Counter",
    "Currency",
    "Lease",
    "Price",
    "Quota",
    "Session",
    "SignIn",
    "SignInKind",
    "Unit",
    "UsageDay",
    "UsageRollup",
    "User",
    "Window",
]
