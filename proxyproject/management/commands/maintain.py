from typing import Any

from django.core.management.base import BaseCommand

from accounts import upkeep
from providers import kept


class Command(BaseCommand):
    help = "Closes calls of dead processes, sums up past days, deletes what is past its time. The server does it too."

    def handle(self, *args: Any, **options: Any) -> None:
        done = upkeep.run_once()
        self.stdout.write(
            f"Closed as lost: {done.closed} calls. Summed up: {done.days} days. Deleted: {done.deleted} calls past the"
            f" time that they are kept, {kept.remove_expired()} kept answers, {done.sign_ins} sessions and"
            " sign-ins that ended."
        )
