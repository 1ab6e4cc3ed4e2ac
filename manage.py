#!/usr/bin/env python3
"""Runs the project's commands: `python manage.py help` lists them."""

import os
import sys

OLDEST_PYTHON = (3, 11)

if sys.version_info < OLDEST_PYTHON:  # before any import that would fail less clearly
    sys.exit("error: Python 3.11 or newer is needed; this is Python {}.{}.".format(*sys.version_info))


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "proxyproject.settings")
    try:
        from django.core.exceptions import ImproperlyConfigured
        from django.core.management import execute_from_command_line
    except ImportError as error:
        sys.exit(f"error: {error}. Run `make run`, or install requirements.txt into this environment first.")

    from proxyproject.env import bind_address_from_arguments

    bind_address_from_arguments(sys.argv)
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
