"""GET /api/calls/{id}/answer: what a client missed that left before the end, where the provider keeps it."""

from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request

from accounts.models import Call
from providers import kept
from providers.models.kept import KeptAnswer, KeptState
from web.async_views import SiteView
from web.problems import AnswerNotKept, AnswerNotReady

_NOTHING = (
    "There is no kept answer of such a call. They are kept for an hour, where the client left and the provider is set"
    " to keep them."
)
_WHY_NOT = {
    KeptState.CUT: "This call's answer broke off before its end, so nothing of it was kept.",
    KeptState.TOO_LARGE: f"This call's answer is larger than {kept.LARGEST_BODY // 2**20} MiB, so it was not kept.",
}
_OF_THE_REQUEST = ("access-control-", "content-length")  # beginnings of the headers that each answer gets for itself


class KeptAnswerView(SiteView):
    @extend_schema(
        operation_id="get_kept_answer",
        summary="Fetch the answer of a call whose client left before its end",
        description=(
            "Status, headers and body are those that the client would have got; the header `x-call-id` tells them from"
            " an error of this path. Answers are kept for an hour, for the caller's own calls at providers whose"
            " `on_disconnect` is `keep`. While the answer is still coming, this is 409 with `Retry-After`."
        ),
        responses={(200, "*/*"): OpenApiResponse(OpenApiTypes.BINARY, "The answer as it was.")},
    )
    def get(self, request: Request, call_id: str) -> HttpResponse:
        user_id = self.principal.user_id
        try:
            call = UUID(call_id)
        except ValueError:
            raise AnswerNotKept(_NOTHING) from None
        calls = Call.objects.filter(pk=call, user_id=user_id)
        if self.principal.is_limited and not any(self._is_its_own(one) for one in calls):
            raise AnswerNotKept(_NOTHING)
        found = kept.find(call, user_id)
        if found is not None and found.state == KeptState.WHOLE:
            return _as_it_was(found)
        is_open = Call.objects.open().filter(pk=call, user_id=user_id).exists()
        if is_open or (found is not None and found.state == KeptState.COMING):
            raise AnswerNotReady
        raise AnswerNotKept(_NOTHING if found is None else _WHY_NOT[KeptState(found.state)])

    def _is_its_own(self, call: Call) -> bool:
        """Whether a limited credential may have made a call: with the same token, at a provider that it is good for."""
        return call.token_id == self.principal.token_id and self.principal.may_see(call.provider)


def _as_it_was(answer: KeptAnswer) -> HttpResponse:
    response = HttpResponse(bytes(answer.body), status=answer.status)
    del response["content-type"]
    for name, value in answer.headers:
        if not name.lower().startswith(_OF_THE_REQUEST):
            response[name] = value
    response["x-call-id"] = str(answer.call_id)
    return response
