"""Trying a provider out: a free probe, and a short prompt that it has to answer, for the API and the admin alike."""

import time
from typing import Any

from asgiref.sync import async_to_sync
from django.contrib import messages

from accounts.principal import Principal
from providers import directory, gateway, health
from providers.adapters.registry import TYPES
from providers.completion import Completion
from providers.conversation import GenerateRequest, Message
from providers.errors import AddressRefused, ConnectFailed, ConnectTimeout, ProviderUnavailable
from providers.fronts.openai_answers import usage
from providers.models import Provider
from providers.types import Wanted
from web import request_id
from web.problems import problem_for

PROMPT = "Hello, this is a test. Please respond with 'OK'."
_SHOWN_OF_ANSWER = 80  # characters
_ADVICE: dict[type[Exception], str] = {
    ConnectFailed: " Check the base URL.",
    ConnectTimeout: " Check the base URL.",
    AddressRefused: " If it is meant to be there, tick “Allow private network”.",
}


def run(
    principal: Principal,
    row: Provider,
    *,
    prompt: str = PROMPT,
    model: str = "",
    max_tokens: int = 50,
    temperature: float | None = None,
) -> dict[str, Any]:
    """Has a provider answer a short prompt; a call like any other, in the ledger too. One without text is probed.

    Raises what gateway.open_answer raises, and ProviderUnavailable when the probe fails.
    """
    if not TYPES[row.type].makes_text:
        return _probe_result(row, prompt)
    wanted = Wanted.generation(row.name, GenerateRequest((Message("user", prompt),), model, max_tokens, temperature))

    async def generate() -> tuple[Completion, gateway.Answer]:
        answer = await gateway.open_answer(principal, wanted, request_id=request_id.current.get(), surface="test")
        async with answer:
            return await answer.collect(), answer

    started = time.monotonic()
    completion, answer = async_to_sync(generate)()
    return {
        "status": "success",
        "provider": completion.provider,
        "model": completion.model,
        "prompt": prompt,
        "response": completion.text,
        "response_time": round((time.monotonic() - started) * 1000),
        "usage": usage(answer.consumption),
    }


def _probe_result(row: Provider, prompt: str) -> dict[str, Any]:
    found = async_to_sync(health.check)(directory.endpoint(row), fresh=True)
    if not found.healthy:
        raise ProviderUnavailable(found.message)
    told = {"provider": row.name, "model": "", "prompt": prompt, "response": found.message}
    return {"status": "success", **told, "response_time": found.latency_ms, "usage": {}}


def report(principal: Principal, row: Provider) -> tuple[int, str]:
    """Probes a provider free of charge, then has it answer if it can be asked. Returns a message's level and text."""
    row = Provider.objects.get(pk=row.pk)  # the admin's own rows come without their secrets
    endpoint = directory.endpoint(row)
    try:
        found = async_to_sync(health.check)(endpoint, fresh=True)
        model = endpoint.default_model or next(iter(endpoint.models), "")
        if not endpoint.enabled:
            return _probed(row, found, "It is disabled, so it was not asked for an answer. Enable it to try that.")
        if not TYPES[row.type].makes_text:
            return _probed(row, found, "It makes no text, so it was not asked for an answer.")
        if endpoint.needs_model and not model:
            return _probed(row, found, "It was not asked for an answer: set a default model to try that.")
        result = run(principal, row, model="" if endpoint.default_model else model)
    except Exception as error:  # whatever it is, an administrator is told here and the log has the rest
        return messages.ERROR, f"“{row.name}” does not work. {problem_for(error).message}{_ADVICE.get(type(error), '')}"
    by = f" with {result['model']}" if result["model"] else ""
    answer = _excerpt(result["response"], endpoint.key)
    told = f"“{row.name}” answered{by} in {result['response_time']} ms: {answer}"
    if found.healthy:
        return messages.SUCCESS, told
    return messages.WARNING, f"{told} The free check failed, though, and /health reports that: {found.message}"


def _excerpt(answer: str, key: str) -> str:
    """The beginning of an answer; without the key, which some servers say back."""
    text = (answer.replace(key, "[key]") if key else answer).strip()
    if not text:
        return "no text, which some models do when the answer may not be long."
    return f"“{text[:_SHOWN_OF_ANSWER]}{'…' if len(text) > _SHOWN_OF_ANSWER else ''}”"


def _probed(row: Provider, found: health.Health, rest: str) -> tuple[int, str]:
    if not found.healthy:
        return messages.ERROR, f"“{row.name}” does not work. {found.message} {rest}"
    return messages.SUCCESS, f"“{row.name}” can be reached ({found.latency_ms} ms). {rest}"
