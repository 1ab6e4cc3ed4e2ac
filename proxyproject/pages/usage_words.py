"""The sentences on quotas, whole ones, so that each can be translated as its language wants it.

{when}: as `when` has it, or in sentences as `during`. {where}: empty, or " for provider x". {left}, {limit}: amounts.
"""

from django.utils.translation import gettext

from accounts.models import Unit, Window


def when(window: str) -> str:
    return {
        Window.MINUTE: gettext("this minute"),
        Window.HOUR: gettext("this hour"),
        Window.DAY: gettext("today"),
        Window.MONTH: gettext("this month"),
        Window.TOTAL: gettext("in total"),
    }[Window(window)]


def during(window: str) -> str:
    """The same inside a sentence, after a space; nothing where it is for good."""
    return "" if window == Window.TOTAL else f" {when(window)}"


def left(unit: str) -> str:
    return {
        Unit.REQUESTS: gettext("{left} of {limit} requests left {when}"),
        Unit.TOKENS: gettext("{left} of {limit} tokens left {when}"),
        Unit.COST: gettext("{left} of {limit} left {when}"),
        Unit.CONCURRENCY: gettext("{left} of {limit} calls at the same time free"),
    }[Unit(unit)]


def nothing_left(unit: str) -> str:
    return {
        Unit.REQUESTS: gettext("No requests left{when}{where}"),
        Unit.TOKENS: gettext("No tokens left{when}{where}"),
        Unit.COST: gettext("No money left{when}{where}"),
        Unit.CONCURRENCY: gettext("As many calls are running as may{where}"),
    }[Unit(unit)]


def nothing_allowed(unit: str) -> str:
    return {
        Unit.REQUESTS: gettext("No call is let through: the limit of requests{when} is 0{where}."),
        Unit.TOKENS: gettext("No call is let through: the limit of tokens{when} is 0{where}."),
        Unit.COST: gettext("No call is let through: the limit of cost{when} is 0{where}."),
        Unit.CONCURRENCY: gettext("No call is let through: the limit of calls at the same time is 0{where}."),
    }[Unit(unit)]


def little_left(unit: str) -> str:
    return {
        Unit.REQUESTS: gettext("Only {left} of {limit} requests left{when}{where}"),
        Unit.TOKENS: gettext("Only {left} of {limit} tokens left{when}{where}"),
        Unit.COST: gettext("Only {left} of {limit} left{when}{where}"),
    }[Unit(unit)]


def runs_out(unit: str, window: str) -> str:
    """{moment}: with its preposition."""
    return {
        (Unit.REQUESTS, Window.DAY): gettext("Requests today{where} run out {moment} at this pace."),
        (Unit.TOKENS, Window.DAY): gettext("Tokens today{where} run out {moment} at this pace."),
        (Unit.COST, Window.DAY): gettext("Money for today{where} runs out {moment} at this pace."),
        (Unit.REQUESTS, Window.MONTH): gettext("Requests this month{where} run out {moment} at this pace."),
        (Unit.TOKENS, Window.MONTH): gettext("Tokens this month{where} run out {moment} at this pace."),
        (Unit.COST, Window.MONTH): gettext("Money for this month{where} runs out {moment} at this pace."),
    }[Unit(unit), Window(window)]
