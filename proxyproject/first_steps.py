"""What an empty database is filled with, so that a newcomer has something to call and to look at."""

import secrets
from dataclasses import dataclass

from django.db import transaction

from accounts import price_list
from accounts.models import ApiToken, User
from providers.models import Provider


@dataclass(frozen=True, slots=True)
class FirstSteps:
    """What was made. The secrets in it exist only here; they are told once."""

    password: str
    token: str

    def told(self, address: str) -> str:
        """What to tell a newcomer."""
        return f"""
Made on this first run, and shown only now:
  sign in      {address}/         user: admin   password: {self.password}
  API token    {self.token}

Chat on that page, administer at {address}/admin/, or call it:
  curl {address}/api/generate -H 'Authorization: Bearer {self.token}' -d '{{"prompt": "Hello, gateway"}}'
"""


@transaction.atomic
def take() -> FirstSteps | None:
    """Makes an admin user, a demo provider, a token and the price table in a database without users.

    None, and nothing, in any other.
    """
    if User.objects.exists():
        return None
    password = secrets.token_urlsafe(12)
    admin = User.objects.create_superuser("admin", password=password)
    _, token = ApiToken.objects.issue(admin, "made on the first run")
    if not Provider.objects.exists():
        Provider.objects.create(
            name="demo",
            type="echo",
            description="Says back what it is told. Needs no key and costs nothing.",
            is_default=True,
            config={"delay_ms": 40},
        )
    price_list.sync()
    return FirstSteps(password, token)
