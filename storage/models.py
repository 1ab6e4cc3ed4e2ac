from django.db import models


class Revision(models.Model):
    """A number that rises with each change of something that processes remember (storage/revisions.py)."""

    name = models.CharField(max_length=32, primary_key=True)
    number = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.name} {self.number}"
