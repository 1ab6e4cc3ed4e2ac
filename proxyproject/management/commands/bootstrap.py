from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from proxyproject import first_steps


class Command(BaseCommand):
    help = "Fills an empty database: an admin user, a demo provider, a token, the prices. Harmless the second time."

    def handle(self, *args: Any, **options: Any) -> None:
        made = first_steps.take()
        if made:
            self.stdout.write(made.told(f"http://{settings.HOST}:{settings.PORT}"))
        else:
            self.stdout.write(
                "The database has users already; nothing was made. A new token: manage.py issue_token USER."
            )
