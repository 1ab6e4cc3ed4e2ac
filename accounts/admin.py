"""Who may call, how much, and what was used, in the admin. Each module registers its own pages."""

from accounts import admin_calls, admin_prices, admin_quotas, admin_tokens, admin_users

__all__ = ["admin_calls", "admin_prices", "admin_quotas", "admin_tokens", "admin_users"]
