"""The chat page: a frame, and what its scripts must know. The conversation itself stays in the browser."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext

from accounts import usage
from accounts.models import Unit, Window
from proxyproject.pages import usage_words
from proxyproject.server.limits import Limits


def chat_page(request: HttpRequest) -> HttpResponse:
    """For somebody who is signed in."""
    known = {"user": request.user.pk, "largestMessage": Limits().message_bytes, "words": _words()}
    return render(request, "chat.html", {"known": known, "suggestions": _suggestions()})


def _suggestions() -> list[str]:
    return [
        gettext("Explain in three sentences how a vaccine works"),
        gettext("Write a friendly reminder that an invoice is due"),
        gettext("Give me five names for a small bakery"),
    ]


def _words() -> dict[str, Any]:
    """What the scripts say, in the reader's language."""
    return {
        "left": {unit: usage_words.left(unit) for unit in Unit.values},
        "when": {window: usage_words.when(window) for window in Window.values},
        "needed": gettext("This one may take {amount}."),
        "currency": usage.currency(),
        "resetsAt": gettext("{left}, resets at {time}"),
        "resetsOn": gettext("{left}, resets on {date}"),
        "stopped": gettext("Stopped"),
        "length": gettext("Cut at the limit of its length"),
        "filtered": gettext("Held back by the provider's filter"),
        "nothingLost": gettext("Nothing was lost: your question is still here."),
        "partKept": gettext("What came so far is kept."),
        "waitSeconds": gettext("Try again in {seconds} seconds."),
        "defaultModel": gettext("Default model"),
        "failures": _failures(),
    }


def _failures() -> dict[str, dict[str, str]]:
    """What happened, by code; and what to do, where it is more than to try again."""
    provider = gettext("Choose another model below, or try again.")
    return {
        "QUOTA_EXCEEDED": {"title": gettext("Your quota has no room for this")},
        "RATE_LIMITED": {"title": gettext("The provider takes no more requests just now")},
        "UNAUTHORIZED": {
            "title": gettext("You are signed out"),
            "advice": gettext("Sign in again in this tab; the conversation waits here."),
        },
        "FORBIDDEN": {"title": gettext("This is not open to you"), "advice": gettext("Choose another model below.")},
        "NOT_FOUND": {"title": gettext("This model cannot be had here"), "advice": provider},
        "PROVIDER_NOT_FOUND": {"title": gettext("This provider cannot be had here"), "advice": provider},
        "PROVIDER_UNAVAILABLE": {"title": gettext("This provider cannot be used just now"), "advice": provider},
        "GENERATION_ERROR": {"title": gettext("The provider could not answer"), "advice": provider},
        "UPSTREAM_TIMEOUT": {"title": gettext("The provider took too long"), "advice": provider},
        "INVALID_REQUEST": {"title": gettext("This could not be asked")},
        "STORAGE_UNAVAILABLE": {"title": gettext("The gateway cannot take calls just now")},
        "SERVER_STOPPING": {"title": gettext("The gateway is starting anew"), "advice": gettext("Try again.")},
        "CONNECTION": {
            "title": gettext("The connection broke before the answer was whole"),
            "advice": gettext("Try again."),
        },
        "TOO_LONG": {
            "title": gettext("This conversation has become too long to go on"),
            "advice": gettext("Start a new chat, or shorten your question."),
        },
        "INTERNAL_ERROR": {
            "title": gettext("Something broke here"),
            "advice": gettext("Try again; if it stays so, tell whoever runs this, with the number below."),
        },
    }
