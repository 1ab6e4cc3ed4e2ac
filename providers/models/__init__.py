from providers.models.key import ProviderKey, rotate_key, validate_key
from providers.models.provider import OnDisconnect, Provider

__all__ = ["OnDisconnect", "Provider", "ProviderKey", "rotate_key", "validate_key"]
