import errno
import ipaddress
import socket
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from proxyproject import first_steps


class Command(BaseCommand):
    help = "Serves the gateway: daphne, in this process."
    requires_system_checks = ()  # `manage.py check` and `make check` run them; a start need not wait for them

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default=settings.HOST, help="Address to listen on (HOST, default %(default)s).")
        parser.add_argument("--port", type=int, default=settings.PORT, help="Port (PORT, default %(default)s).")
        parser.add_argument(
            "--setup", action="store_true", help="First bring the database up to date and fill it if it is empty."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        host, port = options["host"], options["port"]
        refuse_busy_port(host, port)
        made: first_steps.FirstSteps | None = None
        if options["setup"]:
            call_command("migrate", verbosity=0, skip_checks=True)
            made = first_steps.take()

        # Imported late: Twisted takes a moment, and it must find the event loop that daphne chooses.
        from proxyproject.server.run import serve

        def listening() -> None:
            address = f"http://{shown_host(host)}:{port}"
            self.stdout.write(f"The gateway answers at {address}   (admin: {address}/admin/, API: {address}/api/docs)")
            if made:
                self.stdout.write(made.told(address))
            self.stdout.flush()

        failure = serve(host, port, listening)
        if failure:
            raise CommandError(failure)


def shown_host(host: str) -> str:
    """The name by which this machine itself reaches a server that listens on `host`."""
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return host
    return "localhost" if address.is_unspecified else f"[{address}]" if address.version == 6 else str(address)


def refuse_busy_port(host: str, port: int) -> None:
    """Raises CommandError with a plain sentence when the address cannot be listened on."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise CommandError(f"Port {port} is in use. Choose another: make run PORT={port + 1}.") from error
            raise CommandError(f"Cannot listen on {host}:{port}: {error.strerror}.") from error
