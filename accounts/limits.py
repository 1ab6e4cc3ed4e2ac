"""What is said of a limit, for those too who know nothing of models."""

from dataclasses import dataclass
from datetime import datetime

MOST = 2**62  # of any amount: far more than there is, and few enough for a column of whole numbers to add to


@dataclass(slots=True)
class Standing:
    """How a caller stands with the tightest of the quotas in a unit, once a call was let in."""

    limit: int
    remaining: int
    resets_at: datetime | None
