"""How log records are written: one line of text or one JSON object each, always with the request's id."""

import asyncio
import logging
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

import orjson

from web import request_id

LogFormat = Literal["json", "text"]

# What no format of ours shows need not be found out for each record (https://docs.python.org/3/howto/logging.html).
logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
logging._srcfile = None

_ON_EVERY_RECORD = frozenset(vars(logging.makeLogRecord({})))


class RequestIdFilter(logging.Filter):
    """Puts the id of the request that is being served on every record."""

    def filter(self, record: logging.LogRecord) -> bool:
        if not hasattr(record, "request_id"):
            record.request_id = request_id.current.get()
        return True


class JsonLines(logging.Formatter):
    """One JSON object a line; what a record was given as `extra` becomes its fields."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {"level": record.levelname.lower(), "logger": record.name}
        line |= {name: value for name, value in vars(record).items() if name not in _ON_EVERY_RECORD}
        line["timestamp"] = datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z")
        line["message"] = record.getMessage()
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            line["stack"] = self.formatStack(record.stack_info)
        return orjson.dumps(line, default=repr).decode()


class LinesOfOneTurn(logging.StreamHandler[TextIO]):
    """Writes together what one turn of the event loop has logged, at the turn's end.

    A write takes longer than all else about a line, and under load a turn ends several requests.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record) + self.terminator
        except Exception:
            self.handleError(record)
            return
        self._lines.append(line)
        if len(self._lines) == 1:
            try:
                asyncio.get_running_loop().call_soon(self.flush)
            except RuntimeError:  # there is no loop here
                self.flush()

    def flush(self) -> None:
        """Writes what waits. The interpreter calls this at its end."""
        lines, self._lines = self._lines, []
        with suppress(OSError):  # when nobody reads the log any more, requests are served all the same
            if lines:
                self.stream.write("".join(lines))
            super().flush()


def logging_settings(form: LogFormat) -> dict[str, Any]:
    """The configuration for logging.config.dictConfig."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"request_id": {"()": "proxyproject.logs.RequestIdFilter"}},
        "formatters": {
            "json": {"()": "proxyproject.logs.JsonLines"},
            "text": {"format": "%(asctime)s %(levelname)s %(name)s [%(request_id)s] %(message)s"},
            "access_text": {"format": "%(message)s"},
        },
        "handlers": {
            "console": {"class": "logging.StreamHandler", "formatter": form, "filters": ["request_id"]},
            "access": {
                "class": "proxyproject.logs.LinesOfOneTurn",
                "formatter": "json" if form == "json" else "access_text",
                "filters": ["request_id"],
            },
        },
        "root": {"handlers": ["console"], "level": "INFO"},
        "loggers": {
            "gateway.access": {"handlers": ["access"], "level": "INFO", "propagate": False},
            "daphne": {"level": "WARNING"},
            "django.request": {"level": "ERROR"},
            # A request for a foreign host name is the caller's mistake, answered with 400; no traceback is due.
            "django.security.DisallowedHost": {"level": "CRITICAL"},
            "asyncio": {"level": "WARNING"},
        },
    }
