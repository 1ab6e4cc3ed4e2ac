"""How log records are written: one line of text or one JSON object each, always with the request's id."""

import logging
from typing import Any, Literal

import orjson
import structlog
from structlog.typing import EventDict, WrappedLogger

from web import request_id

LogFormat = Literal["json", "text"]

# What no format of ours shows need not be found out for each record (https://docs.python.org/3/howto/logging.html).
logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False


class RequestIdFilter(logging.Filter):
    """Puts the id of the request that is being served on every record."""

    def filter(self, record: logging.LogRecord) -> bool:
        if not hasattr(record, "request_id"):
            record.request_id = request_id.current.get()
        return True


def _write_json(event: EventDict, **_: object) -> str:
    return orjson.dumps(event, default=repr).decode()


def _name_fields(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    event["message"] = event.pop("event", "")
    return event


def json_formatter() -> structlog.stdlib.ProcessorFormatter:
    """One JSON object a line; what a record was given as `extra` becomes its fields."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            _name_fields,
            structlog.processors.JSONRenderer(serializer=_write_json),
        ],
    )


def logging_settings(form: LogFormat) -> dict[str, Any]:
    """The configuration for logging.config.dictConfig."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"request_id": {"()": "proxyproject.logs.RequestIdFilter"}},
        "formatters": {
            "json": {"()": "proxyproject.logs.json_formatter"},
            "text": {"format": "%(asctime)s %(levelname)s %(name)s [%(request_id)s] %(message)s"},
            "access_text": {"format": "%(message)s"},
        },
        "handlers": {
            "console": {"class": "logging.StreamHandler", "formatter": form, "filters": ["request_id"]},
            "access": {
                "class": "logging.StreamHandler",
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
