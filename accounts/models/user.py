from django.contrib.auth.models import AbstractUser


class User(AbstractUser):
    """A person or a service that calls the gateway. Ours from the first migration, so that it can grow."""
