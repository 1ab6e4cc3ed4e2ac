from zoneinfo import available_timezones

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ValidationError
from django.db import models


def validate_time_zone(value: str) -> None:
    if value not in available_timezones():
        raise ValidationError("This is no time zone; give one such as Europe/Berlin or Africa/Addis_Ababa.")


class User(AbstractUser):
    """A person or a service that calls the gateway. Ours from the first migration, so that it can grow."""

    time_zone = models.CharField(
        max_length=64,
        blank=True,
        validators=[validate_time_zone],
        help_text="Where this person's days and months begin and end, for quotas. Empty: the server's.",
    )

    rights_taken = False  # by the change that is being saved: a new password, or being disabled

    @property
    def zone(self) -> str:
        """The name of the time zone that this user's windows are in."""
        return self.time_zone or settings.TIME_ZONE
