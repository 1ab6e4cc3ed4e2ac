"""Calls by every path to an upstream that keeps an account of them, and the comparison of that with the ledger."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from decimal import Decimal
from http.client import IncompleteRead
from itertools import count, product
from typing import Any

from accounts.prices import AMOUNT
from tests.billing import WORD, WORD_TOKENS, Account, Biller
from tests.gateway import Gateway
from tests.leaving import books
from tests.recorder import JSON, Caller, provider

_INPUT_PRICE, _OUTPUT_PRICE = Decimal("0.150007"), Decimal("12.3")  # of a million tokens
_PRICES = f"""
from accounts.models import Price
for kind in ("openai", "anthropic"):
    at = dict(provider_type=kind, provider=f"priced-{{kind}}", model="*", valid_from="2020-01-01T00:00Z")
    Price.objects.update_or_create(**at, defaults=dict(input="{_INPUT_PRICE}", output="{_OUTPUT_PRICE}"))
"""
_PROXIED = {"openai": "chat/completions", "anthropic": "v1/messages"}
_names = count(1)
_COLUMNS = ("state", "estimated", "input_tokens", "output_tokens", "cost")


@dataclass(frozen=True)
class Path:
    """A way to a provider. route: `generate`, `chat` and `messages` are the gateway's own, `proxy` the pass-through."""

    route: str
    kind: str
    priced: bool
    streamed: bool

    def request(self, model: str, said: str) -> tuple[str, dict[str, Any]]:
        """Where the call goes, and its body."""
        name = f"{'priced' if self.priced else 'unpriced'}-{self.kind}"
        body: dict[str, Any] = {"stream": self.streamed, "max_tokens": 500}
        if self.route == "generate":
            return "/api/generate", {**body, "provider": name, "model": model, "prompt": said}
        body["messages"] = [{"role": "user", "content": said}]
        if self.route == "proxy":
            options = {"stream_options": {"include_usage": True}} if self.kind == "openai" and self.streamed else {}
            return f"/proxy/{name}/{_PROXIED[self.kind]}", {**body, **options, "model": model}
        path = "/v1/chat/completions" if self.route == "chat" else "/v1/messages"
        return path, {**body, "model": f"{name}/{model}"}


_ROUTES = ("generate", "chat", "messages", "proxy")
PATHS = [Path(*one) for one in product(_ROUTES, _PROXIED, (True, False), (True, False))]
STREAMS = [path for path in PATHS if path.streamed]


@dataclass(frozen=True)
class Entry:
    """What the ledger has of a call that made one attempt."""

    state: str
    estimated: bool
    input: int
    output: int
    cost: Decimal | None


@dataclass
class Stage:
    """A gateway whose providers all have one upstream behind them."""

    caller: Caller
    biller: Biller

    def whole(self, path: Path, model: str = "whole") -> None:
        """A call that comes to its end. Asserts that the ledger has what the upstream has."""
        name = f"call-{next(_names)}"
        target, body = path.request(model, name)
        answer = self.caller.ask("POST", target, JSON, json.dumps(body).encode())
        assert answer.status == 200, answer.body
        account, entry = self.biller.accounts[name], self.entry(answer.request_id)
        found = (entry.state, entry.estimated, entry.input, entry.output)
        assert found == ("done", False, account.input, account.output), path
        assert account.output > 0 or model == "zero"
        self._check_cost(path, entry)

    def left(self, path: Path) -> None:
        """A call whose client leaves in the middle of its stream."""
        self.biller.go_on.clear()
        name = f"call-{next(_names)}"
        target, body = path.request("half", name)
        with self.caller.open("POST", target, JSON, json.dumps(body).encode()) as answer:
            relayed = b""
            while relayed.count(WORD.encode()) < 6:
                relayed += answer.some()
        self._check_cut(path, self.biller.accounts[name], relayed, self.entry(answer.request_id), "client_gone")

    def broken_off(self, path: Path) -> None:
        """A call whose upstream hangs up in the middle of its stream."""
        name = f"call-{next(_names)}"
        target, body = path.request("breaks", name)
        with self.caller.open("POST", target, JSON, json.dumps(body).encode()) as answer:
            relayed = b""
            with suppress(IncompleteRead):
                while piece := answer.some():
                    relayed += piece
        self._check_cut(path, self.biller.accounts[name], relayed, self.entry(answer.request_id), "truncated")

    def entry(self, request_id: str) -> Entry:
        """The one row of a call, once it is closed. Asserts that its one attempt says the same."""
        columns = ", ".join(f"{table}.{name}" for table in "ca" for name in _COLUMNS)
        query = (
            f"select {columns} from accounts_call c join accounts_attempt a on a.call_id = c.id where c.request_id = "
        )
        with books(self.caller.gateway) as ask:
            deadline = time.monotonic() + 10
            while not (rows := ask(f"{query}'{request_id}'")):
                assert time.monotonic() < deadline, "the call has no attempt"
                time.sleep(0.01)
        (row,) = rows
        state, estimated, input_tokens, output_tokens, cost = row[: len(_COLUMNS)]
        assert row[len(_COLUMNS) + 1 :] == row[1 : len(_COLUMNS)], "one attempt, and so the same"
        exact = None if cost is None else Decimal(str(cost)).quantize(AMOUNT)
        return Entry(state, bool(estimated), input_tokens, output_tokens, exact)

    def _check_cut(self, path: Path, account: Account, relayed: bytes, entry: Entry, state: str) -> None:
        assert (entry.state, entry.estimated) == (state, True), path
        words = sum(WORD.encode() in event for event in relayed.split(b"\n\n"))  # one event may say a word twice
        assert words * WORD_TOKENS[path.kind] <= entry.output <= account.output, path
        assert 0 < entry.input <= account.input, path
        self._check_cost(path, entry)

    def _check_cost(self, path: Path, entry: Entry) -> None:
        exact = (entry.input * _INPUT_PRICE + entry.output * _OUTPUT_PRICE) / 1_000_000
        assert entry.cost == (exact.quantize(AMOUNT) if path.priced else None), path


@contextmanager
def stage(gateway: Gateway, staff_token: str, token: str) -> Iterator[Stage]:
    """A priced and an unpriced provider of each kind, at an upstream of their own."""
    gateway.python(_PRICES)
    biller = Biller().start()
    bases = {"openai": f"{biller.url}/v1", "anthropic": biller.url}
    with ExitStack() as stack:
        stack.callback(biller.stop)
        for kind, price in product(bases, ("priced", "unpriced")):
            stack.enter_context(provider(gateway, staff_token, f"{price}-{kind}", kind, bases[kind]))
        yield Stage(Caller(gateway, token), biller)
