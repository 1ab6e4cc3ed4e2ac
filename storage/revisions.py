"""Numbers by which a process knows that what it remembers is out of date.

Who changes something that others remember raises its number in the transaction of the change. Who remembers notes the
number that it read first; where it must be exact, an admission compares the two in its own transaction.
"""

import time

from django.db import transaction
from django.db.models import F

from storage.models import Revision

QUOTAS = "quotas"  # and memberships and time zones, which quotas hang on
PROVIDERS = "providers"  # and their keys


def raise_revision(name: str) -> None:
    """Makes every process read that anew before it lets another call in."""
    with transaction.atomic():
        # The first number is the time, so that a table that was emptied never returns to one that somebody remembers.
        Revision.objects.get_or_create(pk=name, defaults={"number": time.time_ns()})
        Revision.objects.filter(pk=name).update(number=F("number") + 1)


def number_of(name: str) -> int:
    """The number as it is now; 0 before the first change."""
    return Revision.objects.filter(pk=name).values_list("number", flat=True).first() or 0


def column(name: str) -> str:
    """That number as a column of another query. The name must be one of the constants above."""
    return " ".join(["(SELECT COALESCE(MAX(number), 0) FROM storage_revision WHERE name =", f"'{name}')"])
