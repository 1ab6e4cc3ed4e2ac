from django.db import models


class KeptState(models.TextChoices):
    """What there is of an answer that is kept for a client who left."""

    COMING = "coming", "Still being read"
    WHOLE = "whole", "Whole"
    CUT = "cut", "Cut off before its end"
    TOO_LARGE = "too_large", "Too large to be kept"


class KeptAnswer(models.Model):
    """The answer of a call whose client left before its end. It is here for a while, to be fetched by its user.

    headers: pairs of name and value, in their order. Status, headers and body are there in the state `whole` only.
    """

    call_id = models.UUIDField(primary_key=True, editable=False)
    user_id = models.BigIntegerField()
    state = models.CharField(max_length=16, choices=KeptState)
    status = models.PositiveSmallIntegerField(default=0)
    headers = models.JSONField(default=list)
    body = models.BinaryField(default=b"")
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ("expires_at",)

    def __str__(self) -> str:
        return str(self.call_id)
