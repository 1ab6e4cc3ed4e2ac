"""How log records are written, and when."""

import asyncio
import io
import json
import logging

from proxyproject.logs import JsonLines, LinesOfOneTurn, RequestIdFilter
from web import request_id


class Written(io.StringIO):
    """A log that counts how often it is written to."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0

    def write(self, text: str) -> int:
        self.writes += 1
        return super().write(text)


def logger_into(log: io.StringIO, formatter: logging.Formatter | None = None) -> logging.Logger:
    handler = LinesOfOneTurn()
    handler.setStream(log)
    handler.setFormatter(formatter)
    handler.addFilter(RequestIdFilter())
    logger = logging.getLogger("tests.lines")
    logger.handlers, logger.propagate = [handler], False
    logger.setLevel(logging.INFO)
    return logger


async def test_the_lines_of_one_turn_of_the_event_loop_are_one_write() -> None:
    log = Written()
    logger = logger_into(log)
    logger.info("one")
    logger.info("two of %d", 3)
    await asyncio.sleep(0)
    assert (log.getvalue(), log.writes) == ("one\ntwo of 3\n", 1)
    logger.info("three")
    await asyncio.sleep(0)
    assert (log.getvalue(), log.writes) == ("one\ntwo of 3\nthree\n", 2)


def test_without_an_event_loop_a_line_is_written_at_once() -> None:
    log = Written()
    logger_into(log).info("one")
    assert log.getvalue() == "one\n"


async def test_what_waits_when_the_process_ends_is_written() -> None:
    log = Written()
    logger = logger_into(log)
    logger.info("the last")
    logger.handlers[0].flush()  # as logging.shutdown() does
    assert log.getvalue() == "the last\n"


async def test_a_log_that_nobody_reads_any_more_breaks_nothing() -> None:
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    logger = logger_into(Closed())
    logger.info("one")
    logger.info("two")
    problems: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: problems.append(context))
    await asyncio.sleep(0)
    assert not problems


def test_an_exception_stands_in_the_same_line_of_json() -> None:
    log = io.StringIO()
    token = request_id.current.set("the-id")
    try:
        raise KeyError("of-the-future")
    except KeyError:
        logger_into(log, JsonLines()).exception("It broke: %s", "here", extra={"status": 500})
    finally:
        request_id.current.reset(token)
    line = json.loads(log.getvalue())
    assert line.pop("timestamp").endswith("Z")
    told = line.pop("exception")
    assert told.startswith("Traceback (most recent call last):\n")
    assert told.endswith("KeyError: 'of-the-future'")
    assert line == {
        "level": "error",
        "logger": "tests.lines",
        "status": 500,
        "request_id": "the-id",
        "message": "It broke: here",
    }
