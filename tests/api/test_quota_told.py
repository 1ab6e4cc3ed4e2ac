"""What a caller is told of quotas: headers with each answer, and a refusal that says which, how much and until when."""

import json
import re

import anthropic
import openai
import pytest

from tests.gateway import Gateway
from tests.racing import made_users
from tests.recorder import JSON, Caller, Recorder, Says, provider

ECHO = {"provider": "demo", "prompt": "x", "max_tokens": 10}
CHAT = {"model": "demo/echo-1", "messages": [{"role": "user", "content": "x"}], "max_tokens": 10}
_RESET = re.compile(r"(\d+h)?(\d+m)?\d+s|\d+ms")


_ONCE = [{"unit": "requests", "window": "day", "limit": 1}]
_NEVER = [{"unit": "requests", "window": "day", "limit": 0}]
_SOME = [{"unit": "requests", "window": "day", "limit": 10}, {"unit": "tokens", "limit": 500}]


@pytest.fixture(scope="module")
def tokens(gateway: Gateway) -> list[str]:
    """Tokens of users with quotas: who may call once, never, and five who may call some times."""
    return [token for _, token in made_users(gateway, [_ONCE, _NEVER, *[_SOME] * 5])]


def test_a_refusal_says_which_how_much_and_until_when(gateway: Gateway, tokens: list[str]) -> None:
    token = tokens[0]
    assert gateway.call(token, ECHO).status_code == 200
    refused = gateway.call(token, ECHO)
    assert (refused.status_code, refused.reason_phrase) == (429, "Too Many Requests")
    assert refused.json()["error"]["code"] == "QUOTA_EXCEEDED"
    message = refused.json()["error"]["message"]
    assert message.startswith("Your quota of 1 request per day has 0 left")
    assert re.search(r"It begins anew at \d{4}-\d\d-\d\dT00:00:00Z\.", message)
    assert 0 < int(refused.headers["retry-after"]) <= 24 * 3600


def test_vendors_own_clients_understand_it(gateway: Gateway, tokens: list[str]) -> None:
    token = tokens[1]
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=token, max_retries=0) as client:
        with pytest.raises(openai.RateLimitError) as told:
            client.chat.completions.create(model="demo/echo-1", messages=[{"role": "user", "content": "x"}])
        assert told.value.code == "insufficient_quota"
        assert "Your quota of 0 requests per day" in told.value.message
    with (
        anthropic.Anthropic(base_url=gateway.url, api_key=token, max_retries=0) as other,
        pytest.raises(anthropic.RateLimitError, match="Your quota of 0 requests per day"),
    ):
        other.messages.create(model="demo/echo-1", max_tokens=5, messages=[{"role": "user", "content": "x"}])


@pytest.mark.parametrize(
    ("place", "path", "body"),
    [
        (2, "/api/generate", ECHO),
        (3, "/v1/chat/completions", CHAT),
        (4, "/api/generate", {**ECHO, "stream": True}),
        (5, "/v1/chat/completions", {**CHAT, "stream": True}),
    ],
)
def test_headers_say_what_is_left(
    gateway: Gateway, tokens: list[str], place: int, path: str, body: dict[str, object]
) -> None:
    answer = gateway.call(tokens[place], body, path)
    told = {name: value for name, value in answer.headers.items() if name.startswith("x-ratelimit-")}
    assert _RESET.fullmatch(told.pop("x-ratelimit-reset-requests"))
    assert told == {
        "x-ratelimit-limit-requests": "10",
        "x-ratelimit-remaining-requests": "9",
        "x-ratelimit-limit-tokens": "500",
        "x-ratelimit-remaining-tokens": str(500 - (1 + 16 + 10)),
    }


def test_the_pass_through_shows_the_vendors_own(gateway: Gateway, staff_token: str, tokens: list[str]) -> None:
    recorder = Recorder().start()
    recorder.says(Says(headers=[*JSON, ("x-ratelimit-limit-requests", "60")]))
    with provider(gateway, staff_token, "told-openai", "openai", recorder.url):
        body = json.dumps({"model": "m", "messages": [], "max_tokens": 20}).encode()
        answer = Caller(gateway, tokens[6]).ask("POST", "/proxy/told-openai/chat/completions", JSON, body)
    recorder.stop()
    told = {name: value for name, value in answer.headers.items() if name.startswith("x-ratelimit-")}
    assert told == {"x-ratelimit-limit-requests": "60"}
