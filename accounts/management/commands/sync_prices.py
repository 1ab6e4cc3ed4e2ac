from typing import Any

from django.core.management.base import BaseCommand

from accounts import price_list


class Command(BaseCommand):
    help = "Fills the price table from the list that comes with the gateway. Prices written by hand are left alone."

    def handle(self, *args: Any, **options: Any) -> None:
        done = price_list.sync()
        self.stdout.write(
            f"Prices: {done.added} added, {done.changed} changed, {done.removed} removed, {done.left_alone} left alone."
        )
