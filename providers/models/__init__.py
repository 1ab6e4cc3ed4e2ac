from providers.models.kept import KeptAnswer
from providers.models.key import ProviderKey, rotate_key, validate_key
from providers.models.provider import OnDisconnect, Provider

__all__ = ["KeptAnswer", "OnDisconnect", "Provider", "ProviderKey", "rotate_key", "validate_key"]
