"""The page at `/`: the chat for whoever is signed in, a word of welcome for everybody else."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from proxyproject.pages.chat import chat_page


@require_safe
def start(request: HttpRequest) -> HttpResponse:
    if request.user.is_authenticated:
        return chat_page(request)
    return render(request, "start.html", {"sign_up": settings.SIGN_UP})
