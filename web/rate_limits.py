"""How a caller stands with the quotas, in headers of OpenAI's form.

https://platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers
"""

from collections.abc import Mapping
from datetime import datetime

from accounts.limits import Standing


def headers(standings: Mapping[str, Standing], now: datetime) -> list[tuple[str, str]]:
    """The headers for each unit, of which quotas hold. Where one never begins anew, there is no reset."""
    told: list[tuple[str, str]] = []
    for unit, standing in standings.items():
        told.append((f"x-ratelimit-limit-{unit}", str(standing.limit)))
        told.append((f"x-ratelimit-remaining-{unit}", str(standing.remaining)))
        if standing.resets_at is not None:
            told.append((f"x-ratelimit-reset-{unit}", duration((standing.resets_at - now).total_seconds())))
    return told


def duration(seconds: float) -> str:
    """A time as OpenAI writes it: `6m0s`, `1h2m3s`, `120ms`. Days are written in hours."""
    milliseconds = max(0, round(seconds * 1000))
    if milliseconds < 1000:
        return f"{milliseconds}ms"
    minutes, rest = divmod(-(-milliseconds // 1000), 60)
    hours, minutes = divmod(minutes, 60)
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if hours or minutes else "") + f"{rest}s"
