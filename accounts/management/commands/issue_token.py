from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import ApiToken, User


class Command(BaseCommand):
    help = "Prints a new API token for a user, and nothing else, on stdout. It is shown this once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", metavar="USER", help="The user's name.")
        parser.add_argument("--name", default="command line", help="What the token is for (default: %(default)s).")
        parser.add_argument("--create", action="store_true", help="Make the user if there is none of that name.")
        parser.add_argument("--staff", action="store_true", help="With --create: a user who may change providers.")

    def handle(self, *args: Any, **options: Any) -> None:
        name: str = options["user"]
        user = User.objects.filter(username=name).first()
        if user is None:
            if not options["create"]:
                raise CommandError(f"There is no user {name!r}. Add --create to make one.")
            user = User.objects.create_user(name, is_staff=options["staff"])
        if not user.is_active:
            raise CommandError(f"The user {name!r} is disabled; a token would be refused.")
        _, clear = ApiToken.objects.issue(user, options["name"])
        self.stdout.write(clear)
