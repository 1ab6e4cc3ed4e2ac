"""Which provider a request goes to: one table of what is taken, one of what is refused and with which words."""

from contextlib import nullcontext
from dataclasses import replace

import pytest

from providers.conversation import GenerateRequest, Message
from providers.errors import ModelNotFound, ProviderError, ProviderNotFound, ProviderUnavailable, RequestNotPossible
from providers.routing import check_named_model, route
from providers.types import Endpoint, Wanted

OPENAI = Endpoint(name="openai", type="openai", key="sk", needs_key=True, needs_model=True, default_model="gpt")
ECHO = Endpoint(name="echo", type="echo")
OFF = replace(OPENAI, name="off", enabled=False)
KEYLESS = replace(OPENAI, name="keyless", key="")
MODELLESS = replace(OPENAI, name="modelless", default_model="")
LISTED = replace(OPENAI, name="listed", models=("small", "large"), default_model="small")
SHORT = replace(OPENAI, name="short", max_prompt_chars=10)


def default(endpoint: Endpoint) -> Endpoint:
    return replace(endpoint, is_default=True)


def ask(provider: str = "", model: str = "", *contents: str) -> Wanted:
    messages = tuple(Message("user", content) for content in contents or ("hello",))
    return Wanted.generation(provider, GenerateRequest(messages, model=model))


@pytest.mark.parametrize(
    ("request_", "providers", "name", "model", "reason"),
    [
        pytest.param(ask("openai"), [OPENAI, ECHO], "openai", "gpt", "named in the request", id="named"),
        pytest.param(ask("echo"), [default(OPENAI), ECHO], "echo", "", "named in the request", id="named-wins"),
        pytest.param(ask(), [ECHO, default(OPENAI)], "openai", "gpt", "the default provider", id="default"),
        pytest.param(ask(), [OPENAI, OFF], "openai", "gpt", "the only enabled provider", id="only-enabled"),
        pytest.param(ask(), [default(OFF), ECHO], "echo", "", "the only enabled provider", id="default-is-disabled"),
        pytest.param(ask("", "gpt-x"), [OPENAI], "openai", "gpt-x", "the only enabled provider", id="model-asked-for"),
        pytest.param(ask("modelless", "m"), [MODELLESS], "modelless", "m", "named in the request", id="no-default"),
        pytest.param(ask("listed", "large"), [LISTED], "listed", "large", "named in the request", id="listed-model"),
        pytest.param(ask("listed"), [LISTED], "listed", "small", "named in the request", id="listed-default"),
        pytest.param(
            ask("listed"),
            [replace(LISTED, default_model="hidden")],
            "listed",
            "hidden",
            "named in the request",
            id="the-default-need-not-be-listed",
        ),
        pytest.param(
            ask("short", "", "x" * 10), [SHORT], "short", "gpt", "named in the request", id="prompt-just-fits"
        ),
        pytest.param(ask("short", "", "ሰ" * 10), [SHORT], "short", "gpt", "named in the request", id="not-bytes"),
    ],
)
def test_one_attempt_at(request_: Wanted, providers: list[Endpoint], name: str, model: str, reason: str) -> None:
    (attempt,) = route(request_, {endpoint.name: endpoint for endpoint in providers})
    assert (attempt.endpoint.name, attempt.model, attempt.reason) == (name, model, reason)


@pytest.mark.parametrize(
    ("request_", "providers", "error", "words"),
    [
        pytest.param(ask("nobody"), [OPENAI], ProviderNotFound, "'nobody' not found", id="unknown"),
        pytest.param(ask("Openai"), [OPENAI], ProviderNotFound, "'Openai'", id="names-have-a-case"),
        pytest.param(ask("nobody"), [], ProviderNotFound, "GET /api/providers", id="unknown-among-none"),
        pytest.param(ask(), [], RequestNotPossible, "Name a 'provider'", id="none-at-all"),
        pytest.param(ask(), [OPENAI, ECHO], RequestNotPossible, "Name a 'provider'", id="several-and-no-default"),
        pytest.param(ask(), [OFF], RequestNotPossible, "Name a 'provider'", id="none-enabled"),
        pytest.param(ask(), [default(OFF), OPENAI, ECHO], RequestNotPossible, "default", id="default-disabled"),
        pytest.param(ask("off"), [OFF], ProviderUnavailable, "'off' is disabled", id="disabled"),
        pytest.param(ask("keyless"), [KEYLESS], ProviderUnavailable, "'keyless' has no key", id="without-key"),
        pytest.param(ask(), [default(KEYLESS), ECHO], ProviderUnavailable, "has no key", id="default-without-key"),
        pytest.param(ask("modelless"), [MODELLESS], RequestNotPossible, "Name a 'model'", id="no-model"),
        pytest.param(ask("listed", "x"), [LISTED], RequestNotPossible, "small, large", id="model-not-listed"),
        pytest.param(ask("short", "", "x" * 11), [SHORT], RequestNotPossible, "has 11 characters", id="too-long"),
        pytest.param(ask("short", "", "x" * 6, "y" * 6), [SHORT], RequestNotPossible, "takes 10", id="together"),
    ],
)
def test_refused(request_: Wanted, providers: list[Endpoint], error: type[ProviderError], words: str) -> None:
    with pytest.raises(error) as refused:
        route(request_, {endpoint.name: endpoint for endpoint in providers})
    assert words in str(refused.value)
    assert str(refused.value).endswith("."), "a sentence, for a person"


def test_a_long_list_of_models_is_not_told_in_full() -> None:
    many = replace(LISTED, models=tuple(f"model-{number}" for number in range(500)))
    with pytest.raises(RequestNotPossible) as refused:
        route(ask("listed", "x"), {"listed": many})
    assert len(str(refused.value)) < 300


def test_the_key_is_in_no_repr_of_a_plan() -> None:
    plan = route(ask("openai"), {"openai": replace(OPENAI, key="sk-secret-canary")})
    assert "canary" not in repr(plan)


@pytest.mark.parametrize(
    ("models", "generates", "named", "refusal"),
    [
        ((), True, "x", None),
        ((), True, "", None),
        (("small",), True, "small", None),
        (("small",), True, "x", ModelNotFound),
        (("small",), False, "x", ModelNotFound),
        (("small",), True, "", RequestNotPossible),
        (("small",), False, "", None),
        (("a/b/c",), True, "a/b", ModelNotFound),
        (("a/b/c",), False, "a/b", None),
        (("a/b/c",), False, "a/bb", ModelNotFound),
    ],
)
def test_models_of_relayed_requests(
    models: tuple[str, ...], generates: bool, named: str, refusal: type[Exception] | None
) -> None:
    endpoint = replace(LISTED, models=models)
    with nullcontext() if refusal is None else pytest.raises(refusal):
        check_named_model(endpoint, named, generates=generates)
