"""A process beside a server, with its settings: runs pieces of Python one after the other without a start for each."""

import json
import subprocess
import sys
import weakref
from collections.abc import Mapping
from pathlib import Path

# Each piece has names of its own, and what it opened of the database is closed after it, as if its process had ended.
_SERVE = """
import contextlib, io, json, sys, traceback
from django.db import connections
answers = sys.stdout
for line in sys.stdin:
    printed, failure = io.StringIO(), ""
    with contextlib.redirect_stdout(printed):
        try:
            exec(json.loads(line), {"__name__": "__piece__"})
        except BaseException:
            failure = traceback.format_exc()
        connections.close_all()
    answers.write(json.dumps([printed.getvalue(), failure]) + "\\n")
    answers.flush()
"""


class Beside:
    """`manage.py shell` that stays until `stop`, or until nobody has it any more."""

    def __init__(self, root: Path, environment: Mapping[str, str]) -> None:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "shell", "--no-imports", "-c", _SERVE],
            cwd=root,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._process = process
        self.stop = weakref.finalize(self, _end, process)

    def run(self, script: str) -> str:
        """What a piece prints. Raises RuntimeError with the traceback where it fails."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(script) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"The process beside the server ended with {self._process.wait()}.")
        printed, failure = json.loads(line)
        if failure:
            raise RuntimeError(failure)
        return str(printed)


def _end(process: subprocess.Popen[str]) -> None:
    """It ends when its input does."""
    process.communicate()
